package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/approval"
)

// GitHub is who may send webhooks of GitHub, to /webhooks/github.
type GitHub struct {
	Secrets      []Secret // any of them may have signed; two while one replaces the other
	Repositories []int64  // by number
	API          string   // the address to which GitHub may be called back; empty: to none
}

// GitLab is who may send webhooks of GitLab, to /webhooks/gitlab.
type GitLab struct {
	Tokens       []Secret // the secret tokens, sent as they are
	SigningKeys  []Secret // the signing tokens, whsec_...; a delivery that is signed is judged by these alone
	Repositories []int64  // the projects, by number
}

// Config is what a server is made of. Zero durations and numbers are the defaults.
type Config struct {
	Address       string       // such as :8080
	Listener      net.Listener // instead of the address, when there is one already
	GitHub        GitHub
	GitLab        GitLab
	NoWebhooks    bool             // serves only the routes that Mount adds: no secret, Store or Looker is needed
	AnyRepository bool             // lets every repository send that knows a secret
	Grammar       approval.Grammar // which comments mean to be commands
	Store         Store
	Looker        Looker
	Log           *slog.Logger         // required: no bodies and no secrets are written to it
	Clock         clock.WithTicker     // nil is the real one
	Registry      *prometheus.Registry // what /metrics shows, and where the server registers its own; nil makes one
	Mount         func(chi.Router)     // adds routes
	Workers       int                  // looks at once; 4
	QueueLimit    int                  // changes that wait for a look; 10 000
	LookTimeout   time.Duration        // of one look; 2m
	Linger        time.Duration        // how long to go on accepting after being told to stop, until load balancers know; 0
	DrainTimeout  time.Duration        // how long to wait at the end for what is under way; 10s
}

// Defaults of Config.
const (
	DefaultWorkers      = 4
	DefaultQueueLimit   = 10_000
	DefaultLookTimeout  = 2 * time.Minute
	DefaultDrainTimeout = 10 * time.Second
)

// Check returns every problem of the configuration at once.
func (c Config) Check() error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.Listener == nil {
		if err := checkAddress(c.Address); err != nil {
			problems = append(problems, err)
		}
	}
	if c.NoWebhooks {
		c.checkQuiet(add)
	} else {
		c.checkSecrets(add)
		c.checkRepositories(add)
		if c.Store == nil {
			add("store: there is none; deliveries must outlive the process")
		}
		if c.Looker == nil {
			add("looker: there is none")
		}
	}
	if _, err := approval.ParsePrefix(c.Grammar.Prefix); err != nil {
		problems = append(problems, err)
	}
	if c.Log == nil {
		add("log: there is none")
	}
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"workers", int64(c.Workers)}, {"queue limit", int64(c.QueueLimit)}, {"look timeout", int64(c.LookTimeout)},
		{"linger", int64(c.Linger)}, {"drain timeout", int64(c.DrainTimeout)},
	} {
		if n.value < 0 {
			add("%s: is negative", n.name)
		}
	}
	return errors.Join(problems...)
}

// checkQuiet is for a server that receives no webhooks: a secret would make somebody believe that it does.
func (c Config) checkQuiet(add func(string, ...any)) {
	if len(c.GitHub.Secrets) > 0 || c.GitLab.used() {
		add("secrets: some are given, and no webhooks are received")
	}
	if c.Mount == nil {
		add("routes: there are none, and no webhooks are received")
	}
}

// checkAddress wants a host, which may be empty, and a port by number.
func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("address %q: want one such as :8080 or 127.0.0.1:8080", address)
	}
	return nil
}

func (c Config) checkSecrets(add func(string, ...any)) {
	lists := []struct {
		name    string
		secrets []Secret
	}{{"GitHub secret", c.GitHub.Secrets}, {"GitLab token", c.GitLab.Tokens}, {"GitLab signing key", c.GitLab.SigningKeys}}
	none := true
	for _, list := range lists {
		none = none && len(list.secrets) == 0
		for i, secret := range list.secrets {
			if why := secret.problem(); why != "" {
				add("%s %d: %s", list.name, i+1, why)
			} else if slices.Index(list.secrets, secret) < i {
				add("%s %d: is there twice", list.name, i+1)
			}
		}
	}
	if none {
		add("secrets: there is none; want at least one GitHub secret, GitLab token or GitLab signing key, " +
			"because without one anybody could send")
	}
	for i, secret := range c.GitLab.SigningKeys {
		if _, err := secret.signingKey(); err != nil && secret.problem() == "" {
			add("GitLab signing key %d: %w", i+1, err)
		}
	}
}

func (c Config) checkRepositories(add func(string, ...any)) {
	lists := []struct {
		name string
		used bool
		ids  []int64
	}{
		{"GitHub repositories", len(c.GitHub.Secrets) > 0, c.GitHub.Repositories},
		{"GitLab projects", c.GitLab.used(), c.GitLab.Repositories},
	}
	for _, list := range lists {
		for _, id := range list.ids {
			if id <= 0 {
				add("%s: %d is no number of one; want the number that the API gives as id", list.name, id)
			}
		}
		switch {
		case c.AnyRepository && len(list.ids) > 0:
			add("%s: some are listed, and any may send too; want one of the two", list.name)
		case !c.AnyRepository && list.used && len(list.ids) == 0:
			add("%s: none are listed; list the numbers of those that may send, or let any", list.name)
		case !list.used && len(list.ids) > 0:
			add("%s: some are listed, but there is no secret that they could send with", list.name)
		}
	}
}

func (g GitLab) used() bool { return len(g.Tokens)+len(g.SigningKeys) > 0 }

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	if c.Clock == nil {
		c.Clock = clock.RealClock{}
	}
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	if c.Workers == 0 {
		c.Workers = DefaultWorkers
	}
	if c.QueueLimit == 0 {
		c.QueueLimit = DefaultQueueLimit
	}
	if c.LookTimeout == 0 {
		c.LookTimeout = DefaultLookTimeout
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = DefaultDrainTimeout
	}
	return c
}
