package forge

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/httpx"
)

func TestAMissingPermissionDisablesOneSurfaceAndNamesThePermission(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		grant map[string]string
		fork  bool
		want  map[string]string
	}{
		"no checks": {map[string]string{"pull-requests": "write", "deployments": "write"}, false, map[string]string{
			"check run": "no check run is shown: it needs the permission `checks: write` (look for the check run: GitHub answered 403 \"Resource not accessible by integration\")"}},
		"only reading, from a fork": {map[string]string{"checks": "read", "pull-requests": "read", "deployments": "read"}, true, map[string]string{
			"check run":         "no check run is shown: it needs the permission `checks: write`, which the token has not when the pull request comes from a fork (create the check run: GitHub answered 403 \"Resource not accessible by integration\")",
			"comment":           "no comment is shown: it needs the permission `pull-requests: write`, which the token has not when the pull request comes from a fork (write the comment: GitHub answered 403 \"Resource not accessible by integration\")",
			"deployment status": "no deployment status is shown: it needs the permission `deployments: write`, which the token has not when the pull request comes from a fork (create the deployment: GitHub answered 403 \"Resource not accessible by integration\")"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeGitHub(t)
			f.grant = tt.grant
			cfg := f.config()
			cfg.CI.Fork, cfg.CI.Environment, cfg.CreateDeployment = tt.fork, "prod", true
			errs := show(t, f.start(cfg).Surfaces(web()), body("a"))
			if len(errs) != len(tt.want) {
				t.Errorf("errors: %v", errs)
			}
			for surface, want := range tt.want {
				var disabled *DisabledError
				if err := errs[surface]; !errors.As(err, &disabled) || err.Error() != want {
					t.Errorf("%s:\n got %v\nwant %s", surface, err, want)
				}
			}
		})
	}
}

func TestAnswersThatDisable(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		http.StatusUnauthorized: "it needs a token that is valid",
		http.StatusNotFound:     "it needs a token that can see o/r, with the permission `checks: write`",
	} {
		f := newFakeGitHub(t)
		f.trouble = func(w http.ResponseWriter, _ *http.Request) bool { refuse(w, status, "no"); return true }
		err := f.start(f.config()).Surfaces(web())[0].Show(t.Context(), body("a"))
		var disabled *DisabledError
		if !errors.As(err, &disabled) || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestAnswersThatDoNotDisable(t *testing.T) {
	t.Parallel()
	for status, transient := range map[int]bool{http.StatusBadGateway: true, http.StatusServiceUnavailable: true, http.StatusUnprocessableEntity: false} {
		f := newFakeGitHub(t)
		f.trouble = func(w http.ResponseWriter, _ *http.Request) bool {
			refuse(w, status, "::error::look https://u:p@x/?t=1")
			return true
		}
		err := f.start(f.config()).Surfaces(web())[0].Show(t.Context(), body("a"))
		var disabled *DisabledError
		if err == nil || errors.As(err, &disabled) || httpx.IsTransient(err) != transient || errors.Is(err, httpx.ErrPermanent) == transient {
			t.Errorf("%d: %v, transient %v", status, err, httpx.IsTransient(err))
		}
		if text := fmt.Sprint(err); strings.Contains(text, "u:p") || strings.Contains(text, "t=1") || strings.HasPrefix(text, "::") {
			t.Errorf("the error shows too much: %s", text)
		}
	}
}

func TestAnAnswerThatIsNoJSONIsAnErrorAndMakesNoSecondObject(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	garbled := false
	f.trouble = func(w http.ResponseWriter, r *http.Request) bool {
		if garbled || r.Method != http.MethodPost {
			return false
		}
		garbled = true
		f.mux.ServeHTTP(httptest.NewRecorder(), r)
		_, _ = w.Write([]byte("<html>a proxy</html>"))
		return true
	}
	check := f.start(f.config()).Surfaces(web())[0]
	if err := check.Show(t.Context(), body("a")); err == nil {
		t.Error("no error")
	}
	if err := check.Show(t.Context(), body("b")); err != nil {
		t.Error(err)
	}
	if len(f.checks) != 1 || f.checks[0].Output.Summary != "b" {
		t.Errorf("%d check runs", len(f.checks))
	}
}

func TestARefusedRequestSaysWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	f.trouble = func(w http.ResponseWriter, _ *http.Request) bool {
		answer(w, http.StatusUnprocessableEntity, map[string]any{"message": "Validation Failed", "errors": []map[string]string{
			{"resource": "CheckRun", "field": "head_sha", "code": "invalid"}, {"message": "No commit found"}}})
		return true
	}
	err := f.start(f.config()).Surfaces(web())[0].Show(t.Context(), body("a"))
	want := `look for the check run: GitHub answered 422 "Validation Failed; head_sha invalid; No commit found"`
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
