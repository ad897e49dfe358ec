package forge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/httpx"
)

// OfficeConfig says in whose name the forges are asked outside of a job. A forge without a token is not asked.
type OfficeConfig struct {
	GitHubAPI    string // empty means https://api.github.com; https://HOST/api/v3 on a server of one's own
	GitHubToken  Token  // or an App, not both
	GitHubAppID  int64
	GitHubAppKey Token // the text of the App's .pem file

	GitLabURL   string // as people open it; empty means https://gitlab.com
	GitLabToken Token  // with the scope api

	Client *httpx.Client // makes all requests; it must take answers of MaxBody
	Clock  clock.Clock   // nil means the real one
}

// Office reads pull and merge requests of whatever repository its tokens can see. It is safe for concurrent use.
type Office struct {
	github *githubAPI // nil without a token
	app    *GitHubApp // nil without an App
	gitlab *gitlabAPI // nil without a token
	page   string     // of GitLab
}

// ChangeReader reads one pull or merge request, and answers on it. See GitHubChange and GitLabChange.
type ChangeReader interface {
	Read(ctx context.Context) (Change, error)
	Comments(ctx context.Context, since time.Time) ([]Note, error)
	Permission(ctx context.Context, who approval.Actor, teams []string) (approval.Permission, error)
	React(ctx context.Context, comment int64, r Reaction) error
	Reply(ctx context.Context, r Reply) error
}

// NewOffice makes no request. The error lists every problem of the configuration.
func NewOffice(cfg OfficeConfig) (*Office, error) {
	o := &Office{}
	if cfg.Client == nil {
		return nil, errors.New("there is no HTTP client for the forges")
	}
	problems := []error{o.openGitHub(&cfg), o.openGitLab(&cfg)}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if o.github == nil && o.app == nil && o.gitlab == nil {
		return nil, errors.New("there is no token: give one of GitHub, a GitHub App with its private key, or a token of GitLab")
	}
	return o, nil
}

func (o *Office) openGitHub(cfg *OfficeConfig) error {
	base, err := parseGitHubAPI(cmp.Or(cfg.GitHubAPI, "https://api.github.com"))
	problems := []error{err}
	switch {
	case cfg.GitHubToken != "" && (cfg.GitHubAppID != 0 || cfg.GitHubAppKey != ""):
		problems = append(problems, errors.New("there is a token of GitHub and a GitHub App; want one of them"))
	case cfg.GitHubAppID < 0 || (cfg.GitHubAppID == 0) != (cfg.GitHubAppKey == ""):
		problems = append(problems, errors.New("a GitHub App needs both its number and its private key"))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	if cfg.GitHubToken != "" {
		o.github = &githubAPI{api: newGitHubClient(cfg.Client, base, bearer{base: cfg.Client.HTTP().Transport, token: cfg.GitHubToken})}
	}
	if cfg.GitHubAppID != 0 {
		o.app, err = newGitHubApp(cfg.Client, base, cfg.GitHubAppID, cfg.GitHubAppKey)
	}
	return err
}

func (o *Office) openGitLab(cfg *OfficeConfig) error {
	o.page = strings.TrimRight(cmp.Or(cfg.GitLabURL, "https://gitlab.com"), "/")
	if u, err := url.Parse(o.page); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return errors.New("the URL of GitLab must be one such as https://gitlab.com, without a user")
	}
	if cfg.GitLabToken == "" {
		return nil
	}
	var err error
	o.gitlab, err = newGitLabAPI(GitLabConfig{
		CI: CI{API: o.page + "/api/v4"}, Token: string(cfg.GitLabToken), HTTP: cfg.Client.HTTP(), Clock: cfg.Clock,
	})
	return err
}

// App returns the GitHub App, and nil when there is none.
func (o *Office) App() *GitHubApp { return o.app }

// Change returns the reader of a pull or merge request, by the path of its repository and its number in there. It makes no
// request. Keep it for as long as the change is of interest: it remembers what it was told. It knows of no run, and so
// names no Starters; compare Change.Repository with the number that is expected, since paths can be taken by others.
func (o *Office) Change(platform approval.Platform, repository string, number int64, ask Ask) (ChangeReader, error) {
	if number <= 0 || number != int64(int(number)) {
		return nil, fmt.Errorf("%d is not the number of a pull or merge request", number)
	}
	parts, err := o.parts(platform, repository)
	if err != nil {
		return nil, err
	}
	this := func(context.Context) (int, error) { return int(number), nil }
	if platform == approval.GitLab {
		c := newGitLabChange(o.gitlab, repository, o.page+"/"+repository)
		c.number = this
		return c, nil
	}
	c := &GitHubChange{owner: parts[0], repo: parts[1], ask: ask, number: this, known: memory{}}
	c.connect = func(ctx context.Context) (*githubAPI, error) { return o.githubFor(ctx, parts) }
	return c, nil
}

// githubFor returns what sends requests about a repository of GitHub.
func (o *Office) githubFor(ctx context.Context, parts []string) (*githubAPI, error) {
	if o.app != nil {
		return o.app.repository(ctx, parts[0], parts[1])
	}
	return o.github, nil
}

// parts returns the parts of the path of a repository that can be asked about. It makes no request.
func (o *Office) parts(platform approval.Platform, repository string) ([]string, error) {
	parts := strings.Split(repository, "/")
	if len(parts) < 2 || slices.ContainsFunc(parts, func(s string) bool { return strings.Trim(s, ".") == "" || !repositoryName.MatchString("o/"+s) }) {
		return nil, fmt.Errorf("%q is not the path of a repository, such as owner/name", repository)
	}
	switch {
	case platform != approval.GitHub && platform != approval.GitLab:
		return nil, fmt.Errorf("the platform %q is not known; want github or gitlab", platform)
	case platform == approval.GitHub && len(parts) != 2:
		return nil, fmt.Errorf("%q is not a repository of GitHub; want owner/name", repository)
	case platform == approval.GitHub && o.app == nil && o.github == nil:
		return nil, errors.New("GitHub cannot be asked: there is neither a token nor a GitHub App")
	case platform == approval.GitLab && o.gitlab == nil:
		return nil, errors.New("GitLab cannot be asked: there is no token for it")
	}
	return parts, nil
}
