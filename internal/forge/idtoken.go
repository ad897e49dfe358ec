package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/sethvargo/go-githubactions"
)

// IDTokens gives id tokens of a job of GitHub for one audience: who runs the job, signed by GitHub. Each call gives a new
// one, good for some minutes.
type IDTokens struct {
	audience string
	action   *githubactions.Action
	mask     func(string) error
}

// NewIDTokens returns the id tokens of the job. An error says what the job lacks. mask hides each token in the log.
func NewIDTokens(audience string, getenv func(string) string, client *http.Client, mask func(string) error) (*IDTokens, error) {
	if getenv("ACTIONS_ID_TOKEN_REQUEST_URL") == "" || getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN") == "" {
		return nil, errors.New("this is no job of GitHub that may ask for an id token; give the job the permission id-token: write")
	}
	return &IDTokens{
		audience: audience, mask: mask,
		action: githubactions.New(githubactions.WithGetenv(getenv), githubactions.WithHTTPClient(client)),
	}, nil
}

// Token asks GitHub for a token.
func (t *IDTokens) Token(ctx context.Context) (string, error) {
	token, err := t.action.GetIDToken(ctx, t.audience)
	if err != nil {
		return "", fmt.Errorf("ask GitHub for an id token: %w", err)
	}
	if token == "" {
		return "", errors.New("ask GitHub for an id token: the answer holds none")
	}
	if err := t.mask(token); err != nil {
		return "", fmt.Errorf("hide the id token in the log: %w", err)
	}
	return token, nil
}
