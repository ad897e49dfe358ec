package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// A change is a request by which a penstock process changes the world, as its proxy saw it. Every request is one that is
// not a read, a question about permissions, or the renewal of a lease that the process holds already.
type change struct {
	label    string // what it does, and at which point of the rollout; unique among those of a process
	lease    move
	order    uint64 // etcd's revision of the object in the answer; 0 without one
	answered bool
	early    bool // it was sent before the process had ever held the lease
}

// A move is what a request does to the lease.
type move int

const (
	noMove move = iota
	takes
	renews
	asksFor
	releases
)

// A tap sees what one penstock process changes, and can befall each of its changes.
type tap struct {
	proxy *Proxy
	env   []string // of the process, beside what all have

	mu      sync.Mutex
	run     *Run
	started chan struct{} // closed when run is set
	id      string        // of the process, as it says in the lease
	holding bool
	held    bool   // it has held the lease, once
	stage   string // what the last record said that it has sent
	changes []*change
	strike  func(c *change, after bool) // nil when nothing befalls them
	weather func(*http.Request) Fault
}

// tapped starts a penstock process of a scenario with all of its requests seen. Strike is called twice for each change:
// before it reaches the API server, and when it is answered but the process has not heard of it.
func (s *scenario) tapped(strike func(t *tap, c *change, after bool), args ...string) *tap {
	s.t.Helper()
	t := s.tap()
	if strike != nil {
		t.strike = func(c *change, after bool) { strike(t, c, after) }
	}
	t.start(s, args...)
	return t
}

// tap prepares a proxy for one process, which start then starts.
func (s *scenario) tap() *tap {
	s.t.Helper()
	t := &tap{proxy: s.Proxy(), started: make(chan struct{})}
	t.proxy.Inject(t.judge)
	s.taps = append(s.taps, t)
	return t
}

func (t *tap) start(s *scenario, args ...string) {
	s.t.Helper()
	t.run = s.PenstockWith(t.env, append(args, "--kubeconfig", t.proxy.Kubeconfig)...)
	close(t.started)
}

// kill ends the process with SIGKILL and waits until it is gone.
func (t *tap) kill() {
	<-t.started
	t.run.Kill()
}

// dead tells whether the process has ended.
func (t *tap) dead() bool {
	<-t.started
	select {
	case <-t.run.Done():
		return true
	default:
		return false
	}
}

// suffer has every request judged from now on, those that are no changes included.
func (t *tap) suffer(weather func(*http.Request) Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.weather = weather
}

// all returns the changes so far.
func (t *tap) all() []change {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []change
	for _, c := range t.changes {
		all = append(all, *c)
	}
	return all
}

// who returns the process's name in the lease; empty when it never asked for it.
func (t *tap) who() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.id
}

