package rehearsal

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// knativeRouter is Knative: its controller makes the Revisions (see syncKnative), and the traffic goes where it reports.
var knativeRouter = router{
	kinds: []Kind{
		{
			GroupVersionKind: schema.GroupVersionKind{Group: knativeGroup, Version: "v1", Kind: "Service"},
			Resource:         "services", ShortNames: []string{"ksvc"}, Namespaced: true, Status: true, Generation: true, Defaults: defaultKnative,
		},
		{
			GroupVersionKind: schema.GroupVersionKind{Group: knativeGroup, Version: "v1", Kind: "Revision"},
			Resource:         "revisions", ShortNames: []string{"rev"}, Namespaced: true, Status: true, Generation: true,
		},
	},
	obey: func(r *Routing, seen routed) {
		for ref, object := range seen.objects {
			if ref.Group == knativeGroup {
				r.Split.Canary = latestShare(object)
			}
		}
	},
}

// defaultKnative is what the webhook of Knative fills in.
func defaultKnative(service *unstructured.Unstructured) {
	spec := subObject(service.Object, "spec")
	fillField(spec, "traffic", []any{map[string]any{"latestRevision": true, "percent": int64(100)}})
	containers := subObjects(subObject(subObject(spec, "template"), "spec"), "containers")
	if len(containers) == 1 {
		fillField(containers[0], "name", "user-container")
	}
}

// latestShare is the percentage of the newest Revision, which is the canary.
func latestShare(service *unstructured.Unstructured) int {
	percent := 0.0
	for _, entry := range subObjects(subObject(service.Object, "status"), "traffic") {
		if entry["latestRevision"] == true {
			percent += numberOr(entry["percent"], 0)
		}
	}
	return int(percent)
}

// revisionsOf are the Revisions that the two versions of a Service are, by version. After a promotion they are the same.
func revisionsOf(service *unstructured.Unstructured) (revisions [2]string) {
	if service == nil {
		return revisions
	}
	for _, entry := range subObjects(subObject(service.Object, "status"), "traffic") {
		name, _ := entry["revisionName"].(string)
		switch {
		case entry["latestRevision"] == true:
			revisions[Canary] = name
		case entry["tag"] == nil:
			revisions[Primary] = name
		}
	}
	return revisions
}
