package forge

import (
	"net/http"
	"strings"
	"testing"
)

// pull is a pull request of our repository.
func pull(number int, state, head string) fakePull {
	p := fakePull{Number: number, State: state, Head: map[string]any{"sha": head}, Base: map[string]any{"repo": map[string]any{"full_name": "o/r"}}}
	if state == "merged" {
		p.State, p.MergedAt = "closed", "2026-01-01T00:00:00Z"
	}
	return p
}

func TestThePullRequestOfACommit(t *testing.T) {
	t.Parallel()
	merged := pull(4, "merged", otherSHA)
	merged.MergeCommitSHA = headSHA
	foreign := pull(99, "open", headSHA)
	foreign.Base = map[string]any{"repo": map[string]any{"full_name": "fork/r"}}
	for name, tt := range map[string]struct {
		pulls []fakePull
		want  int
	}{
		"none":                                   {nil, 0},
		"the one whose head it is":               {[]fakePull{pull(9, "open", otherSHA), pull(3, "open", headSHA)}, 3},
		"the one that was merged as it":          {[]fakePull{pull(9, "open", otherSHA), merged}, 4},
		"an open one before one that was merged": {[]fakePull{pull(5, "merged", headSHA), pull(3, "open", headSHA)}, 3},
		"the newest of equals":                   {[]fakePull{pull(3, "open", headSHA), pull(8, "open", headSHA), pull(5, "open", headSHA)}, 8},
		"not one that was closed":                {[]fakePull{pull(3, "closed", headSHA)}, 0},
		"not one of a fork into itself":          {[]fakePull{foreign}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeGitHub(t)
			cfg := f.config()
			cfg.CI.Request = 0
			f.pulls[headSHA] = tt.pulls
			got, err := f.start(cfg).requestNumber(t.Context())
			if err != nil || got != tt.want {
				t.Errorf("number %d, error %v; want %d", got, err, tt.want)
			}
		})
	}
}

func TestWithoutAPullRequestNoCommentIsWrittenAndNobodyIsWarned(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"no request": 0, "an unknown commit": http.StatusUnprocessableEntity} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeGitHub(t)
			cfg := f.config()
			cfg.CI.Request = 0
			f.trouble = func(w http.ResponseWriter, r *http.Request) bool {
				bad := status != 0 && strings.HasSuffix(r.URL.Path, "/pulls")
				if bad {
					refuse(w, status, "No commit found for SHA")
				}
				return bad
			}
			surfaces := f.start(cfg).Surfaces(web())
			mustShow(t, surfaces, body("a"))
			mustShow(t, surfaces, body("b"))
			if len(f.comments) != 0 || f.count("GET /repos/o/r/commits/"+headSHA+"/pulls") != 1 {
				t.Errorf("comments %v, requests %q", f.comments, f.requests)
			}
		})
	}
}

func TestTheGraphQLAPIIsBesideTheRESTAPI(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	for api, want := range map[string]string{
		"https://api.github.com":        "/graphql",
		"https://ghe.test/api/v3":       "/api/graphql",
		"https://ghe.test/proxy/api/v3": "/proxy/api/graphql",
	} {
		cfg := f.config()
		cfg.CI.API = api
		if got := f.start(cfg).graphQL(); got != want {
			t.Errorf("%s: %s, want %s", api, got, want)
		}
	}
}