func (t *tap) judge(r *http.Request) Fault {
	t.mu.Lock()
	weather := t.weather
	t.mu.Unlock()
	if weather != nil {
		if f := weather(r); f.Delay > 0 || f.Drop || f.Status != 0 {
			return f
		}
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead || strings.Contains(r.URL.Path, "selfsubject") {
		return Fault{}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return Fault{Drop: true} // the process is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	c := t.see(r, body)
	if c.lease != renews && t.strike != nil {
		if t.strike(c, false); t.dead() {
			return Fault{Drop: true}
		}
	}
	return Fault{Answered: func(status int, answer []byte) bool {
		t.hear(c, status, answer)
		if c.lease != renews && t.strike != nil {
			t.strike(c, true)
		}
		return !t.dead()
	}}
}

// see notes a change that is sent.
func (t *tap) see(r *http.Request, body []byte) *change {
	var object sent
	_ = json.Unmarshal(body, &object) // a JSON patch is no object, and needs no more than its path
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	c := &change{}
	t.mu.Lock()
	defer t.mu.Unlock()
	what := "at " + t.stage + ": " + r.Method + " " + strings.Join(parts[max(0, len(parts)-2):], "/")
	switch {
	case strings.Contains(r.URL.Path, "/leases") && r.Method != http.MethodDelete:
		c.lease = t.moveOf(&object)
		what = "at " + t.stage + ": " + [...]string{takes: "take the lease", renews: "renew the lease", asksFor: "ask for the lease", releases: "release the lease"}[c.lease]
	case object.Data["record.json"] != "":
		var record saved
		_ = json.Unmarshal([]byte(object.Data["record.json"]), &record) // one that cannot be read has no stage
		t.stage = strings.TrimSpace(fmt.Sprintf("%s %d/%d%%", record.Status.Phase, record.Status.Step, record.Status.Weight))
		what = "save " + t.stage
	}
	c.early = !t.held && c.lease != takes && c.lease != asksFor
	if c.lease == renews {
		return c
	}
	c.label = what
	for n := 2; t.known(c.label); n++ {
		c.label = fmt.Sprintf("%s (%d)", what, n)
	}
	t.changes = append(t.changes, c)
	return c
}

func (t *tap) known(label string) bool {
	for _, c := range t.changes {
		if c.label == label {
			return true
		}
	}
	return false
}

// sent is what is read of an object that a process sends or gets.
type sent struct {
	Metadata struct {
		ResourceVersion string
		Annotations     map[string]string
	}
	Data map[string]string
	Spec struct{ HolderIdentity string }
}

// moveOf tells what a process does to a lease by writing it, and learns from that who the process is.
func (t *tap) moveOf(lease *sent) move {
	holder, rival := lease.Spec.HolderIdentity, lease.Metadata.Annotations["penstock.dev/superseded-by"]
	switch {
	case holder == "":
		return releases
	case rival != "" && !t.holding:
		t.id = rival
		return asksFor
	case t.holding:
		return renews
	}
	t.id = holder
	return takes
}

// hear notes the answer to a change.
func (t *tap) hear(c *change, status int, answer []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if status >= http.StatusMultipleChoices {
		return
	}
	var object sent
	_ = json.Unmarshal(answer, &object) // what a deletion answers need not be an object
	c.answered = true
	c.order, _ = strconv.ParseUint(object.Metadata.ResourceVersion, 10, 64)
	switch c.lease {
	case takes:
		t.holding, t.held = true, true
	case releases:
		t.holding = false
	case noMove, renews, asksFor:
	}
}

// wantOneWriter checks that every change of every tapped process of the scenario was made while the lease named that
// process, by the order in which etcd has seen them. A change that found its object as it wanted it made no revision, and
// is not one.
func (s *scenario) wantOneWriter() (checked int) {
	s.t.Helper()
	holders := s.holders()
	for _, t := range s.taps {
		first := uint64(0)
		for _, c := range t.all() {
			if c.lease == takes && first == 0 {
				first = c.order
			}
			if c.lease != noMove || !c.answered {
				continue
			}
			checked++
			if c.early {
				s.t.Errorf("a process changed something before it held the lease: %s", c.label)
			}
			if c.order < first || first == 0 {
				continue
			}
			if holder := holders.at(c.order); holder != t.who() {
				s.t.Errorf("%s wrote while the lease was held by %q: %s, at revision %d", t.who(), holder, c.label, c.order)
			}
		}
	}
	return checked
}

// terms are who held the lease from which revision on.
type terms []term

type term struct {
	from   uint64
	holder string
	epoch  int64
}

func (t terms) at(order uint64) string {
	holder := ""
	for _, term := range t {
		if term.from <= order {
			holder = term.holder
		}
	}
	return holder
}

func (s *scenario) holders() (all terms) {
	s.t.Helper()
	for _, v := range s.record.Versions() {
		if v.Object.GetKind() == "Lease" && v.Object.GetName() == "penstock-podinfo" {
			all = append(all, termOf(v))
		}
	}
	return all
}
