package server

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
)

func TestASampleConfigurationIsFine(t *testing.T) {
	t.Parallel()
	if err := sampleConfig().Check(); err != nil {
		t.Error(err)
	}
}

func TestEveryProblemOfAConfigurationIsListed(t *testing.T) {
	t.Parallel()
	c := Config{
		Address: "8080", GitHub: GitHub{Secrets: []Secret{"", "s3cret\n", "twice", "twice"}, Repositories: []int64{-4}},
		GitLab: GitLab{SigningKeys: []Secret{"plain", "whsec_%%", "whsec_c2hvcnQ="}}, Workers: -1, LookTimeout: -1,
	}
	c.Grammar.Prefix = "/approve"
	_, err := New(c)
	if err == nil {
		t.Fatal("no problem")
	}
	want := []string{
		`address "8080"`, "GitHub secret 1: is empty", "GitHub secret 2: begins or ends with a space or a new line",
		"GitHub secret 4: is there twice", "GitLab signing key 1: does not begin with whsec_", "GitLab signing key 2: is not base64",
		"GitLab signing key 3: has 5 bytes; want at least 16", "GitHub repositories: -4 is no number", "GitLab projects: none are listed",
		`prefix "/approve"`, "store: there is none", "looker: there is none", "log: there is none", "workers: is negative", "look timeout: is negative",
	}
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("lacks %q", text)
		}
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != len(want) {
		t.Errorf("%d problems, want %d: %v", n, len(want), err)
	}
	if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "plain") {
		t.Errorf("tells a secret: %v", err)
	}
}

func TestAServerWithoutWebhooksNeedsOnlyRoutes(t *testing.T) {
	t.Parallel()
	quiet := func() Config {
		return Config{Address: ":8080", NoWebhooks: true, Mount: func(chi.Router) {}, Log: slog.New(slog.DiscardHandler)}
	}
	if err := quiet().Check(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Config){
		"secrets: some are given": func(c *Config) { c.GitHub.Secrets = []Secret{"s3cret"} },
		"routes: there are none":  func(c *Config) { c.Mount = nil },
	} {
		c := quiet()
		change(&c)
		if err := c.Check(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestOneProblemOfAConfiguration(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Config){
		"secrets: there is none":                        func(c *Config) { c.GitHub, c.GitLab = GitHub{}, GitLab{} },
		"GitHub repositories: none are listed":          func(c *Config) { c.GitHub.Repositories = nil },
		"GitLab projects: some are listed, but there":   func(c *Config) { c.GitLab.Tokens, c.GitLab.SigningKeys = nil, nil },
		"GitHub repositories: some are listed, and any": func(c *Config) { c.AnyRepository, c.GitLab.Repositories = true, nil },
		"GitLab token 1: is empty":                      func(c *Config) { c.GitLab.Tokens = []Secret{" "} },
		"linger: is negative":                           func(c *Config) { c.Linger = -1 },
		`address "host:http"`:                           func(c *Config) { c.Address = "host:http" },
	} {
		c := sampleConfig()
		change(&c)
		if _, err := New(c); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
