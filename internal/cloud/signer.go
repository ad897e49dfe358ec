// Package cloud signs requests to AWS and gives those to Google their token, with the clouds' own libraries. Who asks is
// the account of the Secret, or, without one, the account that the run itself has where it runs.
package cloud

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
	"golang.org/x/oauth2"

	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/metric"
)

// renewal is how long before their end credentials are fetched again: a request and its retries need less.
const renewal = time.Minute

// Signer signs requests. It is safe for concurrent use and keeps what it has fetched until shortly before its end.
type Signer struct {
	HTTP *http.Client             // for fetching credentials
	Env  func(name string) string // environment of the run, which names its account; nil is an empty one

	aws    kept[awsLogin, aws.Credentials]
	google kept[metric.Google, oauth2.Token]
}

// Sign adds to a request what its Signature asks for; a request that asks for none stays as it is. now is when it is sent.
// An error says which credentials are missing or were refused, and shows none.
func (s *Signer) Sign(ctx context.Context, r *metric.Request, now time.Time) error {
	switch {
	case r.Sign.AWS != nil:
		return s.signAWS(ctx, r, now)
	case r.Sign.Google != nil:
		return s.signGoogle(ctx, r, now)
	}
	return nil
}

// signAWS adds the headers of Signature Version 4.
func (s *Signer) signAWS(ctx context.Context, r *metric.Request, now time.Time) error {
	login := loginOf(r.Sign.AWS, s.env)
	credentials, err := s.aws.get(login, now, func() (aws.Credentials, time.Time, error) {
		found, err := s.credentials(ctx, login)
		if err != nil || !found.CanExpire {
			return found, time.Time{}, err
		}
		return found, found.Expires, nil
	})
	if err != nil {
		return s.explain(ctx, "credentials of AWS", err)
	}
	// Without the body, whose hash is signed: its length is left out, which a proxy may send another way.
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, http.NoBody)
	if err != nil {
		return fmt.Errorf("sign the request: %s", httpx.Redact(err.Error()))
	}
	for name, values := range r.Header {
		req.Header[name] = append([]string(nil), values...)
	}
	sum := sha256.Sum256([]byte(r.Body))
	if err := v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), r.Sign.AWS.Service, r.Sign.AWS.Region, now); err != nil {
		return fmt.Errorf("sign the request: %s", httpx.Redact(err.Error()))
	}
	for name, values := range req.Header {
		r.Header[name] = values
	}
	return nil
}

func (s *Signer) env(name string) string {
	if s.Env == nil {
		return ""
	}
	return strings.TrimSpace(s.Env(name))
}

// jwt is what a server may repeat of the proof that it was sent.
var jwt = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]*`)

// explain says in one line why there are no credentials. What a server says of it is capped, and shows no token.
func (s *Signer) explain(ctx context.Context, what string, err error) error {
	if unsent := (*url.Error)(nil); errors.As(err, &unsent) {
		return fmt.Errorf("%s: %w", what, httpx.Explain(err, unsent.URL, httpx.Within(ctx, httpx.DefaultTimeout)))
	}
	text := err.Error()
	if refused := smithy.APIError(nil); errors.As(err, &refused) {
		text = "the server refused them (" + refused.ErrorCode() + "): " + refused.ErrorMessage()
	}
	return fmt.Errorf("%s: %s", what, metric.Shown([]byte(jwt.ReplaceAllString(httpx.Redact(text), "***"))))
}

// kept holds what was fetched, by whom it is for.
type kept[K comparable, V any] struct {
	mu  sync.Mutex
	all map[K]entry[V]
}

type entry[V any] struct {
	value V
	until time.Time // zero: for ever
}

// get returns what is kept and still good, or fetches it. Two that come at once may both fetch: that does no harm, while
// one that waited for the other would not have its own bound.
func (k *kept[K, V]) get(key K, now time.Time, fetch func() (V, time.Time, error)) (V, error) {
	k.mu.Lock()
	found, ok := k.all[key]
	k.mu.Unlock()
	if ok && (found.until.IsZero() || now.Before(found.until.Add(-renewal))) {
		return found.value, nil
	}
	value, until, err := fetch()
	if err != nil {
		return value, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil {
		k.all = map[K]entry[V]{}
	}
	k.all[key] = entry[V]{value, until}
	return value, nil
}

// readFile reads a file that the environment names.
func readFile(variable, path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the file of %s: %w", variable, err)
	}
	return strings.TrimSpace(string(text)), nil
}
