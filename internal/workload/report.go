package workload

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/rollout"
)

const (
	// messageLength bounds a message, in characters: it has to fit a line of a log and a cell of a table.
	messageLength = 300

	notTakenUp = "waiting for rollout: Kubernetes has not taken up the last change yet"
)

// Ready says what ready means for a workload.
type Ready struct {
	Revision  string        // of the workload's pod template; copied into the report
	Threshold int           // percent of the wanted pods that must be available
	Deadline  time.Duration // shortens the patience with failing pod creation when it is below a minute
	Now       time.Time
}

// Report says how ready a workload is, and when it is not, which pod keeps it from it and why. parts are the objects of
// Refs.Parts, those of other workloads among them. A nil workload does not exist.
func Report(w *Workload, parts []*unstructured.Unstructured, want Ready) rollout.Workload {
	if w == nil {
		return rollout.Workload{Message: "it does not exist"}
	}
	r := w.kind.report(w, parts, want)
	r.Exists, r.Revision = true, want.Revision
	return r
}

// below reports whether n is less than a percentage of wanted, or none at all.
func below(n, wanted int32, percent int) bool {
	return int64(n)*100 < int64(wanted)*int64(percent) || n == 0
}

// availability is how many pods of the newest revision there are, against how many are wanted.
type availability struct {
	wanted, ready, available int32
	threshold                int
	minReady                 int32 // seconds
}

// lacks says what is missing, or nothing.
func (a availability) lacks() string {
	if !below(a.available, a.wanted, a.threshold) {
		return ""
	}
	text := share(a.available, a.wanted) + " available"
	if a.threshold != 100 {
		text += fmt.Sprintf(", %d %% needed", a.threshold)
	}
	if a.minReady > 0 && a.ready > a.available {
		text += fmt.Sprintf(", %d ready for less than minReadySeconds (%d s)", a.ready-a.available, a.minReady)
	}
	return text
}

func share(n, of int32) string {
	if of == 1 {
		return fmt.Sprintf("%d of 1 pod", n)
	}
	return fmt.Sprintf("%d of %d pods", n, of)
}

// sentence joins the parts that say something, on one line of bounded length.
func sentence(parts ...string) string {
	var said []string
	for _, part := range parts {
		if part = strings.Join(strings.Fields(part), " "); part != "" {
			said = append(said, part)
		}
	}
	text := []rune(strings.Join(said, "; "))
	if len(text) > messageLength {
		text = append(text[:messageLength-1], '…')
	}
	return string(text)
}
