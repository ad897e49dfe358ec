package canary

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MetricTemplate is a flagger.app/v1beta1 MetricTemplate: a query that canaries share.
//
// +kubebuilder:resource:path=metrictemplates,categories=all
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name=Provider,type=string,JSONPath=.spec.provider.type
type MetricTemplate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              MetricTemplateSpec `json:"spec"`
	Status            ConditionsStatus   `json:"status,omitempty"`
}

// MetricTemplateSpec is a query, a text template, and who answers it.
type MetricTemplateSpec struct {
	Provider MetricProvider `json:"provider"`
	Query    string         `json:"query"`
}

// MetricProvider is a server of metrics.
type MetricProvider struct {
	Type               string              `json:"type"`
	Address            string              `json:"address,omitempty"`
	Headers            map[string][]string `json:"headers,omitempty"`
	SecretRef          *SecretRef          `json:"secretRef,omitempty"`
	Region             string              `json:"region,omitempty"`
	InsecureSkipVerify bool                `json:"insecureSkipVerify,omitempty"`
}
