// Package canary holds the flagger.app/v1beta1 resources that Penstock reads: Canary, MetricTemplate and
// AlertProvider, with Flagger's defaults, parsed strictly and validated with every problem reported at once.
//
// The markers, here and on the types, are for the definitions that internal/manifest generates.
//
// +groupName=flagger.app
// +versionName=v1beta1
package canary

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// APIVersion is the only API version that Penstock reads.
const APIVersion = "flagger.app/v1beta1"

// Flagger's defaults (pkg/apis/flagger/v1beta1/canary.go).
const (
	DefaultInterval         = time.Minute
	DefaultMetricInterval   = time.Minute
	DefaultThreshold        = 1
	DefaultMaxWeight        = 100
	DefaultReadyThreshold   = 100
	DefaultProgressDeadline = 600 * time.Second
	DefaultWebhookTimeout   = 10 * time.Second
	DefaultPortName         = "http"
)

// Canary is a flagger.app/v1beta1 Canary.
//
// +kubebuilder:resource:path=canaries,categories=all
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name=Status,type=string,JSONPath=.status.phase
// +kubebuilder:printcolumn:name=Weight,type=string,JSONPath=.status.canaryWeight
// +kubebuilder:printcolumn:name=Suspended,type=boolean,JSONPath=.spec.suspend,priority=1
// +kubebuilder:printcolumn:name=FailedChecks,type=string,JSONPath=.status.failedChecks,priority=1
// +kubebuilder:printcolumn:name=Interval,type=string,JSONPath=.spec.analysis.interval,priority=1
// +kubebuilder:printcolumn:name=Mirror,type=boolean,JSONPath=.spec.analysis.mirror,priority=1
// +kubebuilder:printcolumn:name=StepWeight,type=string,JSONPath=.spec.analysis.stepWeight,priority=1
// +kubebuilder:printcolumn:name=StepWeights,type=string,JSONPath=.spec.analysis.stepWeights,priority=1
// +kubebuilder:printcolumn:name=MaxWeight,type=string,JSONPath=.spec.analysis.maxWeight,priority=1
// +kubebuilder:printcolumn:name=LastTransitionTime,type=string,JSONPath=.status.lastTransitionTime
type Canary struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              Spec   `json:"spec"`
	Status            Status `json:"status,omitempty"`
}

// Spec is what the user wrote. Read optional numbers through the methods, which apply Flagger's defaults.
type Spec struct {
	Provider                string         `json:"provider,omitempty"`
	MetricsServer           string         `json:"metricsServer,omitempty"`
	TargetRef               ObjectRef      `json:"targetRef"`
	AutoscalerRef           *AutoscalerRef `json:"autoscalerRef,omitempty"`
	IngressRef              *ObjectRef     `json:"ingressRef,omitempty"`
	RouteRef                *ObjectRef     `json:"routeRef,omitempty"`
	UpstreamRef             *ObjectRef     `json:"upstreamRef,omitempty"`
	Service                 Service        `json:"service"`
	Analysis                *Analysis      `json:"analysis,omitempty"`
	ProgressDeadlineSeconds *int32         `json:"progressDeadlineSeconds,omitempty"`
	SkipAnalysis            bool           `json:"skipAnalysis,omitempty"`
	RevertOnDeletion        bool           `json:"revertOnDeletion,omitempty"`
	Suspend                 bool           `json:"suspend,omitempty"`
}

// ObjectRef names an object, in the canary's namespace when Namespace is empty.
type ObjectRef struct {
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Name       string `json:"name"`
	Namespace  string `json:"namespace,omitempty"`
}

// AutoscalerRef names the autoscaler of the target.
type AutoscalerRef struct {
	APIVersion            string            `json:"apiVersion,omitempty"`
	Kind                  string            `json:"kind"`
	Name                  string            `json:"name"`
	PrimaryScalerQueries  map[string]string `json:"primaryScalerQueries,omitempty"`
	PrimaryScalerReplicas *ScalerReplicas   `json:"primaryScalerReplicas,omitempty"`
}

// ScalerReplicas overrides the bounds of the primary's autoscaler.
type ScalerReplicas struct {
	MinReplicas *int32 `json:"minReplicas,omitempty"`
	MaxReplicas *int32 `json:"maxReplicas,omitempty"`
}

