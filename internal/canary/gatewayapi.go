package canary

// ParentReference names the Gateway that an HTTPRoute is attached to. Group and kind default to those of a Gateway,
// the namespace to the canary's.
type ParentReference struct {
	Group       *string `json:"group,omitempty"`
	Kind        *string `json:"kind,omitempty"`
	Namespace   *string `json:"namespace,omitempty"`
	Name        string  `json:"name"`
	SectionName *string `json:"sectionName,omitempty"`
	Port        *int32  `json:"port,omitempty"`
}

// RequestMirror copies requests to one more backend, its answers thrown away.
type RequestMirror struct {
	BackendRef BackendRef `json:"backendRef"`
}

// BackendRef names the backend of a mirror, a Service in the canary's namespace unless it says otherwise.
type BackendRef struct {
	Group     *string `json:"group,omitempty"`
	Kind      *string `json:"kind,omitempty"`
	Name      string  `json:"name"`
	Namespace *string `json:"namespace,omitempty"`
	Port      *int32  `json:"port,omitempty"`
}
