package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/report"
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
		Use:   "finalize [CANARY] -f FILE...",
		Short: "Bring an unfinished rollout of this CI job to a safe end",
		Long: `Bring what a run of this job has left unfinished to a safe end: for the post step, when the run was killed before it
could end itself. The traffic goes back to the primary, or stays where it is with --on-cancel hold. A promotion that has
begun is finished. A rollout that is over, or that belongs to another job, is left alone, so that it may be called as often
as one likes. With --expired, as a scheduled job, it finishes the rollouts of every job whose run has died.

Exit codes: 0 nothing is unfinished any more; 2 bad input, nothing touched; 3 could not finish, a re-run does.`,
		Example: `  penstock finalize -f canary.yaml
  penstock finalize -f deploy/ --expired`,
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
	if len(in.Files) == 0 {
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
	set, err := a.read(in.Files)
	if err != nil {
		return err
	}
	client, err := a.home(&set, in.clusterInputs)
	if err != nil {
		return err
	}
	canaries := set.Canaries
	if len(args) > 0 {
		c, err := choose(&set, args[0])
		if err != nil {
			return err
		}
		canaries = []*canary.Canary{c}
	}
	var problems []error
	for _, c := range canaries {
		if err := a.finalizeOne(ctx, in, &ending{client: client, set: &set, canary: c, policy: policy, bulletin: b, before: before}); err != nil {
			problems = append(problems, fmt.Errorf("%s/%s: %w", c.Namespace, c.Name, err))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return unfinished(err)
	}
	return nil
}

// ending is what it takes to end the rollout of one canary.
type ending struct {
	client   *kube.Client
	set      *canary.Set
	canary   *canary.Canary
	policy   policy
	bulletin *bulletin
	before   predecessor
}

// leave says why a rollout needs no end, or nothing when it does.
func (e *ending) leave(record *rollout.Record, expired bool, now time.Time) string {
	url, mine := e.bulletin.ci.RunURL, e.before.id
	switch {
	case record.Status.Phase == "":
		return "there was no rollout"
	case record.Status.Phase.Terminal() || record.Status.Phase == rollout.Initialized:
		return "the rollout is over: " + string(record.Status.Phase)
	case !expired && mine != "" && record.ID != mine:
		return "the rollout belongs to another run, " + record.ID
	case !record.Status.Suspended.IsZero() && !(expired && record.Status.Lapsed(now)):
		return "the rollout is " + asleep(&record.Status)
	case !expired && url != "" && record.RunURL != "" && record.RunURL != url:
		return "the rollout belongs to another job, " + record.RunURL
	}
	return ""
}

// asleep says where a suspended rollout stands, and until when.
func asleep(st *rollout.Status) string {
	text := fmt.Sprintf("suspended at %s with %d %% of the traffic on the canary", st.Gate, st.Weight)
	if st.Until.IsZero() {
		return text + ", until the next run"
	}
	return text + ", until " + st.Until.UTC().Format(time.RFC3339)
}

// owns reports whether a rollout is known to be of this very job, whose page on GitHub other jobs of the workflow share.
func (e *ending) owns(record *rollout.Record) bool {
	if e.before.id != "" {
		return e.before.id == record.ID
	}
	return e.bulletin.ci.Platform == forge.PlatformGitLab && record.RunURL != "" && record.RunURL == e.bulletin.ci.RunURL
}

// passedOn reports whether another run has taken up the rollout meanwhile.
func (e *ending) passedOn(ctx context.Context, was *rollout.Record) bool {
	now, err := kube.NewJournal(e.client, e.canary).Load(ctx)
	return err == nil && now.ID != was.ID
}

func (a *App) finalizeOne(ctx context.Context, in *finalizeInputs, e *ending) error {
	name := e.canary.Namespace + "/" + e.canary.Name
	record, err := kube.NewJournal(e.client, e.canary).Load(ctx)
	if err != nil {
		return err
	}
	if why := e.leave(&record, in.Expired, time.Now()); why != "" {
		a.say(report.Clean(name+": nothing to finish: "+why) + "\n")
		return nil
	}
	a.say(report.Clean(fmt.Sprintf("%s: unfinished, at %s with %d %% of the traffic on the canary", name, record.Status.Phase, record.Status.Weight)) + "\n")
	d, err := a.drive(ctx, &in.runInputs, e.client, e.set, driveInputs{canary: e.canary, policy: e.policy})
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	d.stop, d.begun, d.stopLimit, d.leaseLimit = stop, func() { close(stop) }, finalizeLimit, leaseLimit
	d.busy = kube.Wait // and not what the run itself was told to do
	switch {
	case in.Expired:
		d.leaseLimit = expiredLimit
	case e.owns(&record): // the job is over: what is still alive of it has no one to tell
		d.busy, d.busyOnly = kube.Supersede, record.ID
	}
	p := e.bulletin.inPlaceOf(&record).poster(ctx, e.canary, true)
	result, err := a.runOne(ctx, &in.runInputs, d, p)
	if errors.Is(err, kube.ErrHeld) && (in.Expired || e.passedOn(ctx, &record)) {
		a.say(report.Clean(name+": its run is alive, and is left alone") + "\n")
		p.abandon(ctx)
		return nil
	}
	p.close(ctx, err)
	if err != nil {
		return err
	}
	a.say(strings.TrimRight(report.Clean(report.Sentence(report.Summarise(result.Snapshot))), "\n") + "\n")
	if result.Outcome == rollout.Halted {
		return errors.New("it is halted, with the traffic where it is safest; see above")
	}
	return nil
}
