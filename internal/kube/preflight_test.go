package kube

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorization "k8s.io/api/authorization/v1"
	"k8s.io/client-go/rest"

	"github.com/penstock-dev/penstock/internal/rehearsal"
)

func TestEveryMissingPermissionIsNamed(t *testing.T) {
	inCluster(t, func(f *fixture) {
		w := f.closedWorld()
		if err := w.Preflight(f.ctx); err != nil {
			t.Fatalf("when all is allowed: %v", err)
		}
		f.api.Deny(func(r rehearsal.APIRequest) bool {
			return r.Verb == "patch" && r.Resource.Resource == "httproutes" || r.Subresource == "scale" || r.Verb == "create" && r.Resource.Resource == "leases"
		})
		err := w.Preflight(f.ctx)
		if !errors.Is(err, ErrRefused) {
			t.Fatalf("%v", err)
		}
		want := `the cluster refuses:
no permission to patch deployments/scale.apps "podinfo" in namespace "shop" (no RBAC policy matched)
no permission to patch httproutes.gateway.networking.k8s.io "podinfo" in namespace "shop" (no RBAC policy matched)
no permission to create leases.coordination.k8s.io in namespace "shop" (no RBAC policy matched)
` + "`penstock render rbac` prints the role that grants what a run needs"
		lines, wanted := strings.Split(err.Error(), "\n"), strings.Split(want, "\n")
		slices.Sort(lines)
		slices.Sort(wanted)
		if diff := cmp.Diff(wanted, lines); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestWithJustThePermissionsThatAreListedAWholeRolloutWorks(t *testing.T) {
	withFlagger(t, func(f *fixture) {
		w := f.closedWorld()
		permitted := w.Permissions()
		f.api.Deny(func(r rehearsal.APIRequest) bool {
			return r.Resource.Group != authorization.GroupName && !permits(permitted, r)
		})
		if err := w.Preflight(f.ctx); err != nil {
			t.Fatal(err)
		}
		if v := f.view(); v != nil {
			t.Errorf("view %v", v)
		}
		lease := f.acquire("one", time.Minute)
		defer lease.Release()
		w = f.world()
		f.initialise(w)
		if _, err := w.SetImage(f.ctx, map[string]string{"podinfod": "podinfo:2"}); err != nil {
			t.Error(err)
		}
		j := NewJournal(f.client, f.canary)
		f.save(j, record(1, 10))
		f.save(j, record(1, 20))
	})
}

// permits reports whether a request is permitted. The name of a list or a watch is that of its field selector, and a
// create of a name is one by an apply: both as Kubernetes takes them.
func permits(permitted []Permission, r rehearsal.APIRequest) bool {
	name := r.Name
	if r.HTTP != nil && name == "" {
		name = strings.TrimPrefix(r.HTTP.URL.Query().Get("fieldSelector"), "metadata.name=")
	}
	if r.HTTP != nil && r.HTTP.Method == http.MethodPost {
		name = ""
	}
	p := Permission{
		Verb: r.Verb, Group: r.Resource.Group, Resource: r.Resource.Resource, Subresource: r.Subresource, Namespace: r.Namespace,
	}
	if slices.Contains(permitted, p) {
		return true
	}
	p.Name = name
	return slices.Contains(permitted, p)
}

// reviewer answers reviews of all rules, which the embedded API does not.
type reviewer struct {
	next  http.RoundTripper
	rules []authorization.ResourceRule
	asked int
}

func (r *reviewer) RoundTrip(request *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(request.URL.Path, "/selfsubjectrulesreviews") {
		return r.next.RoundTrip(request)
	}
	r.asked++
	review := authorization.SelfSubjectRulesReview{Status: authorization.SubjectRulesReviewStatus{ResourceRules: r.rules}}
	review.APIVersion, review.Kind = "authorization.k8s.io/v1", "SelfSubjectRulesReview"
	body, err := json.Marshal(review)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusCreated, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)), Request: request,
	}, nil
}

func TestOneReviewOfTheRulesAnswersForAllPermissionsThatItGrants(t *testing.T) {
	tests := map[string]struct {
		rules []authorization.ResourceRule
		asked int // one by one
	}{
		"everything": {[]authorization.ResourceRule{{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}}, 0},
		"by another name counts for nothing": {[]authorization.ResourceRule{
			{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}, ResourceNames: []string{"other"}},
		}, -1},
		"all but the scale of a Deployment": {[]authorization.ResourceRule{
			{Verbs: []string{"*"}, APIGroups: []string{""}, Resources: []string{"*"}},
			{Verbs: []string{"*"}, APIGroups: []string{"gateway.networking.k8s.io", "coordination.k8s.io"}, Resources: []string{"*"}},
			{Verbs: []string{"list", "watch", "create", "patch"}, APIGroups: []string{"apps"}, Resources: []string{"deployments"}},
		}, 1},
		"the scale by a wildcard": {[]authorization.ResourceRule{
			{Verbs: []string{"*"}, APIGroups: []string{"", "gateway.networking.k8s.io", "coordination.k8s.io"}, Resources: []string{"*"}},
			{Verbs: []string{"list", "watch", "create", "patch"}, APIGroups: []string{"apps"}, Resources: []string{"deployments", "*/scale"}},
		}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(f *fixture) {
				r := &reviewer{rules: test.rules}
				config := rest.CopyConfig(f.config)
				config.WrapTransport = func(next http.RoundTripper) http.RoundTripper { r.next = next; return r }
				f.client = f.connect(config)
				w := f.closedWorld()
				if err := w.Preflight(f.ctx); err != nil {
					t.Fatal(err)
				}
				want := test.asked
				if want < 0 {
					want = len(w.Permissions())
				}
				if asked := f.api.Requests()["create selfsubjectaccessreviews"]; asked != want || r.asked != 1 {
					t.Errorf("%d single reviews, want %d; %d reviews of all rules, want 1", asked, want, r.asked)
				}
			})
		})
	}
}

func TestAClusterThatDoesNotAnswerReviewsIsNotAMissingPermission(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.api.Intercept(func(rehearsal.APIRequest) rehearsal.APIFault { return rehearsal.FaultInternal("etcd is away") })
		start := time.Now()
		err := f.closedWorld().Preflight(f.ctx)
		if err == nil || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "ask the cluster at http://127.0.0.1:6443 for permissions") {
			t.Errorf("%v", err)
		}
		if took := time.Since(start); took > requestTimeout {
			t.Errorf("it took %s", took)
		}
	})
}
