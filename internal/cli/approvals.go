package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/runner"
)

// approvalInputs say at which gates people approve, and who may.
type approvalInputs struct {
	Approvals      string   `input:"approvals" default:"off" help:"who opens the gates of --approve: off, poll (the run reads the comments of its pull request), or server (penstock serve reads them)"`
	Approve        []string `input:"approve" help:"gate at which people approve by a comment: confirm-rollout, confirm-traffic-increase or confirm-promotion; may be repeated"`
	ApprovalPolicy string   `input:"approval-policy" help:"file that says who may approve and how many have to"`
	Approvers      []string `input:"approvers" help:"group of people who approve, in place of a policy file: user:NUMBER, team:OWNER/TEAM, role:ROLE and count:N, with commas between; may be repeated, and then every group has to approve"`
	ApprovalsEvery string   `input:"approvals-every" default:"20s" help:"how often the comments are read, or with a server the pull request"`
	CommandPrefix  string   `input:"command-prefix" default:"/canary" help:"word that commands in comments start with"`
}

// approvals are what the inputs say, checked.
type approvals struct {
	gates  []canary.HookType
	policy approval.Policy
	every  time.Duration
	prefix string
	ci     forge.CI
	change gate.Forum
	alone  bool
	served bool // a server reads the comments
}

