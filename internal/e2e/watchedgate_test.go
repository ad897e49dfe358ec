package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const approvedCommit = "0123456789012345678901234567890123456789"

// quietGitHub is a GitHub with one pull request of ann's, on which nobody says anything.
func quietGitHub(w http.ResponseWriter, r *http.Request) {
	ann := map[string]any{"id": 3, "login": "ann", "type": "User"}
	pull := map[string]any{
		"number": 12, "state": "open", "user": ann, "commits": 1,
		"head": map[string]any{"sha": approvedCommit, "ref": "topic", "repo": map[string]any{"full_name": "acme/shop"}},
	}
	var answer any = map[string]any{"id": 1, "number": 12, "state": "open", "user": ann, "sha": approvedCommit, "status": "in_progress"}
	is := func(end string) bool { return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, end) }
	switch {
	case strings.HasSuffix(r.URL.Path, "/graphql"):
		answer = map[string]any{"data": map[string]any{"viewer": map[string]any{"id": 1, "login": "github-actions[bot]"}}}
	case is("/check-runs"):
		answer = map[string]any{"total_count": 0, "check_runs": []any{}}
	case is("/pulls/12"):
		answer = pull
	case is("/pulls"):
		answer = []any{pull}
	case is("/commits"), is("/activity"):
		answer = []any{map[string]any{"author": ann, "committer": ann, "actor": ann, "after": approvedCommit}}
	case is("/comments"), is("/statuses"), is("/deployments"), is("/reviews"):
		answer = []any{}
	case is("/permission"):
		answer = map[string]any{"permission": "write", "role_name": "write", "user": ann}
	}
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusCreated)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// A decision that is stored in the cluster is watched: the gate opens at once, although the run reads the pull request once
// a minute only.
func TestADecisionInTheClusterOpensTheGateAtOnce(t *testing.T) {
	t.Parallel()
	forge := httptest.NewServer(http.HandlerFunc(quietGitHub))
	t.Cleanup(forge.Close)
	s := newScenario(t, "gatewayapi:v1", analysis("stepWeight", 50))
	s.initialise()
	if err := os.WriteFile(filepath.Join(s.home, "event.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.write("policy.yaml", map[string]any{
		"operators": true, "groups": []any{map[string]any{"name": "anybody", "users": []any{4}, "count": 1}},
	})
	run := s.runWith([]string{
		"GITHUB_ACTIONS=true", "GITHUB_API_URL=" + forge.URL, "GITHUB_SERVER_URL=" + forge.URL, "GITHUB_REPOSITORY=acme/shop",
		"GITHUB_REPOSITORY_ID=7", "GITHUB_SHA=" + approvedCommit, "GITHUB_REF=refs/heads/main", "GITHUB_EVENT_NAME=push",
		"GITHUB_ACTOR=ann", "GITHUB_TRIGGERING_ACTOR=ann", "GITHUB_ACTOR_ID=3", "GITHUB_RUN_ID=99", "GITHUB_RUN_ATTEMPT=1",
		"GITHUB_JOB=deploy", "GITHUB_TOKEN=ghs_secret", "GITHUB_EVENT_PATH=" + filepath.Join(s.home, "event.json"),
	}, "--image", "podinfo="+v2, "--approvals", "poll", "--approve", "confirm-promotion",
		"--approval-policy", "policy.yaml", "--approvals-every", "60s")
	s.awaitRecord("that the promotion waits", func(r saved) bool { return r.Status.Phase == "WaitingPromotion" })
	approve := s.Penstock("approve", "podinfo", "--why", "looked at the dashboards")
	s.end(approve, 0)
	said := time.Now()
	s.end(run, 0)
	s.wantPromoted(v2)
	s.wantWeights(0, 50, 0)
	s.wantSafe()
	promoting := s.when("promote", func(m Moment) bool { return recordAt(m).Status.Phase == "Promoting" })
	s.wantPrompt("the promotion began", said, promoting)
}
