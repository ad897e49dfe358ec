package cli

import (
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"regexp"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/loadtest"
	"github.com/penstock-dev/penstock/internal/server"
)

// gateTokenLength is the least length of a token of the gates, which can be guessed at as fast as the network allows.
const gateTokenLength = 16

// serveInputs are the inputs of a server.
type serveInputs struct {
	clusterInputs
	hookInputs
	serveLogInputs
	Prefix          string   `input:"command-prefix" default:"/canary" help:"word that commands in comments start with"`
	Linger          string   `input:"linger" default:"0s" help:"how long to go on receiving webhooks after the order to end, until load balancers know of it"`
	Address         string   `input:"address" default:":8080" help:"address to listen on, such as :8080 or 127.0.0.1:8080; with the port 0 the system chooses one"`
	Data            string   `input:"data" help:"file that keeps the gates, for one replica without a cluster; default: ConfigMaps in the cluster"`
	Namespaces      []string `input:"serve-namespace" help:"namespace whose canaries have their gates here; may be repeated; default: the one of --namespace, or with --data all"`
	GateTokens      []string `input:"gate-token" help:"token without which no gate is told, opened or closed, and no task is run; may be repeated; default: everybody may"`
	GateTokenFiles  []string `input:"gate-token-file" help:"file with such tokens, one a line; may be repeated"`
	Watchdog        string   `input:"watchdog" default:"on" help:"on: end the rollouts of those namespaces whose run has died, or that were suspended for too long; off: leave them to others. Without a cluster there is nothing to watch"`
	ApprovalPolicy  string   `input:"approval-policy" help:"file that says who opens by a comment the gates of Flagger's canaries whose webhooks name a repository"`
	PolicyPath      string   `input:"approval-policy-path" help:"path of a policy file on the default branch of the repository that the webhook names, which may ask for more than --approvers or --approval-policy, and not for less"`
	Approvers       []string `input:"approvers" help:"group of people who do, in place of a policy file: user:NUMBER, team:OWNER/TEAM, role:ROLE and count:N, with commas between; may be repeated"`
	Page            string   `input:"page" default:"token" help:"who may see the page that shows the rollouts, at /: token (whoever knows a --page-token or a --gate-token), on (everybody), or off"`
	PageTokens      []string `input:"page-token" help:"token by which the page can be seen, and nothing else be done; may be repeated"`
	PageTokenFiles  []string `input:"page-token-file" help:"file with such tokens, one a line; may be repeated"`
	LoadTester      bool     `input:"load-tester" help:"run the tasks of Flagger's load tester"`
	LoadTesterAllow string   `input:"load-tester-namespace-allow" help:"regular expression that the namespaces of canaries and targets of tasks have to match; default: all"`
	LoadTesterShell bool     `input:"load-tester-shell" help:"let tasks start processes (bash, helm, kubectl); whoever may write a Canary can then run anything here"`
}

// serveLogInputs say what the log looks like.
type serveLogInputs struct {
	LogFormat string `input:"log-format" default:"auto" help:"text, json, or auto (text on a terminal, else json)"`
	LogLevel  string `input:"log-level" default:"info" help:"the least important lines to write: debug, info, warn or error"`
}

// serving is what the inputs say, checked.
type serving struct {
	address    string
	data       string
	tokens     server.GateTokens
	namespaces []string           // empty: with --data all, else the cluster's
	tester     *loadtest.Options  // nil without a load tester
	page       *server.PageConfig // nil without a page
	hooks      hooks
	policy     *approval.Policy // of Flagger's gates; nil when people open none
	policyPath string           // of a repository's own, which may ask for more; empty for none
	prefix     string           // of commands
	linger     time.Duration    // how long webhooks are received after the order to end
	watchdog   bool
	log        *slog.Logger

	client *kube.Client // nil when nothing is kept in a cluster
	file   *server.File // nil when everything is
	gates  *server.Gates

	guard   *guard        // nil when nobody watches over the rollouts
	resumer *gate.Resumer // nil when no webhook is received
	runs    *runs         // likewise
}