// people checks the inputs and returns all problems at once, or nil when nobody has to approve.
func (in *approvalInputs) people(p *policy, b *bulletin) (*approvals, error) {
	if in.Approvals == "off" {
		if len(in.Approve)+len(in.Approvers) > 0 || in.ApprovalPolicy != "" {
			return nil, errors.New("approvals: is off, and approve, approvers or approval-policy ask for approvals; use --approvals poll or server")
		}
		return nil, nil
	}
	out, err := in.parse(p)
	if err == nil {
		err = b.approvable(out)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ask asks the forge for the change on which people approve. The policy of the rollout is made to wait as long as that of
// the approvals says.
func (out *approvals) ask(ctx context.Context, p *policy) error {
	change, err := out.change.Read(ctx)
	switch {
	case err != nil:
		return unfinished(fmt.Errorf("approvals: %w", err))
	case change.Number == 0:
		kind := map[forge.Platform]string{forge.PlatformGitHub: "pull", forge.PlatformGitLab: "merge"}[out.ci.Platform]
		return badInput(fmt.Errorf("approvals: the commit %s belongs to no %s request, so nobody could approve by a comment", out.ci.SHA, kind))
	}
	p.approve, p.gateTimeout, p.holdAtGate = out.gates, out.policy.Deadline, out.policy.OnExpiry == approval.Hold
	return nil
}

// parse returns all problems at once.
func (in *approvalInputs) parse(p *policy) (*approvals, error) {
	out := &approvals{served: in.Approvals == "server"}
	var problems []error
	add := func(err error) { problems = append(problems, err) }
	if in.Approvals != "poll" && !out.served {
		add(fmt.Errorf("approvals: %q is not known; allowed are off, poll and server", in.Approvals))
	}
	var err error
	out.gates, err = parseGates(in.Approve)
	add(err)
	if out.every, err = time.ParseDuration(in.ApprovalsEvery); err != nil || out.every < time.Second {
		add(fmt.Errorf("approvals-every: %q is not a duration of at least 1s, such as 20s", in.ApprovalsEvery))
	}
	if out.prefix, err = approval.ParsePrefix(in.CommandPrefix); err != nil {
		add(fmt.Errorf("command-prefix: %w", err))
	}
	out.policy, err = whoApproves(in.ApprovalPolicy, in.Approvers, p)
	add(err)
	if err == nil {
		add(p.contradicts(&out.policy))
	}
	return out, errors.Join(problems...)
}

// contradicts returns what the inputs say of gates although the policy of the approvals, whose word counts, says otherwise.
// What is the default of both says nothing.
func (p *policy) contradicts(of *approval.Policy) error {
	var problems []error
	if p.gateTimeout != of.Deadline && p.gateTimeout != approval.Defaults().Deadline {
		problems = append(problems, fmt.Errorf("gate-timeout: %s, but the file of the approval policy says deadline: %s, which counts; change it there",
			p.gateTimeout, of.Deadline))
	}
	if p.holdAtGate && of.OnExpiry != approval.Hold {
		problems = append(problems, errors.New("on-gate-timeout: hold, but the file of the approval policy says onExpiry: rollback, which counts; write pause there"))
	}
	return errors.Join(problems...)
}

// whoApproves reads the policy from a file, or makes it of groups. The other inputs say how long a gate of those waits.
func whoApproves(file string, groups []string, of *policy) (approval.Policy, error) {
	switch {
	case file != "" && len(groups) > 0:
		return approval.Policy{}, errors.New("approval-policy, approvers: both say who may approve; use one of them")
	case file != "":
		return readPolicy(file)
	case len(groups) > 0:
		return shortPolicy(groups, of)
	default:
		return approval.Policy{}, errors.New("approvers: nobody may approve; name people with --approvers or --approval-policy")
	}
}

func parseGates(names []string) ([]canary.HookType, error) {
	if len(names) == 0 {
		return nil, errors.New("approve: no gate is given; allowed are confirm-rollout, confirm-traffic-increase and confirm-promotion")
	}
	var gates []canary.HookType
	var problems []error
	for _, name := range names {
		switch hook := canary.HookType(name); hook {
		case canary.HookConfirmRollout, canary.HookConfirmTrafficIncrease, canary.HookConfirmPromotion:
			if !slices.Contains(gates, hook) {
				gates = append(gates, hook)
			}
		default:
			problems = append(problems, fmt.Errorf("approve: %q is not a gate; allowed are confirm-rollout, confirm-traffic-increase and confirm-promotion", name))
		}
	}
	return gates, errors.Join(problems...)
}

// readPolicy reads a policy file.
func readPolicy(path string) (approval.Policy, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return approval.Policy{}, fmt.Errorf("approval-policy: %w", err)
	}
	p, err := approval.ParsePolicy(text)
	if err != nil {
		return p, fmt.Errorf("approval-policy: %s:\n%w", path, err)
	}
	return p, nil
}

// shortPolicy makes a policy of groups, each in one text. The other inputs say how long a gate waits.
func shortPolicy(groups []string, of *policy) (approval.Policy, error) {
	p := approval.Defaults()
	p.Deadline = of.gateTimeout
	if of.holdAtGate {
		p.OnExpiry = approval.Hold
	}
	var problems []error
	for i, text := range groups {
		g, err := parseGroup(text)
		if g.Name = "approvers"; i > 0 {
			g.Name += "-" + strconv.Itoa(i+1)
		}
		p.Groups = append(p.Groups, g)
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return p, err
	}
	if err := p.Check(); err != nil {
		return p, fmt.Errorf("approvers, gate-timeout: as a policy:\n%w", err)
	}
	return p, nil
}

func parseGroup(text string) (approval.Group, error) {
	g := approval.Group{Count: 1}
	for part := range strings.SplitSeq(text, ",") {
		kind, value, _ := strings.Cut(strings.TrimSpace(part), ":")
		var err error
		switch kind {
		case "user":
			var id int64
			id, err = strconv.ParseInt(value, 10, 64)
			g.Users = append(g.Users, id)
		case "team":
			g.Teams = append(g.Teams, strings.ToLower(value))
		case "role":
			g.MinRole, err = approval.ParseRole(value)
		case "count":
			g.Count, err = strconv.Atoi(value)
		default:
			return g, fmt.Errorf("approvers: %q is not known; allowed are user:NUMBER, team:OWNER/TEAM, role:ROLE and count:N", part)
		}
		if err != nil {
			return g, fmt.Errorf("approvers: %q: %w", part, err)
		}
	}
	return g, nil
}

// over puts the approvals before the webhooks of a canary's run.
func (ap *approvals) over(d *drive, run string, hooks runner.Hooks, posted *gate.Posted) *gate.Approvals {
	images := ""
	for _, container := range slices.Sorted(maps.Keys(d.images)) {
		images += container + "=" + d.images[container] + "\n"
	}
	spec, _ := json.Marshal(d.canary.Spec) // a parsed document can be written again
	b := approval.Binding{Rollout: run, Repository: ap.ci.RepositoryID, SHA: ap.ci.SHA, Digest: images, SpecHash: approval.HashBody(string(spec))}
	return gate.NewApprovals(gate.ApprovalConfig{
		Webhooks: hooks, Called: d.called, Gates: ap.gates, Policy: ap.policy, Binding: b, Key: []byte(rand.Text()),
		Source: approval.Source{Platform: approval.Platform(ap.ci.Platform), Repository: ap.ci.RepositoryID}, Change: ap.change,
		Ledger: kube.NewDecisions(d.client, d.canary), Clock: d.clock, Every: ap.every, Prefix: ap.prefix, Alone: ap.alone, Warn: d.warn,
		Path: ap.ci.Repository, Served: ap.served, Posted: posted,
		Answer: &gate.Answering{Speaker: ap.change, Notebook: kube.NewDecisions(d.client, d.canary), Standing: func(ctx context.Context) (report.Standing, error) {
			return d.client.StandingOf(ctx, kube.Whose{Namespace: d.canary.Namespace, Canary: d.canary.Name}, d.clock.Now())
		}},
	})
}

// voting is a run at whose gates people approve.
type voting struct {
	*gate.Approvals
	decided *kube.Decided
	stop    func()
}

// listen makes the run hear of decisions, whoever takes them. It returns when those that are there were read.
func (ap *approvals) listen(ctx context.Context, d *drive, f *fence, people *gate.Approvals) (*voting, error) {
	v := &voting{Approvals: people, decided: kube.NewDecided(d.client, d.canary)}
	people.Decided, people.Board = v.decided, kube.NewBoard(d.client, d.canary, f.Fence)
	watching, stop := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { v.decided.Run(watching) })
	v.stop = func() { stop(); done.Wait() }
	limit, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		_, known, err := v.decided.Log()
		switch {
		case known && err == nil:
			return v, nil
		case known: // it can be read, and makes no sense: waiting does not help
			v.stop()
			return nil, classify(err)
		}
		select {
		case <-v.decided.Changed():
		case <-limit.Done():
			v.stop()
			if err == nil {
				err = fmt.Errorf("the cluster has not said within %s what people have decided", startLimit)
			}
			return nil, unfinished(err)
		}
	}
}

// heard wakes the run when somebody has decided something. It is nil when nobody has to approve.
func (v *voting) heard() <-chan struct{} {
	if v == nil {
		return nil
	}
	return v.decided.Changed()
}

// close says that nobody is listened to any more. What is said to a rollout that is suspended counts for the run that takes
// it up.
func (v *voting) close(ctx context.Context, suspended bool) {
	if v == nil {
		return
	}
	if !suspended {
		v.Close(ctx)
	}
	v.stop()
}

// posted is the gate that this run comes back to, or nil.
func (d *drive) posted(ctx context.Context) (*gate.Posted, error) {
	record, err := kube.NewJournal(d.client, d.canary).Load(ctx)
	if err != nil || record.Status.Suspended.IsZero() {
		return nil, err
	}
	n, err := d.client.Notice(ctx, d.canary)
	if err != nil || n == nil || n.Over || n.Epoch != record.Epoch {
		return nil, err
	}
	return &gate.Posted{Gate: n.Gate, Status: record.Status}, nil
}
