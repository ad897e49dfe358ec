package kube

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// issuer gives a new token each time, good for a while.
type issuer struct {
	life time.Duration

	mu     sync.Mutex
	issued int
	broken error
}

func (i *issuer) Token(context.Context) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.broken != nil {
		return "", i.broken
	}
	i.issued++
	now := time.Now()
	claims := fmt.Sprintf(`{"jti":"%d","iat":%d,"exp":%d}`, i.issued, now.Unix(), now.Add(i.life).Unix())
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".sig", nil
}

func (i *issuer) fail(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.broken = err
}

// door is in front of the API server and lets only present tokens in, as the real one does.
type door struct {
	base http.RoundTripper

	mu     sync.Mutex
	seen   map[string]bool
	refuse string // a token that it does not take
}

func (d *door) RoundTrip(req *http.Request) (*http.Response, error) {
	token, sent := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	_, expiry := lifetime(token)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !sent || !time.Now().Before(expiry) || token == d.refuse {
		return &http.Response{
			Status: "401 Unauthorized", StatusCode: http.StatusUnauthorized, Header: http.Header{}, Request: req,
			Body: io.NopCloser(strings.NewReader("Unauthorized")),
		}, nil
	}
	d.seen[token] = true
	return d.base.RoundTrip(req)
}

// behindTheDoor connects with tokens of the issuer.
func (f *fixture) behindTheDoor(i *issuer) (*Client, *door) {
	f.t.Helper()
	d := &door{seen: map[string]bool{}}
	config := rest.CopyConfig(f.config)
	config.Username, config.Password = "somebody", "else"
	config.Wrap(func(base http.RoundTripper) http.RoundTripper { d.base = base; return d })
	if err := (Credentials{Tokens: i}).identify(config); err != nil {
		f.t.Fatal(err)
	}
	return f.connect(config), d
}

func TestTokenIsRenewedBeforeItExpires(t *testing.T) {
	inCluster(t, func(f *fixture) {
		i := &issuer{life: 5 * time.Minute}
		client, d := f.behindTheDoor(i)
		for range 40 {
			if _, err := client.dynamic.Resource(deploymentGVR).Namespace("shop").Get(f.ctx, "podinfo", metav1.GetOptions{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(30 * time.Second)
		}
		if n := len(d.seen); n < 4 || n > 6 || n != i.issued {
			t.Errorf("%d tokens arrived in 20 minutes and %d were asked for; want one in 4 minutes", n, i.issued)
		}
	})
}

func TestTokenThatCannotBeRenewedIsUsedToItsEnd(t *testing.T) {
	inCluster(t, func(f *fixture) {
		i := &issuer{life: 5 * time.Minute}
		client, _ := f.behindTheDoor(i)
		get := func() error {
			_, err := client.dynamic.Resource(deploymentGVR).Namespace("shop").Get(f.ctx, "podinfo", metav1.GetOptions{})
			return err
		}
		if err := get(); err != nil {
			t.Fatal(err)
		}
		i.fail(errors.New("the issuer is down"))
		time.Sleep(4*time.Minute + 30*time.Second)
		if err := get(); err != nil {
			t.Errorf("the token is still good: %v", err)
		}
		time.Sleep(time.Minute)
		if err := get(); err == nil || !strings.Contains(err.Error(), "get a token for the cluster: the issuer is down") {
			t.Errorf("after its end: %v", err)
		}
		i.fail(nil)
		if err := get(); err != nil {
			t.Errorf("the issuer is back: %v", err)
		}
	})
}

func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	inCluster(t, func(f *fixture) {
		i := &issuer{life: time.Hour}
		client, d := f.behindTheDoor(i)
		f.save(NewJournal(client, f.canary), record(1, 10))
		d.mu.Lock()
		for token := range d.seen {
			d.refuse = token // the issuer has changed its keys
		}
		d.mu.Unlock()
		f.save(NewJournal(client, f.canary), record(2, 20)) // with a body, which is sent again
		f.holds(record(2, 20))
		if i.issued != 2 {
			t.Errorf("%d tokens were asked for, want 2", i.issued)
		}
	})
}

func TestTokenOfOneKindOrAnother(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_900_000_000, 0)
	claims := func(text string) string { return "a." + base64.RawURLEncoding.EncodeToString([]byte(text)) + ".b" }
	for token, want := range map[string]string{
		"opaque":                    "",
		claims("{}"):                "",
		claims(`{"exp":1}`):         "the token expired at 1970-01-01T00:00:01Z",
		claims(`{"exp":"soon"}`):    "",
		claims(`not json`):          "",
		claims(`{"exp":2e9}`):       "",
		"":                          "what was given is no token",
		"two words":                 "what was given is no token",
		"a.%%%.b":                   "",
		claims(`{"exp":-5}`):        "",
		claims(`{"exp":1e300}`):     "",
		claims(`{"exp":19e8}`) + "": "the token expired",
	} {
		kept := newTokens(nil)
		err := kept.take(token, now)
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && !strings.Contains(got, want) {
			t.Errorf("%q: %v, want %q", token, err, want)
		}
		if err != nil && token != "" && strings.Contains(err.Error(), token) {
			t.Errorf("%v shows the token", err)
		}
	}
}
