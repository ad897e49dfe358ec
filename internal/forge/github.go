package forge

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// Token is a secret of an API. It prints as ***.
type Token string

// String hides the token.
func (Token) String() string { return "***" }

// GoString hides it from %#v.
func (Token) GoString() string { return "***" }

// MaxBody is how long an answer can be: a page of 100 comments, each as long as comments can be.
const MaxBody = 16 << 20

// GitHubConfig is what NewGitHub needs.
type GitHubConfig struct {
	CI     CI
	Token  Token
	Client *httpx.Client // makes all requests; it must take answers of MaxBody

	// CreateDeployment makes a deployment for CI.Environment when the event has none. It is not the default: a workflow
	// that deploys on deployments would start once more if the token is of a person or an App.
	CreateDeployment bool
}

// GitHub shows rollouts on github.com or a GitHub Enterprise Server. It is safe for concurrent use: the canaries of a
// run share it, with its rate limit and what it found out about the pull request.
type GitHub struct {
	githubAPI
	ci          CI
	owner, repo string
	deployment  *deployment // nil if there is none
	succeeds    bool        // it completes what the job has shown, in another name

	mu      sync.Mutex // held during the lookups, so that several canaries cause one
	request *int       // number of the pull request, 0 if there is none; nil before the lookup
}

// NewGitHub makes no request. The error lists every problem of the configuration.
func NewGitHub(cfg GitHubConfig) (*GitHub, error) {
	var problems []error
	owner, repo, ok := strings.Cut(cfg.CI.Repository, "/")
	if !ok || owner == "" || repo == "" {
		problems = append(problems, fmt.Errorf("the repository is %q, and must be owner/name", cfg.CI.Repository))
	}
	base, err := parseGitHubAPI(cfg.CI.API)
	if err != nil {
		problems = append(problems, err)
	}
	if !commitID.MatchString(cfg.CI.SHA) {
		problems = append(problems, fmt.Errorf("the commit is %q, and must be 40 or 64 hexadecimal digits", cfg.CI.SHA))
	}
	if cfg.Token == "" {
		problems = append(problems, errors.New("there is no token for GitHub: pass secrets.GITHUB_TOKEN"))
	}
	if cfg.Client == nil {
		problems = append(problems, errors.New("there is no HTTP client for GitHub"))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	transport := cfg.Client.HTTP().Transport
	g := newGitHub(cfg.CI, cfg.CreateDeployment)
	g.api = newGitHubClient(cfg.Client, base, bearer{base: transport, token: cfg.Token})
	return g, nil
}

// newGitHub lacks the client that makes its requests.
func newGitHub(ci CI, deploys bool) *GitHub {
	g := &GitHub{ci: ci}
	g.owner, g.repo, _ = strings.Cut(ci.Repository, "/")
	if ci.Deployment.ID != 0 || deploys && ci.Environment != "" {
		g.deployment = &deployment{g: g, id: ci.Deployment.ID, pages: map[Rollout]Page{}}
	}
	if ci.Request > 0 {
		g.request = &ci.Request
	}
	return g
}

// Surfaces returns what shows this rollout: the check run (or the commit status, if the token is a person's), the
// comment on the pull request, and the deployment if there is one. The deployment is the run's: it ends when every rollout that this was asked
// for has shown its final page.
func (g *GitHub) Surfaces(r Rollout) []Surface {
	commit := &commitSurface{check: &checkRun{g: g, rollout: r}, status: &commitStatus{g: g, rollout: r}}
	surfaces := []Surface{commit, &requestComment{g: g, rollout: r}}
	if g.deployment != nil {
		surfaces = append(surfaces, g.deployment.part(r))
	}
	return surfaces
}

// refused turns answers that will not change during a run into a *DisabledError; other errors stay as they are.
func (g *GitHub) refused(surface, permission string, err error) error {
	need := ""
	switch statusOf(err) {
	case http.StatusUnauthorized:
		need = "a token that is valid"
	case http.StatusForbidden:
		need = "the permission " + permission
		if g.ci.Fork {
			need += ", which the token has not when the pull request comes from a fork"
		}
	case http.StatusNotFound, http.StatusGone:
		need = fmt.Sprintf("a token that can see %s, with the permission %s", g.ci.Repository, permission)
	default:
		return err
	}
	return &DisabledError{Surface: surface, Need: need, Err: err}
}

// statusOf is the status of the answer that err is about, or 0. A limit has none.
func statusOf(err error) int {
	var answer *answerError
	if errors.As(err, &answer) {
		return answer.status
	}
	return 0
}

// cut shortens text to limit bytes, at the end of a character, and says so in its last line.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const note = "\n\n(cut: the rest is longer than the platform shows)"
	return strings.ToValidUTF8(text[:max(0, limit-len(note))], "") + note
}

// line makes text one line of at most limit characters.
func line(text string, limit int) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) <= limit {
		return string(runes)
	}
	return string(runes[:limit-1]) + "…"
}
