package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// The bounds of a post step: GitHub grants it five minutes.
const (
	finalizeLimit = 4 * time.Minute  // for one rollout to reach its safe end
	expiredLimit  = 20 * time.Second // a lease is good for 15 seconds; one that is renewed in this time has a living run
)

// finalizeInputs are the inputs of finalize: those of the run whose end it makes safe.
type finalizeInputs struct {
	runInputs
	Expired bool `input:"expired" help:"finish rollouts of any job whose run has died, and leave alone those that live"`
}

func (a *App) finalizeCommand() *cobra.Command {
	in := &finalizeInputs{}
	cmd := &cobra.Command{
		Use:   "finalize [CANARY] [-f FILE...]",
		Short: "Bring an unfinished rollout of this CI job to a safe end",
		Long: `Bring what a run of this job has left unfinished to a safe end: for the post step, when the run was killed before it
could end itself. The traffic goes back to the primary, or stays where it is with --on-cancel hold. A promotion that has
begun is finished. A rollout that is over, or that belongs to another job, is left alone, so that it may be called as often
as one likes. With --expired, as a scheduled job, it finishes the rollouts of every job whose run has died. That needs no
files: each run keeps in the cluster what it takes. Then webhooks and alerts of the canary are not called.

Exit codes: 0 nothing is unfinished any more; 2 bad input, nothing touched; 3 could not finish, a re-run does.`,
		Example: `  penstock finalize -f canary.yaml
  penstock finalize -n shop --expired`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd.Flags(), a.Getenv); err != nil {
				return err
			}
			return a.finalize(cmd.Context(), in, args)
		},
	}
	bind(cmd.Flags(), in)
	return cmd
}

func (a *App) finalize(ctx context.Context, in *finalizeInputs, args []string) error {
	before := a.predecessor()
	if why := before.done(in); why != "" {
		a.say("nothing to finish: " + why + "\n")
		return nil
	}
	if len(in.Files) == 0 && !in.Expired {
		return badInput(errors.New("filename: no file is given; use -f FILE, -f DIRECTORY or -f -"))
	}
	in.Images, in.Uninstall = nil, false // of the run; here nothing new is rolled out
	args, err := in.named(args)
	if err != nil {
		return err
	}
	policy, err := in.policy()
	if err != nil {
		return err
	}
	b, err := a.bulletin(in.forgeInputs)
	if err != nil {
		return err
	}
	of := ending{policy: policy, bulletin: b, before: before}
	find := a.endingsOfFiles
	if len(in.Files) == 0 {
		find = a.endingsKept
	}
	all, err := find(ctx, in, of, append(args, "")[0])
	if err != nil {
		return err
	}
	if err := a.endAll(ctx, in, all); err != nil {
		return unfinished(err)
	}
	return nil
}

// endingsOfFiles are those of the canaries of the files, or of the one that is named.
func (a *App) endingsOfFiles(_ context.Context, in *finalizeInputs, of ending, name string) ([]*ending, error) {
	set, err := a.read(in.Files)
	if err != nil {
		return nil, err
	}
	client, err := a.home(&set, in.clusterInputs)
	if err != nil {
		return nil, err
	}
	canaries := set.Canaries
	if name != "" {
		c, err := choose(&set, name)
		if err != nil {
			return nil, err
		}
		canaries = []*canary.Canary{c}
	}
	var all []*ending
	for _, c := range canaries {
		e := of
		e.client, e.set, e.canary = client, &set, c
		all = append(all, &e)
	}
	return all, nil
}

// endingsKept are those of a namespace, or of the canary that is named, by what their runs have kept in the cluster.
func (a *App) endingsKept(ctx context.Context, in *finalizeInputs, of ending, name string) ([]*ending, error) {
	client, err := a.connect(in.clusterInputs)
	if err != nil {
		return nil, err
	}
	found, err := client.Standings(ctx, kube.Whose{Namespace: client.Namespace, Canary: name}, time.Now())
	if err != nil {
		return nil, classify(err)
	}
	var all []*ending
	for i := range found {
		switch s := &found[i]; {
		case s.Problem != "":
			e := of
			e.canary, e.problem = nameOnly(s.Namespace, s.Canary), errors.New(s.Problem)
			all = append(all, &e)
		case !s.Record.Status.Over(), s.Holder != "": // whoever still has the lease may not have carried out the end
			all = append(all, of.byKept(client, s.Namespace, s.Canary, &s.Record))
		}
	}
	if len(all) == 0 {
		a.say("nothing to finish: no rollout is unfinished in " + namespaceWords(client.Namespace) + "\n")
	}
	return all, nil
}

// byKept is the ending of a rollout by what its run has kept.
func (e ending) byKept(client *kube.Client, namespace, name string, r *rollout.Record) *ending {
	u, err := readKept(namespace, name, r)
	if err != nil {
		e.canary, e.problem = nameOnly(namespace, name), err
		return &e
	}
	e.client, e.set, e.canary, e.policy = client, &canary.Set{Canaries: []*canary.Canary{u.canary}}, u.canary, u.policy
	return &e
}

// nameOnly is a canary of which no more than its name is known.
func nameOnly(namespace, name string) *canary.Canary {
	c := &canary.Canary{}
	c.Namespace, c.Name = namespace, name
	return c
}
