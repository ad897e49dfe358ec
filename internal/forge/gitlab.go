package forge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/xanzy/go-gitlab"
	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// GitLabConfig says what is shown on GitLab, and how.
type GitLabConfig struct {
	CI      CI
	Rollout Rollout

	// Token is an access token of the project, of its group or of a person, with the scope api. The bot user that it
	// belongs to owns the statuses and notes: keep to one token, because a status of another user cannot be finished.
	Token string
	// JobToken is CI_JOB_TOKEN. Without a Token it keeps the deployment up to date and can do nothing else.
	JobToken string
	// Environment is where a deployment is made. It is ignored when the job has an environment of its own, because
	// GitLab makes that one's deployments itself. Two canaries of one job need two environments.
	Environment string

	Version string       // of penstock, for the User-Agent
	HTTP    *http.Client // nil means one of internal/httpx that waits long enough for a locked commit
	Clock   clock.Clock  // nil means the real one
}

const (
	// gitlabTimeout is longer than the 10 s that GitLab itself waits for the lock of a commit before it answers 409.
	gitlabTimeout = 30 * time.Second

	// gitlabMaxBody holds a page of gitlabPerPage long notes.
	gitlabMaxBody = 16 << 20
	gitlabPerPage = 50
)

// NewGitLab returns what can show the rollout on GitLab, and a warning for each thing that cannot. Every surface belongs
// to one goroutine; several surfaces may be used at once. What GitLab denies a token turns up as an error of the first
// Show, which names the scope and the role to give it; from then on that surface does nothing.
func NewGitLab(cfg GitLabConfig) ([]Surface, []string, error) {
	if cfg.Token == "" && cfg.JobToken == "" {
		return nil, []string{"nothing is shown on GitLab: there is no token; " + gitlabWanted}, nil
	}
	api, err := newGitLabAPI(cfg)
	if err != nil {
		return nil, nil, err
	}
	var surfaces []Surface
	var warnings []string
	switch {
	case cfg.Token == "":
		warnings = append(warnings, "no commit status and no merge request note: CI_JOB_TOKEN may write neither; "+gitlabWanted)
	case cfg.CI.Fork && cfg.CI.Request == 0:
		surfaces = append(surfaces, newGitLabStatus(api))
		warnings = append(warnings, "no merge request note: this pipeline runs in a fork, and the merge request is in another project")
	default:
		surfaces = append(surfaces, newGitLabStatus(api), newGitLabNote(api))
	}
	if cfg.Environment != "" && cfg.CI.Environment == "" {
		surfaces = append(surfaces, newGitLabDeployment(api))
	}
	return surfaces, warnings, nil
}

const gitlabWanted = "give penstock a project access token with the scope api and the role Developer " +
	"(Maintainer, if only Maintainers may push to the branch)"

func newGitLabAPI(cfg GitLabConfig) (*gitlabAPI, error) {
	if cfg.HTTP == nil {
		cfg.HTTP = httpx.New(httpx.Options{Version: cfg.Version, Timeout: gitlabTimeout, MaxBody: gitlabMaxBody}).HTTP()
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.RealClock{}
	}
	options := []gitlab.ClientOptionFunc{
		gitlab.WithBaseURL(cfg.CI.API),
		gitlab.WithHTTPClient(cfg.HTTP),
		gitlab.WithoutRetries(),                   // it would repeat a POST that GitLab has carried out, and so make two notes
		gitlab.WithCustomLimiter(gitlabNoLimit{}), // it would sleep for as long as an answer's header says, without asking us
	}
	//lint:ignore SA1019 the module has moved, with the same API; following it is a change of its own
	connect := gitlab.NewClient
	if cfg.Token == "" {
		//lint:ignore SA1019 as above
		connect = gitlab.NewJobClient
	}
	client, err := connect(cmp.Or(cfg.Token, cfg.JobToken), options...)
	if err != nil {
		return nil, fmt.Errorf("the GitLab API's URL %q: %w", httpx.RedactURL(cfg.CI.API), err)
	}
	api := &gitlabAPI{client: client, clock: cfg.Clock, cfg: cfg}
	api.secrets.Add(cfg.Token, cfg.JobToken)
	return api, nil
}

// gitlabNoLimit lets every request pass: gitlabAPI obeys what GitLab answers.
type gitlabNoLimit struct{}

func (gitlabNoLimit) Wait(context.Context) error { return nil }

// gitlabAbsent is how often a surface is looked for in vain: GitLab's replicas may lag behind by a few seconds.
const gitlabAbsent = 3

// gitlabSurface is one object on GitLab. Once GitLab has denied it, it is off.
type gitlabSurface struct {
	name string
	need string // what the token must have
	show func(context.Context, Page) error
	link func() Link // nil: nobody can open it

	off    bool
	absent int // how often GitLab knew no such thing
}

// Name is what a warning calls it.
func (s *gitlabSurface) Name() string { return s.name }

// Link is where people see it.
func (s *gitlabSurface) Link() Link {
	if s.link == nil {
		return Link{}
	}
	return s.link()
}

// Show writes a page, if it differs from what GitLab shows.
func (s *gitlabSurface) Show(ctx context.Context, p Page) error {
	if s.off {
		return nil
	}
	err := s.show(ctx, p)
	failed := (*gitlabError)(nil)
	if !errors.As(err, &failed) {
		return err
	}
	switch {
	case failed.transient:
		return err
	case failed.status == http.StatusUnauthorized:
		s.off = true
		return fmt.Errorf("no %s: GitLab does not accept the token; it may have expired: %w", s.name, err)
	case failed.status == http.StatusForbidden:
		s.off = true
		return fmt.Errorf("no %s: the token needs %s: %w", s.name, s.need, err)
	case failed.status == http.StatusNotFound:
		if s.absent++; s.absent == gitlabAbsent {
			s.off = true
		}
		if s.absent > 1 {
			return nil
		}
		return fmt.Errorf("no %s: it does not exist, or the token needs %s to see it: %w", s.name, s.need, err)
	case failed.status == http.StatusUnprocessableEntity:
		s.off = true // such as a pipeline that is full; asking again every two seconds changes nothing
		return fmt.Errorf("no %s: %w", s.name, err)
	}
	return err
}
