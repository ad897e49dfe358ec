package cli

import (
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/penstock-dev/penstock/internal/approval"
)

// hookInputs say whose webhooks a server receives, and how it reads what they are about.
type hookInputs struct {
	GitHubSecrets      []string `input:"github-secret" help:"secret of webhooks of GitHub; may be repeated, while one replaces the other"`
	GitHubSecretFiles  []string `input:"github-secret-file" help:"file with such secrets, one a line; may be repeated"`
	GitLabSecrets      []string `input:"gitlab-secret" help:"secret token of webhooks of GitLab; may be repeated"`
	GitLabSecretFiles  []string `input:"gitlab-secret-file" help:"file with such tokens, one a line; may be repeated"`
	GitLabSigning      []string `input:"gitlab-signing-secret" help:"signing token of webhooks of GitLab, whsec_...; may be repeated"`
	GitLabSigningFiles []string `input:"gitlab-signing-secret-file" help:"file with such signing tokens, one a line; may be repeated"`
	Repositories       []string `input:"repository" help:"repository whose webhooks count: github:NUMBER, gitlab:NUMBER, or any; may be repeated"`
	GitHubURL          string   `input:"github-url" default:"https://api.github.com" help:"address of the API of GitHub"`
	GitHubAppID        string   `input:"github-app-id" help:"number of the GitHub App as which the server reads comments"`
	GitHubAppKeyFile   string   `input:"github-app-key-file" help:"file with the private key of the GitHub App"`
	GitHubToken        string   `input:"github-token" help:"token of GitHub by which the server reads comments, in place of an App"`
	GitHubTokenFile    string   `input:"github-token-file" help:"file with that token"`
	GitLabURL          string   `input:"gitlab-url" default:"https://gitlab.com" help:"address of GitLab"`
	GitLabToken        string   `input:"gitlab-token" help:"access token of GitLab with the scope api, by which the server reads comments"`
	GitLabTriggers     []string `input:"gitlab-trigger-token" help:"NUMBER=TOKEN: token of the pipeline triggers of a project of GitLab, for runs with --resume trigger; may be repeated"`
	GitLabTriggerFiles []string `input:"gitlab-trigger-token-file" help:"file with such tokens, one a line; may be repeated"`
	GitLabTokenFile    string   `input:"gitlab-token-file" help:"file with that token"`
}

// hooks are the webhooks of a server, checked.
type hooks struct {
	github, gitlab, gitlabSigning []string
	anyRepository                 bool
	githubIDs, gitlabIDs          []int64
	access                        forgeAccess
}

// forgeAccess is how a server reads comments and permissions.
type forgeAccess struct {
	githubURL, gitlabURL     string
	githubToken, gitlabToken string
	appID                    int64 // 0 without an App
	appKey                   []byte
	triggers                 map[int64]string // tokens of GitLab's pipeline triggers, by the number of the project
}

// used reports whether webhooks are received at all. Gates and load tests need none.
func (h *hooks) used() bool { return len(h.github)+len(h.gitlab)+len(h.gitlabSigning) > 0 }

// allows reports whether a repository is listed, by its number.
func (h *hooks) allows(platform approval.Platform, repository int64) bool {
	ids := map[approval.Platform][]int64{approval.GitHub: h.githubIDs, approval.GitLab: h.gitlabIDs}[platform]
	return h.anyRepository || slices.Contains(ids, repository)
}

func (in *hookInputs) parse(p *problems) hooks {
	h := hooks{
		github:        p.secrets(secretInput{name: "github-secret", texts: in.GitHubSecrets, files: in.GitHubSecretFiles}),
		gitlab:        p.secrets(secretInput{name: "gitlab-secret", texts: in.GitLabSecrets, files: in.GitLabSecretFiles}),
		gitlabSigning: p.secrets(secretInput{name: "gitlab-signing-secret", texts: in.GitLabSigning, files: in.GitLabSigningFiles}),
	}
	in.parseRepositories(p, &h)
	h.access = in.parseAccess(p)
	h.check(p)
	return h
}

func (in *hookInputs) parseRepositories(p *problems, h *hooks) {
	for _, text := range in.Repositories {
		platform, number, _ := strings.Cut(text, ":")
		id, err := strconv.ParseInt(number, 10, 64)
		switch {
		case text == anyRepository:
			h.anyRepository = true
		case (platform != "github" && platform != "gitlab") || err != nil || id <= 0:
			p.addf("repository: %q is not known; allowed are github:NUMBER, gitlab:NUMBER and any", text)
		case platform == "github":
			h.githubIDs = append(h.githubIDs, id)
		default:
			h.gitlabIDs = append(h.gitlabIDs, id)
		}
	}
}

