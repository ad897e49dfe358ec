package canary

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Severity filters the events that an alert is sent for.
type Severity string

// The severities. An empty severity is SeverityInfo.
const (
	SeverityInfo  Severity = "info"
	SeverityWarn  Severity = "warn"
	SeverityError Severity = "error"
)

// Alert sends the events of a rollout to an AlertProvider.
type Alert struct {
	Name        string    `json:"name"`
	Severity    Severity  `json:"severity,omitempty"`
	ProviderRef ObjectRef `json:"providerRef"`
}

// EffectiveSeverity is the severity from which on events are sent. Flagger documents info as the default, but sends
// nothing when there is none.
func (a *Alert) EffectiveSeverity() Severity {
	if a.Severity == "" {
		return SeverityInfo
	}
	return a.Severity
}

// AlertProvider is a flagger.app/v1beta1 AlertProvider: a chat to send alerts to.
//
// +kubebuilder:resource:path=alertproviders,categories=all
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name=Type,type=string,JSONPath=.spec.type
type AlertProvider struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              AlertProviderSpec `json:"spec"`
	Status            ConditionsStatus  `json:"status,omitempty"`
}

// AlertProviderSpec says where alerts go. The address is a secret: whoever knows it can post.
type AlertProviderSpec struct {
	Type      string     `json:"type"`
	Channel   string     `json:"channel,omitempty"`
	Username  string     `json:"username,omitempty"`
	Address   string     `json:"address,omitempty"`
	Proxy     string     `json:"proxy,omitempty"`
	SecretRef *SecretRef `json:"secretRef,omitempty"`
}

// SecretRef names a Secret in the namespace of the object that refers to it.
type SecretRef struct {
	Name string `json:"name"`
}
