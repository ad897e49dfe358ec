package rehearsal

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
)

// serveDiscovery answers what the server can do.
func (a *API) serveDiscovery(w http.ResponseWriter, r *http.Request) {
	path := strings.Trim(r.URL.Path, "/")
	segments := strings.Split(path, "/")
	switch {
	case r.Method != http.MethodGet:
		writeError(w, notServed())
	case path == "healthz" || path == "livez" || path == "readyz":
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte("ok"))
	case path == "version":
		writeJSON(w, http.StatusOK, version.Info{Major: "1", Minor: "37", GitVersion: "v1.37.2+rehearsal", Platform: "linux/amd64"})
	case path == "api":
		writeJSON(w, http.StatusOK, metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}})
	case path == "apis":
		writeJSON(w, http.StatusOK, metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: a.groups()})
	case len(segments) == 2 && segments[0] == "api":
		a.serveResources(w, schema.GroupVersion{Version: segments[1]})
	case len(segments) == 2 && segments[0] == "apis":
		a.serveGroup(w, segments[1])
	case len(segments) == 3 && segments[0] == "apis":
		a.serveResources(w, schema.GroupVersion{Group: segments[1], Version: segments[2]})
	default:
		writeError(w, notServed())
	}
}

func (a *API) serveGroup(w http.ResponseWriter, name string) {
	for _, group := range a.groups() {
		if group.Name == name {
			group.TypeMeta = metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}
			writeJSON(w, http.StatusOK, group)
			return
		}
	}
	writeError(w, notServed())
}

// groups are the named API groups, in order.
func (a *API) groups() []metav1.APIGroup {
	a.mu.Lock()
	defer a.mu.Unlock()
	versions := map[string]map[string]bool{"authorization.k8s.io": {"v1": true}}
	for gvr := range a.kinds {
		if gvr.Group == "" {
			continue
		}
		if versions[gvr.Group] == nil {
			versions[gvr.Group] = map[string]bool{}
		}
		versions[gvr.Group][gvr.Version] = true
	}
	var groups []metav1.APIGroup
	for name, served := range versions {
		group := metav1.APIGroup{Name: name}
		for v := range served {
			group.Versions = append(group.Versions, metav1.GroupVersionForDiscovery{GroupVersion: name + "/" + v, Version: v})
		}
		slices.SortFunc(group.Versions, func(x, y metav1.GroupVersionForDiscovery) int { return -cmp.Compare(x.Version, y.Version) })
		group.PreferredVersion = group.Versions[0]
		groups = append(groups, group)
	}
	slices.SortFunc(groups, func(x, y metav1.APIGroup) int { return cmp.Compare(x.Name, y.Name) })
	return groups
}

func (a *API) serveResources(w http.ResponseWriter, gv schema.GroupVersion) {
	list := metav1.APIResourceList{
		TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
		GroupVersion: gv.String(),
		APIResources: a.resources(gv),
	}
	if len(list.APIResources) == 0 {
		writeError(w, notServed())
		return
	}
	writeJSON(w, http.StatusOK, list)
}

func (a *API) resources(gv schema.GroupVersion) []metav1.APIResource {
	a.mu.Lock()
	defer a.mu.Unlock()
	var found []metav1.APIResource
	if gv.String() == "authorization.k8s.io/v1" {
		found = append(found, metav1.APIResource{Name: accessReviews, SingularName: "selfsubjectaccessreview",
			Kind: "SelfSubjectAccessReview", Verbs: metav1.Verbs{"create"}})
	}
	for gvr, k := range a.kinds {
		if gvr.GroupVersion() != gv {
			continue
		}
		found = append(found, metav1.APIResource{Name: k.Resource, SingularName: k.Singular(), Namespaced: k.Namespaced, Kind: k.Kind.Kind,
			ShortNames: k.ShortNames, Verbs: metav1.Verbs{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}})
		changes := metav1.Verbs{"get", "patch", "update"}
		if k.Status {
			found = append(found, metav1.APIResource{Name: k.Resource + "/status", Namespaced: k.Namespaced, Kind: k.Kind.Kind, Verbs: changes})
		}
		if k.Scale {
			found = append(found, metav1.APIResource{Name: k.Resource + "/scale", Namespaced: k.Namespaced, Kind: "Scale",
				Group: "autoscaling", Version: "v1", Verbs: changes})
		}
	}
	slices.SortFunc(found, func(x, y metav1.APIResource) int { return cmp.Compare(x.Name, y.Name) })
	return found
}