func (in *hookInputs) parseAccess(p *problems) forgeAccess {
	access := forgeAccess{
		githubURL: in.GitHubURL, gitlabURL: in.GitLabURL,
		githubToken: p.secret(secretInput{name: "github-token", texts: given(in.GitHubToken), files: given(in.GitHubTokenFile)}),
		gitlabToken: p.secret(secretInput{name: "gitlab-token", texts: given(in.GitLabToken), files: given(in.GitLabTokenFile)}),
	}
	access.triggers = in.parseTriggers(p)
	p.add(checkForgeURL("github-url", in.GitHubURL))
	p.add(checkForgeURL("gitlab-url", in.GitLabURL))
	in.parseApp(p, &access)
	return access
}

// parseTriggers reads the tokens of GitLab's pipeline triggers. What is wrong is said without them.
func (in *hookInputs) parseTriggers(p *problems) map[int64]string {
	tokens := map[int64]string{}
	for i, text := range p.secrets(secretInput{name: "gitlab-trigger-token", texts: in.GitLabTriggers, files: in.GitLabTriggerFiles}) {
		number, token, _ := strings.Cut(text, "=")
		project, err := strconv.ParseInt(number, 10, 64)
		switch {
		case err != nil || project <= 0 || token == "":
			p.addf("gitlab-trigger-token: number %d is not NUMBER=TOKEN, with the number of the project (its text is not shown)", i+1)
		case tokens[project] != "":
			p.addf("gitlab-trigger-token: project %d has two tokens; use one of them", project)
		default:
			tokens[project] = token
		}
	}
	return tokens
}

func checkForgeURL(name, address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "":
		return fmt.Errorf("%s: it is not an address such as https://gitlab.example.com", name) // it may hold a password
	case u.User != nil:
		return fmt.Errorf("%s: an address with a user name is not allowed; the token is an input of its own", name)
	}
	return nil
}

// parseApp reads who the server is on GitHub when it is an App.
func (in *hookInputs) parseApp(p *problems, access *forgeAccess) {
	if in.GitHubAppID != "" {
		var err error
		if access.appID, err = strconv.ParseInt(in.GitHubAppID, 10, 64); err != nil || access.appID <= 0 {
			p.addf("github-app-id: %q is not a number", in.GitHubAppID)
		}
	}
	if in.GitHubAppKeyFile != "" {
		key, err := os.ReadFile(in.GitHubAppKeyFile)
		switch block, _ := pem.Decode(key); {
		case err != nil:
			p.addf("github-app-key-file: %w", err)
		case block == nil:
			p.addf("github-app-key-file: %q holds no private key; allowed is the .pem file that GitHub gives", in.GitHubAppKeyFile)
		default:
			access.appKey = key
		}
	}
	if (in.GitHubAppID == "") != (in.GitHubAppKeyFile == "") {
		p.addf("github-app-id, github-app-key-file: an App needs both")
	}
	if in.GitHubAppID != "" && access.githubToken != "" {
		p.addf("github-app-id, github-token: both are given; use one of them")
	}
}

// check adds what is wrong between the inputs.
func (h *hooks) check(p *problems) {
	github, gitlab := len(h.github) > 0, len(h.gitlab)+len(h.gitlabSigning) > 0
	for _, platform := range []struct {
		name            string
		received, reads bool
		secrets, access string
		ids             []int64
	}{
		{"github", github, h.access.githubToken != "" || h.access.appID != 0, "--github-secret", "--github-app-id or --github-token", h.githubIDs},
		{"gitlab", gitlab, h.access.gitlabToken != "", "--gitlab-secret or --gitlab-signing-secret", "--gitlab-token", h.gitlabIDs},
	} {
		switch {
		case platform.received && !platform.reads:
			p.addf("%s-secret: a webhook only says where to look, and the server may not look; give %s", platform.name, platform.access)
		case !platform.received && len(platform.ids) > 0:
			p.addf("repository: %s:%d can send nothing, since no secret is given; give %s", platform.name, platform.ids[0], platform.secrets)
		}
		if platform.received && len(platform.ids) == 0 && !h.anyRepository {
			p.addf("repository: none of %s is given, so that no webhook would count; give %s:NUMBER, or any", platform.name, platform.name)
		}
	}
	if h.anyRepository && len(h.githubIDs)+len(h.gitlabIDs) > 0 {
		p.addf("repository: any and single repositories are given; use one of them")
	}
	if h.anyRepository && !github && !gitlab {
		p.addf("repository: any can send nothing, since no secret is given")
	}
}