// Analysis says how a revision is judged. Exactly one of Iterations, StepWeight and StepWeights is set.
type Analysis struct {
	Interval              string             `json:"interval,omitempty"`
	Threshold             int                `json:"threshold,omitempty"`
	MaxWeight             int                `json:"maxWeight,omitempty"`
	StepWeight            int                `json:"stepWeight,omitempty"`
	StepWeights           []int              `json:"stepWeights,omitempty"`
	StepWeightPromotion   int                `json:"stepWeightPromotion,omitempty"`
	Iterations            int                `json:"iterations,omitempty"`
	Mirror                bool               `json:"mirror,omitempty"`
	MirrorWeight          int                `json:"mirrorWeight,omitempty"`
	PrimaryReadyThreshold *int               `json:"primaryReadyThreshold,omitempty"`
	CanaryReadyThreshold  *int               `json:"canaryReadyThreshold,omitempty"`
	Match                 []HTTPMatchRequest `json:"match,omitempty"`
	Metrics               []Metric           `json:"metrics,omitempty"`
	Alerts                []Alert            `json:"alerts,omitempty"`
	Webhooks              []Webhook          `json:"webhooks,omitempty"`
	SessionAffinity       *SessionAffinity   `json:"sessionAffinity,omitempty"`
}

// Metric is one check of the analysis.
type Metric struct {
	Name              string            `json:"name"`
	Interval          string            `json:"interval,omitempty"`
	Threshold         *float64          `json:"threshold,omitempty"` // deprecated by Flagger: use ThresholdRange
	ThresholdRange    *ThresholdRange   `json:"thresholdRange,omitempty"`
	Query             string            `json:"query,omitempty"` // deprecated by Flagger: use TemplateRef
	TemplateRef       *ObjectRef        `json:"templateRef,omitempty"`
	TemplateVariables map[string]string `json:"templateVariables,omitempty"`
}

// ThresholdRange bounds a value, both ends included.
type ThresholdRange struct {
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
}

// Service describes the Services and routes of the target; see istio.go, policy.go and gatewayapi.go for the blocks of
// the routers.
type Service struct {
	Name                string              `json:"name,omitempty"`
	Port                int32               `json:"port"`
	PortName            string              `json:"portName,omitempty"`
	TargetPort          *intstr.IntOrString `json:"targetPort,omitempty"`
	AppProtocol         string              `json:"appProtocol,omitempty"`
	TrafficDistribution string              `json:"trafficDistribution,omitempty"`
	PortDiscovery       bool                `json:"portDiscovery,omitempty"`
	Headless            bool                `json:"headless,omitempty"`
	Timeout             string              `json:"timeout,omitempty"`
	BackendTimeout      string              `json:"backendTimeout,omitempty"`
	Gateways            []string            `json:"gateways,omitempty"`
	GatewayRefs         []ParentReference   `json:"gatewayRefs,omitempty"`
	Hosts               []string            `json:"hosts,omitempty"`
	Delegation          bool                `json:"delegation,omitempty"`
	TrafficPolicy       *TrafficPolicy      `json:"trafficPolicy,omitempty"`
	Match               []HTTPMatchRequest  `json:"match,omitempty"`
	Rewrite             *HTTPRewrite        `json:"rewrite,omitempty"`
	Retries             *HTTPRetry          `json:"retries,omitempty"`
	Headers             *Headers            `json:"headers,omitempty"`
	Mirror              []RequestMirror     `json:"mirror,omitempty"`
	CorsPolicy          *CorsPolicy         `json:"corsPolicy,omitempty"`
	MeshName            string              `json:"meshName,omitempty"`
	Backends            []string            `json:"backends,omitempty"`
	Apex                *CustomMetadata     `json:"apex,omitempty"`
	Primary             *CustomMetadata     `json:"primary,omitempty"`
	Canary              *CustomMetadata     `json:"canary,omitempty"`
	UnmanagedMetadata   *MetadataKeys       `json:"unmanagedMetadata,omitempty"`
}

// CustomMetadata is added to a generated object.
type CustomMetadata struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// MetadataKeys names labels and annotations that are left as they are on generated objects.
type MetadataKeys struct {
	Labels      []string `json:"labels,omitempty"`
	Annotations []string `json:"annotations,omitempty"`
}
