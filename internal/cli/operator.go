package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/report"
)

// operatorInputs are the inputs of the verbs by which an operator speaks to a run.
type operatorInputs struct {
	clusterInputs
	Why string `input:"why" help:"reason, which is kept with the decision"`
}

// whyLimit bounds the reason: the decisions live in a ConfigMap.
const whyLimit = 500 // bytes

// operatorVerb is one command of the operator.
type operatorVerb struct {
	verb        approval.Verb
	short, long string
}

func operatorVerbs() []operatorVerb {
	const mutating = "It counts where the policy of the approvals has operators: true, as one person."
	const brake = "It always counts: whoever may write the decisions in the cluster may stop a rollout."
	return []operatorVerb{
		{approval.Approve, "Approve the gate at which a rollout waits", mutating},
		{approval.Reject, "Reject the gate at which a rollout waits, which rolls it back", brake},
		{approval.Pause, "Hold a rollout at its present weight", brake},
		{approval.Resume, "Let a paused rollout go on", mutating},
		{approval.Abort, "Roll a rollout back now", brake},
		{approval.Promote, "Approve, and skip the steps that are left", mutating},
	}
}

func (a *App) operatorCommands() []*cobra.Command {
	var all []*cobra.Command
	for _, v := range operatorVerbs() {
		in := &operatorInputs{}
		cmd := &cobra.Command{
			Use:   string(v.verb) + " CANARY",
			Short: v.short,
			Long: v.short + ", as who the cluster knows you as. " + v.long + `

The run has to listen, as with --approvals. What you say is kept with your name and the time, and a run that is at work hears
it at once. Of a suspended rollout, the server or the next run hears it. Exit codes: 0 it counts, 2 it does not count or
nobody listens, 3 the cluster does not answer.`,
			Example:           "  penstock " + string(v.verb) + " podinfo -n shop --why \"looked at the dashboards\"",
			Args:              cobra.ExactArgs(1),
			ValidArgsFunction: a.completeCanaries(&in.clusterInputs),
			RunE: func(cmd *cobra.Command, args []string) error {
				if err := fromEnvironment(cmd.Flags(), a.Getenv); err != nil {
					return err
				}
				return a.operate(cmd.Context(), in, v.verb, args[0])
			},
		}
		bind(cmd.Flags(), in)
		all = append(all, cmd)
	}
	return all
}

func (a *App) operate(ctx context.Context, in *operatorInputs, verb approval.Verb, name string) error {
	if len(in.Why) > whyLimit || !utf8.ValidString(in.Why) {
		return badInput(fmt.Errorf("why: it has %d bytes; want at most %d, of text", len(in.Why), whyLimit))
	}
	client, err := a.connect(in.clusterInputs)
	if err != nil {
		return err
	}
	now := clock.RealClock{}
	all, err := client.Standings(ctx, kube.Whose{Namespace: client.Namespace, Canary: name}, now.Now())
	if err != nil {
		return classify(err)
	}
	if len(all) == 0 {
		return badInput(fmt.Errorf("canary %q: no run has kept anything about it in namespace %q", name, client.Namespace))
	}
	if err := hears(&all[0], verb, now.Now()); err != nil {
		return badInput(err)
	}
	who, err := client.WhoAmI(ctx)
	if err != nil {
		return classify(err)
	}
	s, n := &all[0], *all[0].Notice
	d, log, err := client.Say(ctx, n, approval.Operator{Name: who, Verb: verb, Why: strings.TrimSpace(in.Why), At: now.Now()})
	if err != nil {
		return classify(err)
	}
	if !d.Counted {
		return badInput(fmt.Errorf("%s by %s %s", verb, report.Clean(who), d.Reason.Sentence()))
	}
	_, err = fmt.Fprintln(a.Stdout, told(s, log, d, now.Now()))
	return err
}

// hears says why nobody would hear an operator, or nil.
func hears(s *report.Standing, verb approval.Verb, now time.Time) error {
	name := report.Clean(s.Namespace + "/" + s.Canary)
	info, _ := approval.VerbFor(verb)
	suspended := s.Record.Suspension() != ""
	switch {
	case s.Problem != "":
		return fmt.Errorf("canary %s: %s", name, report.Clean(s.Problem))
	case suspended && s.Record.Status.Lapsed(now):
		return fmt.Errorf("canary %s: it was suspended until %s, and is rolled back now: nobody would hear it", name,
			s.Record.Status.Until.UTC().Format(time.RFC3339))
	case s.Run == report.Unattended && !suspended:
		return fmt.Errorf("canary %s: no run is at work, so nobody would hear it; `penstock status` says where it stands", name)
	case s.Notice == nil:
		return fmt.Errorf("canary %s: its run listens to nobody; it would with --approvals", name)
	case info.Vote && s.Notice.Gate.OpenedAt.IsZero():
		return fmt.Errorf("canary %s: no gate is waiting; abort and pause work at any time", name)
	}
	return nil
}

// told is what an operator has reached.
func told(s *report.Standing, log approval.Log, d approval.Decision, now time.Time) string {
	n := s.Notice
	verdict := approval.Judge(n.Gate, n.Policy, log, now)
	said := fmt.Sprintf("%s/%s: %s by %s", n.Namespace, n.Canary, d.Verb, d.Actor.Login)
	back, hold, on := "the run rolls back", "the run holds its present weight until somebody resumes it", ""
	if s.Record.Suspension() != "" {
		back = "it is suspended: the server that watches over it rolls it back, or else the next run"
		hold = "it is suspended: the next run holds its weight until somebody resumes it"
		on = ", and the next run goes on from there"
		if kept, err := readKept(s.Namespace, s.Canary, &s.Record); err == nil && kept.resume != (forge.Means{}) {
			on = fmt.Sprintf(", and the server starts the run that goes on from there, by %s", kept.resume)
		}
	}
	switch {
	case verdict.Aborted, verdict.Rejected:
		said += "; " + back
	case verdict.Paused:
		said += "; " + hold
	case verdict.Open:
		said += fmt.Sprintf("; the gate %s is open%s", n.Gate.Name, on)
	case len(verdict.Missing) > 0 && slices.Contains([]approval.Verb{approval.Approve, approval.Promote}, d.Verb):
		said += "; still lacking: " + strings.Join(verdict.Missing, ", ")
	}
	return report.Clean(said)
}
