package cli

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// What docs/operations.md reckons with: what was measured, and what is supposed of a repository's busiest hour.
const (
	rolloutMinutes, gateMinutes      = 12.0, 30.0
	approvalsAnHour, webhooksAnHour  = 2.0, 20.0
	leaseSeconds                     = 4.0
	writesOfARollout, watchesOfARun  = 50.0, 10.0
	keptKilobytes, gateKilobytes     = 13.0, 0.9
	deliveriesOfACore, looksRequests = 3000.0, 5.0
)

// TestTheTableOfCapacityFollowsFromItsCosts writes, with -update, the table that the formulas of the page give.
func TestTheTableOfCapacityFollowsFromItsCosts(t *testing.T) {
	sizes := []float64{10, 100, 1_000, 10_000}
	rows := []struct {
		name string
		of   func(r float64) float64
	}{
		{"runs alive", func(r float64) float64 { return r * (rolloutMinutes + gateMinutes) / 60 }},
		{"runs alive, with `--on-gate suspend`", func(r float64) float64 { return r * rolloutMinutes / 60 }},
		{"writes a second to the API server", func(r float64) float64 {
			return r*(rolloutMinutes+gateMinutes)/60/leaseSeconds + r*writesOfARollout/3600
		}},
		{"the same, with `--on-gate suspend`", func(r float64) float64 {
			return r*rolloutMinutes/60/leaseSeconds + r*writesOfARollout/3600
		}},
		{"watches open", func(r float64) float64 { return r * (rolloutMinutes + gateMinutes) / 60 * watchesOfARun }},
		{"kept in the cluster, MB", func(r float64) float64 { return r * keptKilobytes / 1000 }},
		{"deliveries a second", func(r float64) float64 { return r * webhooksAnHour / 3600 }},
		{"cores of the server for them", func(r float64) float64 { return r * webhooksAnHour / 3600 / deliveriesOfACore }},
		{"memory of the server for gates, MB", func(r float64) float64 { return r * gateMinutes / 60 * gateKilobytes / 1000 }},
		{"requests of the server to the forge in that hour", func(r float64) float64 { return r * approvalsAnHour * looksRequests }},
	}
	var table strings.Builder
	table.WriteString("| repositories |")
	for _, r := range sizes {
		fmt.Fprintf(&table, " %s |", figure(r))
	}
	table.WriteString("\n|---|" + strings.Repeat("---|", len(sizes)) + "\n")
	for _, row := range rows {
		fmt.Fprintf(&table, "| %s |", row.name)
		for _, r := range sizes {
			fmt.Fprintf(&table, " %s |", figure(row.of(r)))
		}
		table.WriteString("\n")
	}
	section(t, "../../docs/operations.md", "<!-- capacity: written by go test ./internal/cli -update -->\n", "<!-- end of capacity -->", table.String())
}

// figure writes a number with two digits that matter, and commas.
func figure(f float64) string {
	if f < 0.01 {
		return "< 0.01"
	}
	if f < 10 {
		return strings.TrimSuffix(fmt.Sprintf("%.2g", f), ".0")
	}
	digits := math.Pow(10, math.Floor(math.Log10(f))-1)
	whole := fmt.Sprintf("%.0f", math.Round(f/digits)*digits)
	for at := len(whole) - 3; at > 0; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	return whole
}
