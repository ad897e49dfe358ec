package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// suspendInputs say how a run leaves a gate that is closed, and how another one comes back to it.
type suspendInputs struct {
	OnGate    string   `input:"on-gate" default:"wait" help:"what a run does at a closed gate: wait (up to --gate-timeout), or suspend (end with exit code 0; the next run of the same revision goes on from there)"`
	Wait      string   `input:"wait" help:"how long --on-gate suspend waits before it suspends; default 0s"`
	Watchdog  string   `input:"watchdog" help:"who ends a suspended rollout when --gate-timeout is over: schedule (a scheduled penstock finalize --expired) or server (penstock serve, which has to be there); --on-gate suspend needs it"`
	SuspendAt []string `input:"suspend-at" help:"gate that a later run opens with --approved, whatever webhooks say: confirm-rollout, confirm-traffic-increase or confirm-promotion; may be repeated"`
	Resume    string   `input:"resume" default:"none" help:"how the server starts the run that goes on from there, when people have answered the gate: none, or on GitHub rerun[:JOB], workflow:FILE[@REF], dispatch:EVENT or protection-rule:ENVIRONMENT, and on GitLab play:JOB or trigger[:REF]; needs --approvals server and --watchdog server"`
	Approved  []string `input:"approved" help:"gate that is open because somebody has started this run to open it, if the rollout was suspended there; may be repeated"`
}

// standing is how runs leave gates and come back to them.
type standing struct {
	suspend  bool
	server   bool // a server ends what stays suspended for too long
	after    time.Duration
	at       []canary.HookType // gates that runs open: those to suspend at, and those to open
	approved []canary.HookType
	resume   forge.Means // by which a server starts the run that comes back
}

// parse returns all problems at once. The policy is that of the rollout.
func (in *suspendInputs) parse(p *policy) (standing, error) {
	var s standing
	var problems []error
	say := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	suspended, err := runGates("suspend-at", in.SuspendAt)
	problems = append(problems, err)
	s.approved, err = runGates("approved", in.Approved)
	problems = append(problems, err)
	s.at = append(suspended, s.approved...)
	if s.resume, err = forge.ParseMeans(in.Resume); err != nil {
		say("resume: %w", err)
	}
	switch in.Watchdog {
	case "", "schedule":
	case "server":
		s.server = true
	default:
		say("watchdog: %q is not known; allowed are schedule and server", in.Watchdog)
	}
	switch in.OnGate {
	case "wait":
		if in.Wait != "" {
			say("wait: %q is only for --on-gate suspend; how long a gate is waited for is --gate-timeout", in.Wait)
		}
		if len(in.SuspendAt) > 0 {
			say("suspend-at: needs --on-gate suspend; with wait, nothing opens the gate while the run lasts")
		}
	case "suspend":
		s.suspend = true
		if in.Watchdog == "" {
			say("watchdog: is missing; nobody would end a suspended rollout whose gate stays closed: run a scheduled " +
				"penstock finalize --expired and say so with --watchdog schedule, or run penstock serve and say so with --watchdog server")
		}
		if in.Wait != "" {
			if s.after, err = time.ParseDuration(in.Wait); err != nil || s.after < 0 {
				say("wait: %q is not a duration of at least 0s, such as 10m", in.Wait)
			}
		}
		if p.gateTimeout > 0 && s.after >= p.gateTimeout {
			say("wait: %s is not below --gate-timeout, which is %s", s.after, p.gateTimeout)
		}
	default:
		say("on-gate: %q is not known; allowed are wait and suspend", in.OnGate)
	}
	return s, errors.Join(problems...)
}

func runGates(input string, names []string) ([]canary.HookType, error) {
	var gates []canary.HookType
	var problems []error
	for _, name := range names {
		switch gate := canary.HookType(name); gate {
		case canary.HookConfirmRollout, canary.HookConfirmTrafficIncrease, canary.HookConfirmPromotion:
			gates = append(gates, gate)
		default:
			problems = append(problems, fmt.Errorf("%s: %q is not a gate; allowed are %s, %s and %s", input, name,
				canary.HookConfirmRollout, canary.HookConfirmTrafficIncrease, canary.HookConfirmPromotion))
		}
	}
	return gates, errors.Join(problems...)
}

