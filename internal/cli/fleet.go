package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/fleet"
)

// fleetInputs say how several canaries run together.
type fleetInputs struct {
	MaxParallel int      `input:"max-parallel" default:"0" help:"how many canaries run at once; 0: all of them"`
	After       []string `input:"after" help:"LATER=EARLIER: the first canary starts when the second has ended well; may be repeated"`
	Group       bool     `input:"group" help:"all or nothing: no canary is promoted until all have passed, and when one fails, all roll back"`
}

// alone refuses, for a run of one canary, what only several can have.
func (in *fleetInputs) alone() error {
	if len(in.After) > 0 || in.Group {
		return badInput(errors.New("after, group: this run is about one canary; give the files of several, and no name"))
	}
	return nil
}

// fleetOf compiles all canaries of the files, or returns every problem of all of them at once.
func (a *App) fleetOf(ctx context.Context, in *runInputs, run *fleetRun) (*squad, error) {
	q, set, policy := &squad{app: a, bulletin: run.bulletin}, &run.set, run.policy
	var problems []error
	if in.Uninstall {
		problems = append(problems, fmt.Errorf("uninstall: the files hold %d canaries; name the one to uninstall", len(set.Canaries)))
	}
	for _, c := range set.Canaries {
		q.names = append(q.names, c.Namespace+"/"+c.Name)
	}
	var err error
	q.plan, err = fleet.NewPlan(q.names, in.After, in.MaxParallel)
	problems = append(problems, err, in.fleetInputs.groupable(&q.plan, set.Canaries))
	images, err := parseFleetImages(in.Images, set.Canaries)
	problems = append(problems, err)
	policy.groupGates = in.Group
	for i, c := range set.Canaries {
		d, err := a.drive(ctx, in, run.client, set, driveInputs{canary: c, policy: policy, images: images[i], people: run.people})
		exit := (*exitError)(nil)
		switch {
		case err == nil:
		case errors.As(err, &exit) && exit.code == ExitBadInput:
			problems = append(problems, exit.err)
		default:
			return nil, err // the cluster's word, not the files'
		}
		q.drives = append(q.drives, d)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, badInput(err)
	}
	if in.Group {
		q.group = fleet.NewGroup(q.names)
	}
	return q, nil
}

// groupable reports why the canaries cannot be a group: each of its members must be able to reach the gate while the
// others wait there.
func (in *fleetInputs) groupable(p *fleet.Plan, canaries []*canary.Canary) error {
	if !in.Group {
		return nil
	}
	var problems []error
	if p.Ordered() {
		problems = append(problems, errors.New("group, after: a canary of a group cannot wait for another to be promoted first; use one of the two"))
	}
	if n := len(canaries); in.MaxParallel > 0 && in.MaxParallel < n {
		problems = append(problems, fmt.Errorf("group, max-parallel: the %d canaries of the group have to run at once; "+
			"max-parallel is %d", n, in.MaxParallel))
	}
	for _, c := range canaries {
		if c.Spec.Suspend {
			problems = append(problems, fmt.Errorf("group: canary %q is suspended (spec.suspend: true), so the group could never be promoted",
				c.Namespace+"/"+c.Name))
		}
	}
	return errors.Join(problems...)
}

// parseFleetImages reads images for each of several canaries: container=reference for all, or canary/container=reference
// for one.
func parseFleetImages(pairs []string, canaries []*canary.Canary) ([]map[string]string, error) {
	perCanary := make([][]string, len(canaries))
	var problems []error
	for _, pair := range pairs {
		left, _, _ := strings.Cut(pair, "=")
		slash := strings.LastIndexByte(left, '/')
		found := slash < 0
		for i, c := range canaries {
			switch {
			case slash < 0:
				perCanary[i] = append(perCanary[i], pair)
			case left[:slash] == c.Name, left[:slash] == c.Namespace+"/"+c.Name:
				perCanary[i], found = append(perCanary[i], pair[slash+1:]), true
			}
		}
		if !found {
			problems = append(problems, fmt.Errorf("image: %q: no canary %q is in this run", pair, left[:slash]))
		}
	}
	images := make([]map[string]string, len(canaries))
	for i, mine := range perCanary {
		parsed, err := parseImages(mine)
		if err != nil && !slices.ContainsFunc(problems, func(known error) bool { return known.Error() == err.Error() }) {
			problems = append(problems, err)
		}
		images[i] = parsed
	}
	return images, errors.Join(problems...)
}
