package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// policyInputs say what a rollout does where a canary has no field for it. The defaults are Flagger's behaviour.
type policyInputs struct {
	OnNoData      string `input:"on-no-data" default:"fail" help:"what a check without data means: fail (counts as a failed check), hold (wait for data, up to --gate-timeout) or pass"`
	MinRequests   int    `input:"min-requests" default:"0" help:"requests that a builtin check needs in its window; with fewer it has no data"`
	Consecutive   int    `input:"consecutive" default:"0" help:"failed checks in a row that roll the canary back before the threshold is reached; 0: only the threshold counts"`
	OnFailure     string `input:"on-failure" default:"rollback" help:"what a failed analysis does: rollback, or hold (leave the traffic where it is, for a person to look)"`
	OnCancel      string `input:"on-cancel" default:"rollback" help:"what a cancelled run does: rollback, or hold (leave the traffic where it is, for the next run to go on)"`
	GateTimeout   string `input:"gate-timeout" default:"60m" help:"how long a gate is waited for"`
	Settle        string `input:"settle" help:"how long a router is given to settle after each change of the traffic, before the analysis window starts; default: what the router is known to need"`
	OnGateTimeout string `input:"on-gate-timeout" default:"rollback" help:"what a gate that stays closed does: rollback, or hold (end with exit code 0 and leave the rollout for the next run)"`
}

// policy is the policy in the core's terms.
type policy struct {
	onNoData              rollout.Policy
	minRequests           int
	consecutive           int
	holdOnFailure         bool
	holdOnCancel          bool
	gateTimeout           time.Duration
	holdAtGate            bool
	settle                *time.Duration // nil: what the router is known to need
	uninstall, groupGates bool
	busy                  kube.Busy
	standing              standing
	approve               []canary.HookType // gates at which people approve
}

// parse checks every input and returns all problems at once.
func (in *policyInputs) parse() (policy, error) {
	p := policy{minRequests: in.MinRequests, consecutive: in.Consecutive}
	var problems []error
	if in.MinRequests < 0 {
		problems = append(problems, fmt.Errorf("min-requests: %d is below 0", in.MinRequests))
	}
	if in.Consecutive < 0 {
		problems = append(problems, fmt.Errorf("consecutive: %d is below 0", in.Consecutive))
	}
	switch in.OnNoData {
	case "fail":
	case "hold":
		p.onNoData = rollout.NoDataHolds
	case "pass":
		p.onNoData = rollout.NoDataPasses
	default:
		problems = append(problems, fmt.Errorf("on-no-data: %q is not known; allowed are fail, hold and pass", in.OnNoData))
	}
	var err error
	p.holdOnFailure, err = holds("on-failure", in.OnFailure)
	problems = append(problems, err)
	p.holdOnCancel, err = holds("on-cancel", in.OnCancel)
	problems = append(problems, err)
	p.holdAtGate, err = holds("on-gate-timeout", in.OnGateTimeout)
	problems = append(problems, err)
	if p.gateTimeout, err = time.ParseDuration(in.GateTimeout); err != nil || p.gateTimeout < time.Second {
		problems = append(problems, fmt.Errorf("gate-timeout: %q is not a duration of at least 1s, such as 60m", in.GateTimeout))
	}
	if in.Settle != "" {
		settle, err := time.ParseDuration(in.Settle)
		if err != nil || settle < 0 {
			problems = append(problems, fmt.Errorf("settle: %q is not a duration of at least 0s, such as 5s", in.Settle))
		}
		p.settle = &settle
	}
	if err := errors.Join(problems...); err != nil {
		return p, badInput(err)
	}
	return p, nil
}

func holds(name, value string) (bool, error) {
	switch value {
	case "rollback":
		return false, nil
	case "hold":
		return true, nil
	}
	return false, fmt.Errorf("%s: %q is not known; allowed are rollback and hold", name, value)
}

// apply puts the policy into the spec of a rollout. The router settles for as long as it is known to need, unless the
// policy says otherwise; that has to be less than the deadline, at which a router that is not done yet is given up.
func (p *policy) apply(s *rollout.Spec, known time.Duration) error {
	s.OnNoData, s.Consecutive, s.HoldOnFailure = p.onNoData, p.consecutive, p.holdOnFailure
	s.HoldOnCancel = p.holdOnCancel
	s.GateTimeout, s.GateHold, s.Uninstall, s.Group = p.gateTimeout, p.holdAtGate, p.uninstall, p.groupGates
	if len(p.approve) > 0 {
		s.Hooks = gate.HookTypes(s.Hooks, p.approve)
	}
	p.standing.apply(s)
	if s.Settle = known; p.settle != nil {
		s.Settle = *p.settle
	}
	if s.Settle >= s.Deadline {
		return fmt.Errorf("settle: %s is not below spec.progressDeadlineSeconds, which is %s", s.Settle, s.Deadline)
	}
	return nil
}