// parse reads the files of secrets, and returns all problems at once. Nothing is opened and nobody is asked.
func (in *serveInputs) parse(a *App) (*serving, error) {
	var p problems
	out := &serving{address: in.Address, data: in.Data, namespaces: in.Namespaces}
	p.add(checkListenAddress(in.Address))
	if len(in.Namespaces) == 0 && in.Namespace != "" {
		out.namespaces = []string{in.Namespace}
	}
	for _, namespace := range in.Namespaces {
		if len(validation.IsDNS1123Label(namespace)) > 0 {
			p.addf("serve-namespace: %q is no name of a namespace", namespace)
		}
	}
	out.tokens = p.secrets(secretInput{name: "gate-token", texts: in.GateTokens, files: in.GateTokenFiles, least: gateTokenLength})
	out.page = in.parsePage(&p, out.tokens)
	out.tester = in.parseTester(&p, len(out.tokens) > 0)
	out.hooks = in.hookInputs.parse(&p)
	out.policy = in.parsePolicy(&p, out)
	var err error
	if out.prefix, err = approval.ParsePrefix(in.Prefix); err != nil {
		p.addf("command-prefix: %w", err)
	}
	if out.linger, err = time.ParseDuration(in.Linger); err != nil || out.linger < 0 {
		p.addf("linger: %q is not a duration such as 5s", in.Linger)
	}
	if out.watchdog = in.Watchdog == "on"; !out.watchdog && in.Watchdog != "off" {
		p.addf("watchdog: %q is not known; allowed are on and off", in.Watchdog)
	}
	out.log, err = a.logger(in.serveLogInputs)
	p.add(err)
	return out, p.err()
}

// parsePolicy returns by which policy people open the gates of Flagger, nil when they do not.
func (in *serveInputs) parsePolicy(p *problems, out *serving) *approval.Policy {
	if in.ApprovalPolicy == "" && len(in.Approvers) == 0 {
		if in.PolicyPath != "" {
			p.addf("approval-policy-path: such a file may only ask for more; say with --approvers or --approval-policy what is asked for at least")
		}
		return nil
	}
	if out.policyPath = in.PolicyPath; out.policyPath != "" && (!fs.ValidPath(out.policyPath) || out.policyPath == ".") {
		p.addf("approval-policy-path: %q is not the path of a file from the root of a repository, such as .penstock/approvals.yaml", in.PolicyPath)
	}
	policy, err := whoApproves(in.ApprovalPolicy, in.Approvers, &policy{gateTimeout: approval.Defaults().Deadline})
	p.add(err)
	if !out.hooks.used() {
		p.addf("approvers, approval-policy: no webhook is received, so that nobody's comment would be heard; give --github-secret or --gitlab-secret")
	}
	if len(out.tokens) == 0 {
		p.addf("approvers, approval-policy: everybody who reaches the server could make it write to pull requests; give a --gate-token")
	}
	return &policy
}

// parsePage returns who may see the page, nil when there is none. Whoever may open gates may look at them, too.
func (in *serveInputs) parsePage(p *problems, gates server.GateTokens) *server.PageConfig {
	tokens := p.secrets(secretInput{name: "page-token", texts: in.PageTokens, files: in.PageTokenFiles, least: gateTokenLength})
	switch in.Page {
	case "token":
		return &server.PageConfig{Tokens: slices.Concat(tokens, gates)}
	case "on", "off":
		if len(in.PageTokens)+len(in.PageTokenFiles) > 0 {
			p.addf("page-token: nobody is asked for one with --page %s; leave one of the two out", in.Page)
		}
	default:
		p.addf("page: %q is not known; allowed are token, on and off", in.Page)
	}
	if in.Page == "on" {
		return &server.PageConfig{Open: true}
	}
	return nil
}

// parseTester returns the options of the load tester, nil when there is none.
func (in *serveInputs) parseTester(p *problems, guarded bool) *loadtest.Options {
	if !in.LoadTester {
		if in.LoadTesterAllow != "" {
			p.addf("load-tester-namespace-allow: there is no load tester; add --load-tester")
		}
		if in.LoadTesterShell {
			p.addf("load-tester-shell: there is no load tester; add --load-tester")
		}
		return nil
	}
	options := &loadtest.Options{Exec: in.LoadTesterShell}
	if in.LoadTesterShell && !guarded {
		p.addf("load-tester-shell: everybody who reaches the server could run anything on it; give a --gate-token")
	}
	if in.LoadTesterAllow != "" {
		var err error
		if options.Namespaces, err = regexp.Compile(in.LoadTesterAllow); err != nil {
			p.addf("load-tester-namespace-allow: %q is no regular expression (RE2): %w", in.LoadTesterAllow, err)
		}
	}
	return options
}

func checkListenAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("address: %q is not an address such as :8080 or 127.0.0.1:8080", address)
	}
	return nil
}
