package workload

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
)

// pausedReplicas is KEDA's annotation that stops a ScaledObject and holds its target at a number of replicas.
const pausedReplicas = "autoscaling.keda.sh/paused-replicas"

// scaledObjects are KEDA's. A paused one is resumed before the canary is scaled up.
var scaledObjects = scaler{
	gvr:     schema.GroupVersionResource{Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"},
	short:   "ScaledObject",
	low:     "minReplicaCount",
	high:    "maxReplicaCount",
	highest: 100, // KEDA's
	pause:   pausedReplicas,
	private: kedaPrivate,
	adapt:   adaptScaledObject,
	refuse:  refuseScaledObject,
	trouble: scaledObjectTrouble,
}

// kedaPrivate are the label by which KEDA finds its own, and the switches that stop one ScaledObject or let it take over
// an existing HPA.
func kedaPrivate(key string) bool {
	return key == "scaledobject.keda.sh/name" || key == "scaledobject.keda.sh/transfer-hpa-ownership" ||
		strings.HasPrefix(key, "autoscaling.keda.sh/paused")
}

func refuseScaledObject(spec map[string]any) error {
	if idle, ok := spec["idleReplicaCount"]; ok && idle != nil {
		return fmt.Errorf("spec.idleReplicaCount is %v, so a canary without traffic would be scaled down before its analysis; remove it", idle)
	}
	return nil
}

// adaptScaledObject gives the primary's ScaledObject an HPA and queries of its own.
func adaptScaledObject(c *canary.Canary, spec map[string]any) error {
	if name, ok, _ := unstructured.NestedString(spec, "advanced", "horizontalPodAutoscalerConfig", "name"); ok && name != "" {
		if err := unstructured.SetNestedField(spec, name+primarySuffix, "advanced", "horizontalPodAutoscalerConfig", "name"); err != nil {
			return err
		}
	}
	list, _ := spec["triggers"].([]any)
	triggers := make([]trigger, 0, len(list))
	for _, entry := range list {
		if fields, ok := entry.(map[string]any); ok {
			metadata, _ := fields["metadata"].(map[string]any)
			triggers = append(triggers, trigger{fields, metadata})
		}
	}
	given, err := givenQueries(c.Spec.AutoscalerRef.PrimaryScalerQueries, triggers)
	if err != nil {
		return err
	}
	var problems []error
	for i, t := range triggers {
		field := t.queryField()
		query, _ := t.metadata[field].(string)
		if own, ok := given[i]; ok {
			t.metadata[field] = own
			continue
		}
		rewritten, err := primaryQuery(c, query)
		if err != nil {
			problems = append(problems, fmt.Errorf("spec.triggers[%d].metadata.%s: %w; give the primary's in %s.primaryScalerQueries", i, field, err, scalerPath))
		}
		if rewritten != query {
			t.metadata[field] = rewritten
		}
	}
	return errors.Join(problems...)
}

// trigger is one source of a ScaledObject's metrics.
type trigger struct{ fields, metadata map[string]any }

// queryFields are the fields of a trigger's metadata that hold a query, which each type of trigger has one of at most.
var queryFields = [...]string{"query", "nrql", "metricSelector"}

// queryField is the field that holds the query, or the one that most types use.
func (t trigger) queryField() string {
	for _, field := range queryFields {
		if _, ok := t.metadata[field]; ok {
			return field
		}
	}
	return queryFields[0]
}

// name is what primaryScalerQueries calls a trigger. Flagger's own example has it in the metadata.
func (t trigger) name() string {
	if name, _ := t.fields["name"].(string); name != "" {
		return name
	}
	name, _ := t.metadata["name"].(string)
	return name
}

// givenQueries returns the queries that the canary gives, by the index of their trigger. A single query without a
// trigger of its name is that of the only trigger that has a query and no name.
func givenQueries(queries map[string]string, triggers []trigger) (map[int]string, error) {
	given, unknown := map[int]string{}, maps.Clone(queries)
	var names []string
	nameless := []int{}
	for i, t := range triggers {
		name := t.name()
		query, ok := queries[name]
		switch {
		case name == "" && t.metadata[t.queryField()] != nil:
			nameless = append(nameless, i)
		case name != "":
			names = append(names, fmt.Sprintf("%q", name))
		}
		if ok && name != "" && t.metadata != nil {
			given[i] = query
			delete(unknown, name)
		}
	}
	if len(queries) == 1 && len(given) == 0 && len(nameless) == 1 {
		for _, query := range queries {
			given[nameless[0]] = query
		}
		return given, nil
	}
	if len(unknown) == 0 {
		return given, nil
	}
	known := strings.Join(names, ", ")
	if known == "" {
		known = "none with a name"
	}
	return nil, fmt.Errorf("%s.primaryScalerQueries: no trigger is called %s; its triggers are %s", scalerPath,
		strings.Join(slices.Sorted(maps.Keys(unknown)), ", "), known)
}

func scaledObjectTrouble(live *unstructured.Unstructured) string {
	if c := scalerCondition(live, "Ready"); c["status"] == "False" {
		return colonsOf(c)
	}
	if c := scalerCondition(live, "Fallback"); c["status"] == "True" {
		return colons("fallback", text(c["message"]))
	}
	return ""
}
