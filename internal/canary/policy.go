package canary

// TrafficPolicy is that of an Istio DestinationRule.
type TrafficPolicy struct {
	LoadBalancer     *LoadBalancer     `json:"loadBalancer,omitempty"`
	ConnectionPool   *ConnectionPool   `json:"connectionPool,omitempty"`
	OutlierDetection *OutlierDetection `json:"outlierDetection,omitempty"`
	TLS              *TLSSettings      `json:"tls,omitempty"`
}

// LoadBalancer chooses among the pods. Simple and ConsistentHash exclude each other.
type LoadBalancer struct {
	Simple             string             `json:"simple,omitempty"`
	ConsistentHash     *ConsistentHash    `json:"consistentHash,omitempty"`
	LocalityLbSetting  *LocalityLbSetting `json:"localityLbSetting,omitempty"`
	WarmupDurationSecs string             `json:"warmupDurationSecs,omitempty"`
}

// ConsistentHash keeps requests with the same key on the same pod. Exactly one key is set.
type ConsistentHash struct {
	HTTPHeaderName         string      `json:"httpHeaderName,omitempty"`
	HTTPCookie             *HashCookie `json:"httpCookie,omitempty"`
	UseSourceIP            bool        `json:"useSourceIp,omitempty"`
	HTTPQueryParameterName string      `json:"httpQueryParameterName,omitempty"`
	MinimumRingSize        int64       `json:"minimumRingSize,omitempty"`
}

// HashCookie is a cookie used as the key of a consistent hash.
type HashCookie struct {
	Name string `json:"name,omitempty"`
	Path string `json:"path,omitempty"`
	TTL  string `json:"ttl,omitempty"`
}

// LocalityLbSetting prefers pods by where they run. Distribute and Failover exclude each other.
type LocalityLbSetting struct {
	Enabled    *bool                `json:"enabled,omitempty"`
	Distribute []LocalityDistribute `json:"distribute,omitempty"`
	Failover   []LocalityFailover   `json:"failover,omitempty"`
}

// LocalityDistribute spreads the traffic of one locality, in percent by locality.
type LocalityDistribute struct {
	From string           `json:"from,omitempty"`
	To   map[string]int32 `json:"to,omitempty"`
}

// LocalityFailover names the region that takes over from another.
type LocalityFailover struct {
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// ConnectionPool bounds the connections to the pods.
type ConnectionPool struct {
	TCP  *TCPPool  `json:"tcp,omitempty"`
	HTTP *HTTPPool `json:"http,omitempty"`
}

// TCPPool bounds TCP connections.
type TCPPool struct {
	MaxConnections int32  `json:"maxConnections,omitempty"`
	ConnectTimeout string `json:"connectTimeout,omitempty"`
}

// HTTPPool bounds HTTP requests.
type HTTPPool struct {
	H2UpgradePolicy          string `json:"h2UpgradePolicy,omitempty"`
	HTTP1MaxPendingRequests  int32  `json:"http1MaxPendingRequests,omitempty"`
	HTTP2MaxRequests         int32  `json:"http2MaxRequests,omitempty"`
	IdleTimeout              string `json:"idleTimeout,omitempty"`
	MaxRequestsPerConnection int32  `json:"maxRequestsPerConnection,omitempty"`
	MaxRetries               int32  `json:"maxRetries,omitempty"`
}

// OutlierDetection takes failing pods out of the load balancer. Percentages are 0 to 100.
type OutlierDetection struct {
	BaseEjectionTime               string `json:"baseEjectionTime,omitempty"`
	Consecutive5xxErrors           *int32 `json:"consecutive5xxErrors,omitempty"`
	ConsecutiveErrors              *int32 `json:"consecutiveErrors,omitempty"` // deprecated by Istio
	ConsecutiveGatewayErrors       *int32 `json:"consecutiveGatewayErrors,omitempty"`
	ConsecutiveLocalOriginFailures *int32 `json:"consecutiveLocalOriginFailures,omitempty"`
	Interval                       string `json:"interval,omitempty"`
	MaxEjectionPercent             *int32 `json:"maxEjectionPercent,omitempty"`
	MinHealthPercent               *int32 `json:"minHealthPercent,omitempty"`
	SplitExternalLocalOriginErrors bool   `json:"splitExternalLocalOriginErrors,omitempty"`
}

// TLSSettings is how the mesh connects to the pods.
type TLSSettings struct {
	Mode              string   `json:"mode,omitempty"`
	ClientCertificate string   `json:"clientCertificate,omitempty"`
	PrivateKey        string   `json:"privateKey,omitempty"` // the path of a file
	CACertificates    string   `json:"caCertificates,omitempty"`
	SubjectAltNames   []string `json:"subjectAltNames,omitempty"`
	SNI               string   `json:"sni,omitempty"`
}
