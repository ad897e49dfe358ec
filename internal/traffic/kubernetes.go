package traffic

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

// kubernetes routes by the selector of the apex Service: either the primary's pods answer, or the canary's. It is the
// router of blue/green rollouts and needs nothing but Kubernetes.
var kubernetes = Router{
	Refs:   kubernetesRefs,
	Render: renderKubernetes,
	Read:   readKubernetes,
	Made:   nothingMade,
	Exact:  nothingExact,
	Lacks:  kubernetesLacks,
	Limits: func(*canary.Canary) []string { return nil },
}

func apexRef(c *canary.Canary) canary.Ref { return c.RefOf(serviceGVR, serviceKind, c.ServiceName()) }

// kubernetesRefs has the workloads too, since the label to select by is theirs to say.
func kubernetesRefs(c *canary.Canary) []canary.Ref {
	refs, err := workload.RefsFor(c)
	if err != nil {
		return []canary.Ref{apexRef(c)} // what is wrong with the target is said by whoever compiles the canary
	}
	return []canary.Ref{apexRef(c), refs.Target, refs.Primary}
}

// kubernetesLacks refuses a Service as the target: both sides would be told apart by nothing but the selector that this
// router rewrites.
func kubernetesLacks(c *canary.Canary) []string {
	if c.Spec.TargetRef.Kind != serviceKind {
		return nil
	}
	return []string{fmt.Sprintf("spec.targetRef.kind: the kubernetes router moves traffic from pods to pods by the selector of a Service, "+
		"so a Service cannot be its target; name the Deployment or DaemonSet behind %q, or use a router with weights", c.Spec.TargetRef.Name)}
}

// nothingMade is Made of a router that writes only what stays after the canary.
func nothingMade(*canary.Canary) []canary.Ref { return nil }

// nothingExact is Exact of a router whose objects merge field by field.
func nothingExact(canary.Ref) [][]string { return nil }

func renderKubernetes(c *canary.Canary, live canary.Objects, want rollout.Route) ([]*unstructured.Unstructured, error) {
	ref := apexRef(c)
	switch {
	case want.Match:
		return nil, fmt.Errorf("route %s: the kubernetes router cannot send only matching requests to the canary", ref)
	case want.Mirror != 0:
		return nil, fmt.Errorf("route %s: the kubernetes router cannot copy requests to the canary", ref)
	case want.Canary != 0 && want.Canary != 100:
		return nil, fmt.Errorf("route %s: the kubernetes router cannot send %d %% to the canary; possible are 0 and 100", ref, want.Canary)
	}
	key, value, err := podLabel(c, live)
	if err != nil {
		return nil, fmt.Errorf("route %s: %w", ref, err)
	}
	if want.Canary == 0 && !want.Handover {
		value += primarySuffix
	}
	service := ref.New()
	service.Object["spec"] = map[string]any{"selector": map[string]any{key: value}}
	return []*unstructured.Unstructured{service}, nil
}

func readKubernetes(c *canary.Canary, live canary.Objects) rollout.RouteReport {
	ref := apexRef(c)
	service := live[ref]
	if service == nil {
		return rollout.RouteReport{Message: ref.String() + " does not exist yet"}
	}
	key, value, err := podLabel(c, live)
	if err != nil {
		return rollout.RouteReport{Message: err.Error()}
	}
	selector, _, _ := unstructured.NestedStringMap(service.Object, "spec", "selector")
	report := rollout.RouteReport{Known: true, Settled: true, Route: rollout.Route{Managed: true}}
	switch {
	case len(selector) == 1 && selector[key] == value+primarySuffix:
	case len(selector) == 1 && selector[key] == value:
		report.Canary, report.Handover = 100, true // this is also how the Service was before there was a canary
	default:
		report.Managed, report.Settled = false, false
		report.Message = fmt.Sprintf("%s selects %s; the primary's pods are %s=%s%s and the canary's are %s=%s",
			ref, describeLabels(selector), key, value, primarySuffix, key, value)
	}
	return report
}

// podLabel returns the label that tells the canary's pods from the primary's, and its value for the canary.
func podLabel(c *canary.Canary, live canary.Objects) (key, value string, err error) {
	refs, err := workload.RefsFor(c)
	if err != nil {
		return "", "", err
	}
	target, err := workload.FromObject(live[refs.Target])
	if err != nil {
		return "", "", err
	}
	primary, err := workload.FromObject(live[refs.Primary])
	if err != nil {
		return "", "", err
	}
	if target == nil && primary == nil {
		return "", "", fmt.Errorf("%s does not exist, so the label of its pods is not known", refs.Target)
	}
	return workload.SharedLabel(target, primary)
}