// fits returns what a run that suspends cannot do.
func (s *standing) fits(in *runInputs) error {
	var problems []error
	if s.resume != (forge.Means{}) {
		problems = s.resumes(in)
	}
	if !s.suspend {
		return errors.Join(problems...)
	}
	if in.Group {
		problems = append(problems, errors.New("on-gate: suspend is not for --group; its canaries wait for each other"))
	}
	if in.Driver == "follow" {
		problems = append(problems, errors.New("on-gate: suspend is not for --driver follow; the gates are Flagger's"))
	}
	return errors.Join(problems...)
}

// resumes returns what is lacking for a server to start the run that comes back.
func (s *standing) resumes(in *runInputs) []error {
	var problems []error
	if !s.suspend {
		problems = append(problems, fmt.Errorf("resume: %s needs --on-gate suspend; with wait, the run is there when the gate opens", s.resume))
	}
	if in.Approvals != "server" {
		problems = append(problems, fmt.Errorf("resume: %s needs --approvals server, by which a server knows that the gate is open", s.resume))
	}
	if in.Watchdog != "server" {
		problems = append(problems, fmt.Errorf("resume: %s needs --watchdog server, which refuses when no server is there", s.resume))
	}
	return problems
}

// startable returns why a job could not be followed by the run that a server starts.
func (s *standing) startable(ci *forge.CI) error {
	m := s.resume
	atRef := m.Ref == "" && (m.Kind == forge.Workflow || m.Kind == forge.Trigger)
	switch {
	case m == forge.Means{}:
		return nil
	case ci.Platform == "":
		return fmt.Errorf("resume: %s is for a job of %s, and this is none, or --forge none hides it", m, m.Platform().Title())
	case ci.Platform != m.Platform():
		return fmt.Errorf("resume: %s is of %s, and this is a job of %s", m, m.Platform().Title(), ci.Platform.Title())
	case atRef && (ci.Ref == "" || ci.Fork || strings.HasPrefix(ci.Ref, "refs/pull/")):
		return fmt.Errorf("resume: %s needs a branch or a tag of this repository, and the job is for %q; add one", m, ci.Ref)
	}
	return nil
}

// apply puts it into the spec of a rollout.
func (s *standing) apply(spec *rollout.Spec) {
	spec.SuspendAtGate, spec.SuspendAfter = s.suspend, s.after
	spec.Hooks = slices.Clone(spec.Hooks)
	for _, hook := range s.at {
		if !slices.Contains(spec.Hooks, hook) {
			spec.Hooks = append(spec.Hooks, hook)
		}
	}
}

// passage asks the gates that runs open, after whoever else has a say in them.
type passage struct {
	standing
	hooks runner.Hooks      // nil when nobody else is asked
	asked []canary.HookType // what hooks are there for
	found *finding
}

// over puts the gates that runs open behind the hooks.
func (s *standing) over(hooks runner.Hooks, asked []canary.HookType, found *finding) runner.Hooks {
	if len(s.at) == 0 {
		return hooks
	}
	return &passage{standing: *s, hooks: hooks, asked: asked, found: found}
}

// Call implements runner.Hooks.
func (p *passage) Call(ctx context.Context, hook canary.HookType, st *rollout.Status) rollout.HookAnswer {
	mine := slices.Contains(p.at, hook)
	answer := rollout.HookAnswer{Verdict: rollout.Pass}
	if p.hooks != nil && (!mine || slices.Contains(p.asked, hook)) {
		answer = p.hooks.Call(ctx, hook, st)
	}
	switch {
	case !mine || answer.Verdict != rollout.Pass:
		return answer
	case slices.Contains(p.approved, hook) && p.found.suspendedAt(hook, st):
		return rollout.HookAnswer{Verdict: rollout.Pass, Message: strings.TrimSpace(answer.Message + " opened by the start of this run")}
	}
	return rollout.HookAnswer{Verdict: rollout.Fail, Message: "waits for a run with --approved " + string(hook)}
}

// finding is a journal that remembers what the run has found in it.
type finding struct {
	runner.Journal
	mu   sync.Mutex
	once bool
	was  rollout.Status
}

// Load implements runner.Journal.
func (f *finding) Load(ctx context.Context) (rollout.Record, error) {
	record, err := f.Journal.Load(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && !f.once {
		f.once, f.was = true, record.Status
	}
	return record, err
}

// suspendedAt reports whether the run has found its rollout suspended at this very gate: who starts a run opens the gate
// that was shown, and no later one, and not that of another revision.
func (f *finding) suspendedAt(gate canary.HookType, st *rollout.Status) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.was.Suspended.IsZero() && f.was.Gate == gate && f.was.Revision == st.Revision && f.was.Step == st.Step
}
