package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"cloud.google.com/go/compute/metadata"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/penstock-dev/penstock/internal/metric"
)

// accounts are the kinds of JSON that name an account of Google.
var accounts = []google.CredentialsType{
	google.ServiceAccount, google.ExternalAccount, google.ImpersonatedServiceAccount, google.AuthorizedUser,
	google.ExternalAccountAuthorizedUser,
}

// signGoogle adds the token of an account.
func (s *Signer) signGoogle(ctx context.Context, r *metric.Request, now time.Time) error {
	token, err := s.google.get(*r.Sign.Google, now, func() (oauth2.Token, time.Time, error) {
		token, err := s.token(ctx, *r.Sign.Google)
		if err != nil {
			return oauth2.Token{}, time.Time{}, err
		}
		return *token, token.Expiry, nil
	})
	if err != nil {
		return s.explain(ctx, "credentials of Google Cloud", err)
	}
	r.Header["Authorization"] = []string{"Bearer " + token.AccessToken}
	return nil
}

// token gets the token of the account in the Secret, or of the one that the run has: that of the file which
// GOOGLE_APPLICATION_CREDENTIALS names, or that of the machine.
func (s *Signer) token(ctx context.Context, g metric.Google) (*oauth2.Token, error) {
	if g.Account != "" {
		return s.tokenOf(ctx, g, "the Secret's serviceAccountKey")
	}
	path := s.env("GOOGLE_APPLICATION_CREDENTIALS")
	if path == "" {
		return s.ofMachine(ctx, g.Scope)
	}
	text, err := readFile("GOOGLE_APPLICATION_CREDENTIALS", path)
	if err != nil {
		return nil, err
	}
	g.Account = text
	return s.tokenOf(ctx, g, "the file of GOOGLE_APPLICATION_CREDENTIALS")
}

// tokenOf gets the token of an account. A service account signs its own, and nobody has to be asked for it:
// https://google.aip.dev/auth/4111
func (s *Signer) tokenOf(ctx context.Context, g metric.Google, where string) (*oauth2.Token, error) {
	var kind struct {
		Type google.CredentialsType `json:"type"`
	}
	// The causes are not shown: they may repeat what they could not read.
	if json.Unmarshal([]byte(g.Account), &kind) != nil || !slices.Contains(accounts, kind.Type) {
		return nil, fmt.Errorf("%s is not the JSON of a service account or of a workload identity federation", where)
	}
	if kind.Type == google.ServiceAccount {
		source, err := google.JWTAccessTokenSourceFromJSON([]byte(g.Account), g.Audience)
		if err != nil {
			return nil, fmt.Errorf("%s has no key of a service account that can be read", where)
		}
		return source.Token()
	}
	asked := context.WithValue(ctx, oauth2.HTTPClient, s.HTTP)
	found, err := google.CredentialsFromJSONWithType(asked, []byte(g.Account), kind.Type, g.Scope)
	if err != nil {
		return nil, fmt.Errorf("%s: this %s is not complete", where, kind.Type)
	}
	token, err := found.TokenSource.Token()
	if refused := (*oauth2.RetrieveError)(nil); errors.As(err, &refused) && refused.Response != nil {
		return nil, fmt.Errorf("the token was refused (HTTP %d): %s", refused.Response.StatusCode, refused.Body)
	}
	return token, err
}

// ofMachine asks the metadata server of a machine of Google's, or of a pod with a workload identity.
func (s *Signer) ofMachine(ctx context.Context, scope string) (*oauth2.Token, error) {
	asked, cancel := context.WithTimeout(ctx, machineTimeout)
	defer cancel()
	text, err := metadata.NewClient(s.HTTP).GetWithContext(asked, "instance/service-accounts/default/token?scopes="+scope)
	if err != nil && ctx.Err() == nil {
		return nil, errors.New("there are none: the Secret has no serviceAccountKey, the environment no GOOGLE_APPLICATION_CREDENTIALS, " +
			"and no account of the machine was found")
	}
	if err != nil {
		return nil, err
	}
	var answer struct {
		Token  string `json:"access_token"`
		Within int64  `json:"expires_in"` // seconds
	}
	if json.Unmarshal([]byte(text), &answer) != nil || answer.Token == "" || answer.Within <= 0 {
		return nil, errors.New("the metadata server's answer holds no token: " + strconv.Itoa(len(text)) + " bytes")
	}
	return &oauth2.Token{AccessToken: answer.Token, Expiry: time.Now().Add(time.Duration(answer.Within) * time.Second)}, nil
}
