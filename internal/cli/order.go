package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/penstock-dev/penstock/internal/canary"
)

// order is what the inputs of a run ask for, checked.
type order struct {
	set      canary.Set
	name     string // of the canary; empty: all of the files
	images   map[string]string
	policy   policy
	follows  bool
	bulletin *bulletin
	people   *approvals // nil: nobody has to approve
}

// order checks all that can be checked before the cluster and the forge are asked, and lists every problem at once.
func (a *App) order(in *runInputs, args []string, b *bulletin) (*order, error) {
	o := &order{bulletin: b}
	var problems []error
	check := func(err error) { problems = append(problems, plain(err)) }
	if len(in.Files) == 0 {
		check(fmt.Errorf("filename: no file is given; use -f FILE, -f DIRECTORY or -f -"))
	}
	check(parseOutput(in.Output))
	args, err := in.named(args)
	check(err)
	in.Images, args, err = b.asked(in.Images, args)
	check(err)
	o.images, err = parseImages(in.Images)
	check(err)
	o.policy, err = in.policy()
	check(err)
	if o.policy.uninstall = in.Uninstall; in.Uninstall && len(in.Images) > 0 {
		check(errors.New("uninstall: --image rolls out and --uninstall takes away; use one of them"))
	}
	o.follows, err = in.follows()
	check(err)
	if in.Approvals != "off" && (o.follows || in.Uninstall) {
		check(errors.New("approvals: only a run that drives a rollout itself has gates; not --driver follow, and not --uninstall"))
	}
	o.people, err = in.approvalInputs.people(&o.policy, b)
	check(err)
	_, err = in.reachInputs.parse()
	check(err)
	_, err = in.ofJob(a.Getenv)
	check(err)
	o.set, err = a.read(in.Files)
	check(err)
	if len(args) > 0 {
		o.name = args[0]
	}
	check(o.policy.standing.startable(&b.ci))
	check(o.fits(in))
	if err := badInputs(problems); err != nil {
		return nil, err
	}
	return o, nil
}

// fits returns what the inputs ask for that the canaries of the files do not allow.
func (o *order) fits(in *runInputs) error {
	if len(o.set.Canaries) == 0 {
		return nil // which has been said
	}
	if !o.one() {
		if o.follows {
			return fmt.Errorf("driver: a run follows one canary and the files hold %d; name one", len(o.set.Canaries))
		}
		return nil
	}
	if o.people != nil {
		o.people.alone = true
	}
	problems := []error{plain(in.alone())}
	c, err := choose(&o.set, o.name)
	if err != nil {
		return errors.Join(append(problems, plain(err))...)
	}
	if n := len(o.set.ComparisonsOf(c)); o.follows && n > 0 {
		problems = append(problems, fmt.Errorf("driver: the files hold %s of canary %q, and Flagger knows none; not with --driver follow",
			counted(n, "Comparison", "Comparisons"), c.Name))
	}
	return errors.Join(problems...)
}

// one reports whether the run is about a single canary.
func (o *order) one() bool { return o.name != "" || len(o.set.Canaries) == 1 }

// ask asks the forge for what the order depends on.
func (o *order) ask(ctx context.Context) error {
	if o.people == nil {
		return nil
	}
	return o.people.ask(ctx, &o.policy)
}
