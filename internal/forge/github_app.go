package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/bradleyfalzon/ghinstallation/v2"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// GitHubApp is a GitHub App, which has another token, with a rate limit of its own, wherever it is installed.
type GitHubApp struct {
	client *httpx.Client
	base   *url.URL
	id     int64
	key    Token
	self   githubAPI // as the App itself, which may ask about its installations and webhooks only

	mu        sync.Mutex
	installed map[string]*githubAPI // by owner/name in lower case
	byID      map[int64]*githubAPI  // so that repositories of one installation share its rate limit
}

func newGitHubApp(client *httpx.Client, base *url.URL, id int64, key Token) (*GitHubApp, error) {
	login, err := ghinstallation.NewAppsTransport(client.HTTP().Transport, id, []byte(key))
	if err != nil {
		return nil, errors.New("the private key of the GitHub App is none: it must be the text of the .pem file that GitHub gave out")
	}
	a := &GitHubApp{client: client, base: base, id: id, key: key, installed: map[string]*githubAPI{}, byID: map[int64]*githubAPI{}}
	a.self.api = newGitHubClient(client, base, login)
	return a, nil
}

// repository returns what sends requests about a repository.
func (a *GitHubApp) repository(ctx context.Context, owner, repo string) (*githubAPI, error) {
	name := strings.ToLower(owner + "/" + repo)
	a.mu.Lock()
	known := a.installed[name]
	a.mu.Unlock()
	if known != nil {
		return known, nil
	}
	var found struct {
		ID int64 `json:"id"`
	}
	err := a.self.call(ctx, "look for the installation of the GitHub App", func(ctx context.Context) error {
		req, err := a.self.api.NewRequest(http.MethodGet, "repos/"+owner+"/"+repo+"/installation", nil)
		if err != nil {
			return err
		}
		_, err = a.self.api.Do(ctx, req, &found)
		return err
	})
	if statusOf(err) == http.StatusNotFound {
		return nil, fmt.Errorf("the GitHub App %d is not installed in %s/%s: %w", a.id, owner, repo, err)
	}
	if err != nil {
		return nil, err
	}
	if found.ID == 0 {
		return nil, errors.New("look for the installation of the GitHub App: GitHub's answer has no number")
	}
	return a.installation(name, found.ID)
}

func (a *GitHubApp) installation(name string, id int64) (*githubAPI, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if g := a.byID[id]; g != nil {
		a.installed[name] = g
		return g, nil
	}
	// Each has a transport of its own: the library's writes to the App's that it is made from.
	transport := a.client.HTTP().Transport
	tokens, err := ghinstallation.New(transport, a.id, id, []byte(a.key))
	if err != nil {
		return nil, err
	}
	tokens.BaseURL = strings.TrimRight(a.base.String(), "/")
	g := &githubAPI{}
	g.api = newGitHubClient(a.client, a.base, installation{base: transport, tokens: tokens, gone: func() { a.forget(g) }})
	a.installed[name], a.byID[id] = g, g
	return g, nil
}

// forget makes the installation be looked for again: it may have been removed, and made anew with another number.
func (a *GitHubApp) forget(gone *githubAPI) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, g := range a.installed {
		if g == gone {
			delete(a.installed, name)
		}
	}
	for id, g := range a.byID {
		if g == gone {
			delete(a.byID, id)
		}
	}
}

// installation adds the token of an installation, which it renews in time. It may write to the request, which is
// authorized's copy.
type installation struct {
	base   http.RoundTripper
	tokens *ghinstallation.Transport
	gone   func()
}

// RoundTrip adds the token.
func (i installation) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := i.tokens.Token(req.Context())
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, i.explain(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return i.base.RoundTrip(req)
}

// explain closes the answer that the library leaves open, and says what it was.
func (i installation) explain(err error) error {
	var refused *ghinstallation.HTTPError
	if !errors.As(err, &refused) || refused.Response == nil {
		return err
	}
	_ = refused.Response.Body.Close()
	i.gone()
	return &answerError{status: refused.Response.StatusCode, message: "when asked for a token of the installation"}
}
