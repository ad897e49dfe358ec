package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// dryRun prints what a run would do: the steps, what it would decide first, and how the objects would change by the end
// of the first step. It needs read access only and takes no lease.
func (a *App) dryRun(ctx context.Context, d *drive) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	view, err := kube.FindView(ctx, d.client, d.canary)
	if err != nil {
		return classify(err)
	}
	world, err := d.open(ctx, &fence{}, view)
	if err != nil {
		return err
	}
	defer world.Stop()
	defer cancel()
	record, err := kube.NewJournal(d.client, d.canary).Load(ctx)
	if err != nil {
		return classify(err)
	}
	now := d.clock.Now()
	status := rollout.Begin(record.Status, now)
	observed, err := world.Observe(now)
	if err != nil {
		return unfinished(err)
	}
	decision := rollout.Decide(&d.spec, &status, &observed)
	fmt.Fprint(a.Stdout, report.Plan(d.snapshot(), d.spec, decision))
	for container, image := range d.images {
		fmt.Fprintf(a.Stdout, "image of container %s: %s\n", container, image)
	}
	changes, err := changesOf(world, &d.spec, &decision)
	if err != nil {
		return unfinished(err)
	}
	if len(changes) == 0 {
		fmt.Fprintln(a.Stdout, "\nNo object would change now.")
	}
	for _, change := range changes {
		text, err := diff(change)
		if err != nil {
			return unfinished(err)
		}
		fmt.Fprintf(a.Stdout, "\n%s", text)
	}
	return nil
}

// changesOf previews the first decision and, where an analysis follows, its first step.
func changesOf(world *kube.World, spec *rollout.Spec, first *rollout.Decision) ([]kube.Change, error) {
	changes, err := world.Preview(first.Want)
	if err != nil {
		return nil, err
	}
	if first.Next.Phase != rollout.Progressing || first.Next.Step > 0 || len(spec.Steps) == 0 {
		return changes, nil
	}
	step := first.Next
	step.Step, step.Weight = 1, spec.Steps[0].Weight
	next, err := world.Preview(rollout.Want(spec, &step))
	if err != nil {
		return nil, err
	}
	for _, change := range next { // the first step's version of an object is the one to show
		known := false
		for i := range changes {
			if changes[i].Ref == change.Ref {
				changes[i], known = change, true
			}
		}
		if !known {
			changes = append(changes, change)
		}
	}
	return changes, nil
}

// diff shows one change as a unified diff of YAML, without what the API server keeps for itself.
func diff(c kube.Change) (string, error) {
	before, errBefore := readable(c.Before)
	after, errAfter := readable(c.After)
	if err := errors.Join(errBefore, errAfter); err != nil {
		return "", fmt.Errorf("show %s: %w", c.Ref, err)
	}
	from := c.Ref.String() + " now"
	if c.Before == nil {
		from = "/dev/null"
	}
	return difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: lines(before), B: lines(after), FromFile: from, ToFile: c.Ref.String() + " then", Context: 3,
	})
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return difflib.SplitLines(strings.TrimSuffix(text, "\n"))
}

func readable(o *unstructured.Unstructured) (string, error) {
	if o == nil {
		return "", nil
	}
	o = o.DeepCopy()
	for _, field := range []string{"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(o.Object, "status")
	text, err := yaml.Marshal(o.Object)
	return string(text), err
}
