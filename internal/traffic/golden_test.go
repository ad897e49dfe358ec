package traffic_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/race"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/traffic"
)

func TestEveryRouterHasAFileAndAFolder(t *testing.T) {
	t.Parallel()
	var folders []string
	for _, name := range traffic.List() {
		folders = append(folders, folder(name))
		stem, _, _ := strings.Cut(name, ":")
		if _, err := os.Stat(stem + ".go"); err != nil {
			t.Errorf("router %s: %v", name, err)
		}
	}
	entries, err := os.ReadDir(testdata)
	if err != nil {
		t.Fatal(err)
	}
	var present []string
	for _, entry := range entries {
		present = append(present, entry.Name())
	}
	slices.Sort(folders)
	if diff := cmp.Diff(folders, present); diff != "" {
		t.Errorf("folders below %s (-routers +folders):\n%s", testdata, diff)
	}
}

func TestRenderedObjectsAreAsInTheGoldenFiles(t *testing.T) {
	t.Parallel()
	for _, name := range traffic.List() {
		for _, s := range scenarios(t, name) {
			t.Run(name+"/"+filepath.Base(s.dir), func(t *testing.T) {
				t.Parallel()
				if problems := s.router.Refuse(s.canary); len(problems) > 0 {
					t.Fatalf("the canary is refused: %q", problems)
				}
				known := []string{"canary.yaml", "live.yaml"}
				for file, route := range s.routes() {
					golden(t, filepath.Join(s.dir, file+".golden.yaml"), s.render(t, route))
					known = append(known, file+".golden.yaml")
				}
				entries, err := os.ReadDir(s.dir)
				if err != nil {
					t.Fatal(err)
				}
				for _, entry := range entries {
					if !slices.Contains(known, entry.Name()) {
						t.Errorf("%s/%s belongs to no test", s.dir, entry.Name())
					}
				}
			})
		}
	}
}

// passedOver reports whether a route has one of the weights that are only written over the one before and read back, which
// shows each rounding. Every tenth is looked at from all sides.
func passedOver(route rollout.Route) bool { return route.Canary%10 != 0 }

// TestWhatIsRenderedIsReadBack writes every route that a router can take.
func TestWhatIsRenderedIsReadBack(t *testing.T) {
	t.Parallel()
	for _, name := range traffic.List() {
		for _, s := range scenarios(t, name) {
			t.Run(name+"/"+filepath.Base(s.dir), func(t *testing.T) {
				t.Parallel()
				for _, route := range journey(s) {
					if passedOver(route) || route.Handover && s.live[s.written()] == nil {
						continue // in the latter case there is nothing to hand over
					}
					fresh := s.take(t, s.render(t, route))
					if diff := differs(s.settled(route), s.router.Read(s.canary, fresh.live)); diff != "" {
						t.Fatalf("%+v, written over what was there at first (-want +got):\n%s", route, diff)
					}
				}
				for _, route := range journey(s) {
					if race.Enabled && passedOver(route) {
						continue // there is one goroutine: the detector finds nothing and takes ten times as long
					}
					first := s.render(t, route)
					s = s.take(t, first)
					if diff := differs(s.settled(route), s.router.Read(s.canary, s.live)); diff != "" {
						t.Fatalf("%+v, written over the one before (-want +got):\n%s", route, diff)
					}
					if passedOver(route) {
						continue
					}
					again := s.take(t, s.render(t, route))
					if diff := differs(plain(s), plain(again)); diff != "" {
						t.Fatalf("%+v, written twice (-once +twice):\n%s", route, diff)
					}
				}
			})
		}
	}
}

// differs is cmp.Diff for what is nearly always equal: to find that out is much cheaper than to describe it.
func differs(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got)
}

// journey is every route that a router can be told to take, back at 0 in between and at the end.
func journey(s scenario) []rollout.Route {
	var routes []rollout.Route
	for w := range rollout.Weight(101) {
		if s.router.Can.Weights || w%100 == 0 {
			routes = append(routes, rollout.Route{Managed: true, Canary: w})
		}
		if a := s.canary.Spec.Analysis; w > 0 && a != nil && a.SessionAffinity != nil {
			routes = append(routes, rollout.Route{Managed: true, Canary: w, Session: session, Previous: previous},
				rollout.Route{Managed: true, Canary: w, Session: session})
		}
	}
	for _, route := range s.routes() {
		routes = append(routes, route, rollout.Route{Managed: true})
	}
	return routes
}

