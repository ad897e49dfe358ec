package e2e

import (
	"testing"
	"time"
)

func TestACanaryThatNeverBecomesReadyRollsBackWithThePodsReason(t *testing.T) {
	t.Parallel()
	for tag, why := range map[string]string{
		"pending": "ContainerCreating", "badimage": "ImagePullBackOff", "crash": "CrashLoopBackOff",
	} {
		t.Run(tag, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "gatewayapi:v1", deadline(5))
			s.initialise()
			run := s.rollOut(v2 + "-" + tag)
			s.end(run, 1)
			line := s.wantLine(run, "ROLLED BACK")
			if !contains(line.Text, why) {
				t.Errorf("the verdict does not say %q: %s", why, line.Text)
			}
			if waited := line.At.Sub(run.Started); waited > 15*time.Second {
				t.Errorf("it took %s, with a deadline of 5s", waited)
			}
			s.wantRolledBack(v1)
			s.wantWeights(0)
			s.wantSafe()
			t.Logf("%s: %s", line.At.Sub(run.Started), line.Text)

			again := s.rollOut(v2)
			s.end(again, 0)
			s.wantPromoted(v2)
			s.wantSafe()
		})
	}
}

func TestACanaryThatDiesWithTrafficRollsBack(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx", analysis("interval", "2s"))
	s.initialise()
	run := s.rollOut("podinfo:2.0.0-dies-3")
	s.end(run, 1)
	s.wantRolledBack(v1)
	s.wantSafe()
}

func TestAFirstRunOfATargetThatIsNotReadyFails(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx", deadline(5))
	s.service("podinfo", "podinfo")
	s.SetImage("podinfo", v1+"-badimage")
	run := s.run()
	s.end(run, 1)
	if target := s.deployment("podinfo"); target.replicas != 2 {
		t.Errorf("the target was scaled: %+v", target)
	}
}
