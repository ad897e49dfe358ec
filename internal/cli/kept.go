package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// keptLimit bounds what is kept of a plan, in bytes: it is written with every decision.
const keptLimit = 64 << 10

// kept is what a run leaves in its record, so that whoever finds it dead brings its rollout to a safe end by the run's own
// policy and without its files. It says how the traffic is moved and nothing else: metrics, webhooks and alerts, which may
// name secrets, are left out, since nothing is judged on the way to a safe end.
type kept struct {
	Canary   json.RawMessage `json:"canary"`
	OnCancel string          `json:"onCancel"` // as --on-cancel
	Settle   string          `json:"settle"`   // as --settle
	Job      *keptJob        `json:"job,omitempty"`
	Resume   string          `json:"resume,omitempty"` // as --resume
}

// keptJob is the job of a run, whose pages are completed by whoever ends its rollout.
type keptJob struct {
	CI          forge.CI `json:"ci"`
	Environment string   `json:"environment,omitempty"` // as --environment
}

// errNothingKept means that the run has left no plan: it was of an older version, or its Canary is too large.
var errNothingKept = errors.New("its run has not kept what it takes to end it without its files; use penstock finalize --expired -f FILE")

// kept is nil when the plan would be too large.
func (d *drive) kept() json.RawMessage {
	c := &canary.Canary{}
	c.APIVersion, c.Kind, c.Name, c.Namespace, c.Spec = canary.APIVersion, "Canary", d.canary.Name, d.canary.Namespace, d.canary.Spec
	if d.canary.Spec.Analysis != nil {
		analysis := *d.canary.Spec.Analysis
		analysis.Metrics, analysis.Webhooks, analysis.Alerts = nil, nil, nil
		c.Spec.Analysis = &analysis
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(c)
	if err != nil {
		return nil // a parsed document can be written again
	}
	if c.Spec.Service.Port == 0 { // a Knative Service needs none
		unstructured.RemoveNestedField(object, "spec", "service")
	}
	body, err := json.Marshal(object)
	if err != nil {
		return nil
	}
	k := kept{Canary: body, OnCancel: "rollback", Settle: d.spec.Settle.String()}
	if d.spec.HoldOnCancel {
		k.OnCancel = "hold"
	}
	if d.job.CI.Platform != "" {
		k.Job = &d.job
	}
	if d.standing.resume != (forge.Means{}) {
		k.Resume = d.standing.resume.String()
	}
	text, err := json.Marshal(k)
	if err != nil || len(text) > keptLimit {
		if d.warn != nil {
			d.warn(fmt.Errorf("the Canary has more than %d bytes, so that without this run's files nobody can end its rollout", keptLimit))
		}
		return nil
	}
	return text
}

// unkept is a plan that was read again.
type unkept struct {
	canary *canary.Canary
	policy policy
	job    keptJob
	resume forge.Means // by which a server starts the run that takes it up; none where a person does
}

// readKept reads the plan of a record. It counts only for the canary whose record it is in: somebody who may write one
// ConfigMap must not move the traffic of another canary.
func readKept(namespace, name string, r *rollout.Record) (unkept, error) {
	var u unkept
	if len(r.Plan) == 0 {
		return u, errNothingKept
	}
	var k kept
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(r.Plan, &k); err != nil {
		return u, fmt.Errorf("what its run has kept is damaged: %w", err)
	}
	if err := object.UnmarshalJSON(k.Canary); err != nil {
		return u, fmt.Errorf("what its run has kept is damaged: %w", err)
	}
	var err error
	if u.canary, err = canary.FromObject(object); err != nil {
		return u, fmt.Errorf("what its run has kept is damaged: %w", err)
	}
	if u.canary.Namespace != namespace || u.canary.Name != name {
		return u, fmt.Errorf("what its run has kept is about another canary, %s/%s", u.canary.Namespace, u.canary.Name)
	}
	hold, err := holds("onCancel", k.OnCancel)
	if err != nil {
		return u, fmt.Errorf("what its run has kept is damaged: %w", err)
	}
	settle, err := time.ParseDuration(k.Settle)
	if err != nil {
		return u, fmt.Errorf("what its run has kept is damaged: settle: %w", err)
	}
	u.policy = policy{holdOnCancel: hold, settle: &settle}
	if u.resume, err = forge.ParseMeans(k.Resume); err != nil {
		return u, fmt.Errorf("what its run has kept is damaged: resume: %w", err)
	}
	if k.Job != nil {
		u.job = *k.Job
	}
	return u, nil
}
