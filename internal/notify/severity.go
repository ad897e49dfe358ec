package notify

import (
	"slices"

	"github.com/penstock-dev/penstock/internal/canary"
)

// severities are in rising order.
var severities = [...]canary.Severity{canary.SeverityInfo, canary.SeverityWarn, canary.SeverityError}

// rank is the place of a severity among the others, or -1.
func rank(s canary.Severity) int { return slices.Index(severities[:], s) }

func severityNames() []string {
	var names []string
	for _, s := range severities {
		names = append(names, string(s))
	}
	return names
}

// Due reports whether an alert that is configured with one severity is sent for an event of another: info gets every
// event, warn gets warnings and errors, error gets errors. An empty severity is info. What is neither of the three is
// sent: too many alerts are better than a lost one.
func Due(alert, event canary.Severity) bool {
	if alert == "" || rank(alert) < 0 || (event != "" && rank(event) < 0) {
		return true
	}
	return max(rank(event), 0) >= rank(alert)
}