// plain returns the live objects without what only the API server writes.
func plain(s scenario) map[string]map[string]any {
	objects := map[string]map[string]any{}
	for ref, o := range s.live {
		o = o.DeepCopy()
		o.SetManagedFields(nil)
		// An emptied annotation goes away with the next write, and means the same.
		annotations := o.GetAnnotations()
		for key, value := range annotations {
			if value == "" {
				delete(annotations, key)
			}
		}
		o.SetAnnotations(annotations)
		objects[ref.String()] = o.Object
	}
	return objects
}

func TestForeignContentSurvivesAWholeRollout(t *testing.T) {
	t.Parallel()
	race.Skip(t)
	for name, keep := range map[string]map[string][]string{
		"apisix": {"foreign": {"metadata.annotations.team", "metadata.labels.team"}},
		"contour": {"foreign": {"metadata.labels.owner", "spec.ingressClassName", "spec.routes.0", "spec.routes.1", "spec.routes.2.enableWebsockets",
			"spec.routes.2.timeoutPolicy.idle", "spec.routes.3.loadBalancerPolicy"}},
		"gatewayapi:v1": {"foreign": {"metadata.annotations.team", "spec.rules.0", "spec.rules.2", "spec.rules.1.name",
			"spec.rules.1.sessionPersistence", "spec.rules.1.timeouts.backendRequest"}},
		"appmesh":         {"foreign": {"metadata.labels.owner", "spec.routes.0.http.match.scheme", "spec.routes.1"}},
		"appmesh:v1beta2": {"foreign": {"metadata.labels.owner", "spec.awsName", "spec.meshRef", "spec.routes.0.httpRoute.match.scheme", "spec.routes.1"}},
		"gloo":            {"foreign": {"metadata.labels.owner", "spec.weight", "spec.routes.0", "spec.routes.1.options", "spec.routes.1.matchers", "spec.routes.1.name"}},
		"istio": {"foreign": {"metadata.annotations.note", "metadata.labels.owner", "spec.exportTo", "spec.http.0", "spec.http.2",
			"spec.http.1.fault", "spec.http.1.name"}},
		"knative":      {"foreign": {"metadata.annotations.team", "spec.template", "spec.traffic.0.tag", "spec.traffic.2"}},
		"kuma":         {"foreign": {"metadata.labels.owner", "spec.sources", "spec.destinations", "spec.conf.loadBalancer"}},
		"nginx":        {"foreign": {"metadata.annotations.team", "metadata.labels.team"}},
		"osm":          {"foreign": {"metadata.annotations.note", "metadata.labels.owner"}},
		"skipper":      {"foreign": {"metadata.annotations.team", "metadata.labels.team"}},
		"smi:v1alpha1": {"foreign": {"metadata.annotations.note", "metadata.labels.owner"}},
		"smi:v1alpha2": {"foreign": {"metadata.annotations.note", "metadata.labels.owner"}},
		"smi:v1alpha3": {"foreign": {"metadata.annotations.note", "metadata.labels.owner"}},
		"traefik":      {"foreign": {"spec.weighted.sticky.cookie.name", "metadata.labels.owner"}},
	} {
		for folder, paths := range keep {
			s := load(t, name, folder)
			before := s.live
			for _, route := range journey(s) {
				s = s.take(t, s.render(t, route))
			}
			for ref, o := range before {
				for _, path := range paths {
					want, got := at(o.Object, path), at(s.live[ref].Object, path)
					if diff := cmp.Diff(want, got); diff != "" || (want == nil && ref == s.written()) {
						t.Errorf("%s: %s: %s (-before +after):\n%s", s.dir, ref, path, diff)
					}
				}
			}
		}
	}
}

// at returns what is at a path of fields and indices, or nil.
func at(value any, path string) any {
	for _, name := range strings.Split(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			i := int(name[0] - '0')
			if i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}
