package forge

import (
	"net/http"
	"strings"
	"testing"
)

// A server completes what a job has shown: what is not its own to change gets one of its own beside it.
func TestAnOfficeCompletesWhatAJobHasShown(t *testing.T) {
	t.Parallel()
	for name, foreign := range map[string]bool{"its own to change": false, "another one's": true} {
		f := newFakeGitHub(t)
		f.mux.HandleFunc("GET /repos/o/r", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, map[string]any{"id": 7}) })
		cfg, r := f.config(), Rollout{ID: "99/shop/podinfo", Namespace: "shop", Canary: "podinfo"}
		cfg.CI.RepositoryID = 7
		for _, s := range f.start(cfg).Surfaces(r) {
			if err := s.Show(t.Context(), Page{Title: "running", Body: "running"}); err != nil {
				t.Fatal(err)
			}
		}
		f.login = "penstock[bot]" // the server's App
		f.trouble = func(w http.ResponseWriter, q *http.Request) bool {
			if foreign && q.Method == http.MethodPatch {
				refuse(w, http.StatusForbidden, "Resource not accessible by integration")
			}
			return foreign && q.Method == http.MethodPatch
		}
		o, err := NewOffice(OfficeConfig{GitHubAPI: cfg.CI.API, GitHubToken: cfg.Token, Client: cfg.Client})
		if err != nil {
			t.Fatal(err)
		}
		surfaces, err := o.Surfaces(t.Context(), cfg.CI, "", r)
		if err != nil || len(surfaces) != 2 {
			t.Fatalf("%s: %d surfaces, %v", name, len(surfaces), err)
		}
		for _, s := range surfaces {
			if err := s.Show(t.Context(), Page{Title: "rolled back", Body: "rolled back", State: Failure, Final: true}); err != nil {
				t.Errorf("%s: %s: %v", name, s.Name(), err)
			}
		}
		want := map[bool]int{false: 1, true: 2}[foreign]
		if n := len(f.checks); n != want || f.checks[n-1].Conclusion != "failure" {
			t.Errorf("%s: %d check runs, want %d: %+v", name, n, want, f.checks[n-1])
		}
		if all := f.comments["7"]; len(all) != want || !strings.HasSuffix(all[len(all)-1].Body, "rolled back") {
			t.Errorf("%s: %d comments, want %d", name, len(all), want)
		}
		other := cfg.CI
		other.RepositoryID = 8
		if _, err := o.Surfaces(t.Context(), other, "", r); err == nil || !strings.Contains(err.Error(), "is number 7 now, and not 8") {
			t.Errorf("a repository of the same name: %v", err)
		}
	}
}
