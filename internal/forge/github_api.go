package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/google/go-github/v60/github"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// githubAPI sends requests to one GitHub in one name, and obeys the rate limit of that name.
type githubAPI struct {
	api   *github.Client
	limit limit

	who   sync.Mutex // held while it is asked whose the name is
	login string     // empty before
}

// call makes one request, unless a rate limit forbids it. what says what was tried: "create the check run".
func (g *githubAPI) call(ctx context.Context, what string, request func(context.Context) error) error {
	if err := g.limit.check(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	err := request(ctx)
	if err == nil {
		return nil
	}
	err = explainGitHub(err, g.api.BaseURL.String())
	g.limit.learn(err)
	return fmt.Errorf("%s: %w", what, err)
}

// graphQL is the address of the GraphQL API: beside the REST API on github.com, and at /api/graphql on a server of
// one's own, whose REST API is at /api/v3.
func (g *githubAPI) graphQL() string {
	if path, ok := strings.CutSuffix(g.api.BaseURL.Path, "/v3/"); ok {
		return path + "/graphql"
	}
	return g.api.BaseURL.Path + "graphql"
}

func parseGitHubAPI(text string) (*url.URL, error) {
	base, err := url.Parse(strings.TrimRight(text, "/") + "/")
	if err != nil || base.Host == "" {
		return nil, errors.New("the API of GitHub must be a URL such as https://api.github.com")
	}
	return base, nil
}

// newGitHubClient returns a client whose requests to the API go through login, which adds credentials.
func newGitHubClient(client *httpx.Client, base *url.URL, login http.RoundTripper) *github.Client {
	h := *client.HTTP()
	h.Transport = authorized{base: h.Transport, login: login, scheme: base.Scheme, host: base.Host}
	api := github.NewClient(&h)
	api.BaseURL = base
	return api
}

// authorized lets login add its credentials to requests to the API, and only to those: a redirect to another host does
// not get them.
type authorized struct {
	base, login  http.RoundTripper
	scheme, host string
}

// RoundTrip sends a copy.
func (a authorized) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != a.scheme || req.URL.Host != a.host {
		return a.base.RoundTrip(req)
	}
	req = req.Clone(req.Context())
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	resp, err := a.login.RoundTrip(req)
	if err == nil {
		dropReset(resp)
	}
	return resp, err
}

// bearer adds a token. It may write to the request, which is authorized's copy.
type bearer struct {
	base  http.RoundTripper
	token Token
}

// RoundTrip adds the token.
func (b bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	req.Header.Set("Authorization", "Bearer "+string(b.token))
	return b.base.RoundTrip(req)
}

// jobsLogin is the bot as which jobs write.
const jobsLogin = "github-actions[bot]"

// ownLogin returns the name of the user that the token stands for, such as jobsLogin.
func (g *githubAPI) ownLogin(ctx context.Context) (string, error) {
	g.who.Lock()
	defer g.who.Unlock()
	if g.login != "" {
		return g.login, nil
	}
	var answer struct {
		Data struct {
			Viewer struct {
				Login string `json:"login"`
			} `json:"viewer"`
		} `json:"data"`
	}
	// GET /user is forbidden to the tokens of jobs and Apps; the same question in GraphQL is not.
	err := g.call(ctx, "ask who the token is", func(ctx context.Context) error {
		req, err := g.api.NewRequest(http.MethodPost, g.graphQL(), map[string]string{"query": "{viewer{login}}"})
		if err != nil {
			return err
		}
		_, err = g.api.Do(ctx, req, &answer)
		return err
	})
	if status := statusOf(err); err != nil && status != http.StatusForbidden && status != http.StatusNotFound {
		return "", err
	}
	if answer.Data.Viewer.Login == "" {
		// Without an answer, only the bot of jobs is trusted: nobody else can have its name.
		return jobsLogin, nil
	}
	g.login = answer.Data.Viewer.Login
	return g.login, nil
}
