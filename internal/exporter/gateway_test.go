package exporter

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// pushed is one request that a Pushgateway got.
type pushed struct {
	method, path, user, password string
	families                     []*dto.MetricFamily
}

// pushgateway is a Pushgateway that keeps what it gets, and holds pushes to the rule that they have no label of their
// group.
type pushgateway struct {
	*httptest.Server
	t      *testing.T
	mu     sync.Mutex
	status int
	got    []pushed
}

func newPushgateway(t *testing.T) *pushgateway {
	g := &pushgateway{t: t, status: http.StatusOK}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

func (g *pushgateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := pushed{method: r.Method, path: r.URL.EscapedPath()}
	p.user, p.password, _ = r.BasicAuth()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		g.t.Error(err)
	}
	decoder := expfmt.NewDecoder(bytes.NewReader(body), expfmt.ResponseFormat(r.Header))
	for {
		family := &dto.MetricFamily{}
		if err := decoder.Decode(family); err == io.EOF {
			break
		} else if err != nil {
			g.t.Error(err)
			break
		}
		p.families = append(p.families, family)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.got = append(g.got, p)
	w.WriteHeader(g.status)
	_, _ = io.WriteString(w, "no: the password is hunter2")
}

func (g *pushgateway) answer(status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status = status
}

func (g *pushgateway) pushes() []pushed {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]pushed(nil), g.got...)
}

func parse(t *testing.T, address string) *Gateway {
	t.Helper()
	g, err := ParseGateway(address, "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func quiet(t *testing.T) func(error) { return func(err error) { t.Errorf("not pushed: %v", err) } }

func TestEveryStepAndTheEndArePushedAndNothingIsDeleted(t *testing.T) {
	t.Parallel()
	server := newPushgateway(t)
	p := parse(t, strings.Replace(server.URL, "://", "://ci:s3cret@", 1)+"/push/").Pusher(podinfo, quiet(t))
	updates := promoted()
	for _, u := range updates {
		p.Report(t.Context(), u)
		p.Report(t.Context(), u) // nothing new but, maybe, checks
	}
	got := server.pushes()
	if len(got) < 6 || len(got) > 2*len(updates) {
		t.Errorf("%d pushes for %d decisions", len(got), len(updates))
	}
	for _, push := range got {
		if push.method != http.MethodPost || push.user != "ci" || push.password != "s3cret" {
			t.Errorf("%s as %q", push.method, push.user)
		}
		if !strings.HasPrefix(push.path, "/push/metrics/job/penstock/") || !strings.Contains(push.path, "/namespace/shop") ||
			!strings.Contains(push.path, "/name/podinfo") {
			t.Errorf("pushed to %s", push.path)
		}
	}
	last := got[len(got)-1]
	var out strings.Builder
	for _, family := range last.families {
		if _, err := expfmt.MetricFamilyToText(&out, family); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "pushed.txt", out.String())
}

func TestAPushgatewayThatIsInTroubleIsSaidOnceAndTriedAgainAtTheEnd(t *testing.T) {
	t.Parallel()
	server := newPushgateway(t)
	server.answer(http.StatusUnauthorized)
	var said []string
	p := parse(t, strings.Replace(server.URL, "://", "://ci:s3cret@", 1)).Pusher(podinfo, func(err error) { said = append(said, err.Error()) })
	updates := promoted()
	for _, u := range updates[:len(updates)-2] {
		p.Report(t.Context(), u)
	}
	tries := len(server.pushes())
	if tries == 0 || tries > 3 {
		t.Errorf("%d tries in 25 seconds", tries)
	}
	server.answer(http.StatusOK)
	p.Report(t.Context(), updates[len(updates)-2])
	if n := len(server.pushes()); n != tries+1 {
		t.Errorf("%d pushes at the end, want one", n-tries)
	}
	if want := server.URL + " answered 401"; len(said) != 1 || said[0] != want {
		t.Errorf("said %q, want %q once", said, want)
	}
}

func TestAPushgatewayThatHangsIsWaitedForWithinABound(t *testing.T) {
	t.Parallel()
	block := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-block:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { close(block); server.Close() })
	var said []string
	p := parse(t, server.URL).Pusher(podinfo, func(err error) { said = append(said, err.Error()) })
	began := time.Now()
	s := newStory()
	p.Report(t.Context(), s.after(0, rollout.Status{Phase: rollout.Progressing, Step: 1}))
	p.Report(t.Context(), s.after(time.Second, rollout.Status{Phase: rollout.Progressing, Step: 2})) // is left alone
	if took := time.Since(began); took > 2*pushTimeout-100*time.Millisecond {
		t.Errorf("held up for %s", took)
	}
	if len(said) != 1 || !strings.Contains(said[0], "no answer within 2s") {
		t.Errorf("said %q", said)
	}
}

func TestCredentialsOfAPushgatewayAreNeverShown(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"http://ci:hunter2@127.0.0.1:9", "ftp://ci:hunter2@push", "http://ci:hunter2@push?token=hunter2", "ci:hunter2@push:9091",
		"http://ci:hunter2@push:port", "://ci:hunter2@push", "http://ci:hunter2@push#hunter2", "http://ci:hunter2@", "hunter2",
		"http://ci:hun%ter2@push",
	} {
		g, err := ParseGateway(address, "1.2.3")
		if err == nil {
			g.Pusher(podinfo, func(e error) { err = e }).
				Report(t.Context(), newStory().after(0, rollout.Status{Phase: rollout.Failed}, ends(rollout.RolledBack)))
			g.Close()
		}
		if err == nil {
			t.Errorf("%s is fine", address)
			continue
		}
		if address != "hunter2" && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestNamesAreEscapedInTheGroup(t *testing.T) {
	t.Parallel()
	server := newPushgateway(t)
	p := parse(t, server.URL).Pusher(Subject{Namespace: "a b", Target: "c.d", Provider: "nginx"}, quiet(t))
	p.Report(t.Context(), newStory().after(0, rollout.Status{Phase: rollout.Progressing}))
	path, err := url.QueryUnescape(server.pushes()[0].path)
	if err != nil || !strings.Contains(path, "/namespace/a b") || !strings.Contains(path, "/name/c.d") {
		t.Errorf("pushed to %s (%v)", path, err)
	}
}
