package cli

import (
	"errors"
	"fmt"

	"github.com/penstock-dev/penstock/internal/kube"
)

// busyInputs say what a run does when it is not alone.
type busyInputs struct {
	IfBusy string `input:"if-busy" default:"wait" help:"what to do when another run is at work on the canary: wait (up to a minute), supersede (it stops at once, and this one goes on) or fail (end with exit code 3)"`
}

func (in *busyInputs) parse() (kube.Busy, error) {
	switch in.IfBusy {
	case "wait":
		return kube.Wait, nil
	case "supersede":
		return kube.Supersede, nil
	case "fail":
		return kube.Fail, nil
	}
	return kube.Wait, fmt.Errorf("if-busy: %q is not known; allowed are wait, supersede and fail", in.IfBusy)
}

// policy is that of a run: what a rollout does by itself, and what it does beside others. It returns all problems at once.
func (in *runInputs) policy() (policy, error) {
	p, err := in.policyInputs.parse()
	busy, busyErr := in.busyInputs.parse()
	p.busy = busy
	standing, standErr := in.suspendInputs.parse(&p)
	p.standing = standing
	if problems := errors.Join(plain(err), busyErr, standErr, standing.fits(in)); problems != nil {
		return p, badInput(problems)
	}
	return p, nil
}

// superseded marks the end of a run that another one has asked to make room before it began.
func superseded(err error) error { return &exitError{ExitSuperseded, err} }
