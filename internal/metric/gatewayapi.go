package metric

// gatewayAPI asks the app's own metrics, as Flagger does: the Gateway API names no metrics, and each implementation has
// its own.
var gatewayAPI = Builtin{
	SuccessRate:   kubernetes.SuccessRate,
	Duration:      kubernetes.Duration,
	DurationMeans: kubernetes.DurationMeans,
	Count:         kubernetes.Count,
	Request:       app,
	ofPrimary:     byTarget,
}
