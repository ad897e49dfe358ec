package canary

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ConditionPromoted is the type of the one condition that Flagger keeps on a Canary.
const ConditionPromoted = "Promoted"

// Status is what Flagger shows of a rollout. Penstock writes it as a view and never decides by it. The first four
// fields are always written, as Flagger does, so that printer columns are never empty.
type Status struct {
	Phase                         string            `json:"phase"`
	FailedChecks                  int               `json:"failedChecks"`
	CanaryWeight                  int               `json:"canaryWeight"`
	Iterations                    int               `json:"iterations"`
	PreviousSessionAffinityCookie string            `json:"previousSessionAffinityCookie,omitempty"`
	SessionAffinityCookie         string            `json:"sessionAffinityCookie,omitempty"`
	PrimarySessionAffinityCookie  string            `json:"primarySessionAffinityCookie,omitempty"`
	TrackedConfigs                map[string]string `json:"trackedConfigs,omitempty"`
	LastAppliedSpec               string            `json:"lastAppliedSpec,omitempty"`
	LastPromotedSpec              string            `json:"lastPromotedSpec,omitempty"`
	LastTrackedRevision           string            `json:"lastTrackedRevision,omitempty"`
	LastTransitionTime            metav1.Time       `json:"lastTransitionTime,omitzero"`
	Conditions                    []Condition       `json:"conditions,omitempty"`
}

// Condition is one condition of a resource.
type Condition struct {
	Type               string                 `json:"type"`
	Status             metav1.ConditionStatus `json:"status"`
	LastUpdateTime     metav1.Time            `json:"lastUpdateTime,omitzero"`
	LastTransitionTime metav1.Time            `json:"lastTransitionTime,omitzero"`
	Reason             string                 `json:"reason,omitempty"`
	Message            string                 `json:"message,omitempty"`
}

// ConditionsStatus is the status of a MetricTemplate or an AlertProvider.
type ConditionsStatus struct {
	Conditions []Condition `json:"conditions,omitempty"`
}
