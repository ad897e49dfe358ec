package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWhatCannotBeRunIsRefusedBeforeAnythingIsTouched(t *testing.T) {
	t.Parallel()
	metric := func(query string) func(map[string]any) {
		return analysis("metrics", []any{map[string]any{"name": "errors", "query": query, "thresholdRange": map[string]any{"max": 1}}})
	}
	for name, c := range map[string]struct {
		change func(map[string]any)
		args   []string
		want   []string
	}{
		"a target that does not exist": {
			change: func(spec map[string]any) { spec["targetRef"].(map[string]any)["name"] = "missing" },
			want:   []string{`Deployment "missing" does not exist in namespace`},
		},
		"a target of a kind that cannot be rolled out": {
			change: func(spec map[string]any) { spec["targetRef"].(map[string]any)["kind"] = "StatefulSet" },
			want:   []string{`spec.targetRef.kind: "StatefulSet"`, "DaemonSet", "Deployment", "Service"},
		},
		"a query that does not parse": {change: metric(`sum(rate(http_requests_total[1m])`), want: []string{"errors", "query"}},
		"an unknown provider":         {change: func(spec map[string]any) { spec["provider"] = "ngnix" }, want: []string{"ngnix", "nginx"}},
		"a container that the target does not have": {
			args: []string{"--image", "app=podinfo:2.0.0"}, want: []string{`"app"`, "podinfo"},
		},
		"an ingress that does not exist": {
			change: func(spec map[string]any) { spec["ingressRef"].(map[string]any)["name"] = "missing" },
			want:   []string{"missing"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			change := c.change
			if change == nil {
				change = func(map[string]any) {}
			}
			s := newScenario(t, "nginx", change)
			run := s.run(c.args...)
			s.end(run, 2)
			for _, want := range c.want {
				s.wantLine(run, want)
			}
			s.wantUntouched()
		})
	}
}

func TestTwoCanariesWithOneTargetAreRefused(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx")
	other := map[string]any{
		"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": map[string]any{"name": "other"}, "spec": s.canary["spec"],
	}
	s.write("canary.yaml", s.canary, other)
	run := s.Penstock("run", "podinfo", "-f", "canary.yaml")
	s.end(run, 2)
	s.wantLine(run, `Deployment "podinfo" is already the target of the canary "podinfo"`)
	s.wantUntouched()
}

func TestADryRunChangesNothingAndShowsWhatWould(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1")
	first := s.run("--dry-run")
	s.end(first, 0)
	for _, want := range []string{"+  name: podinfo-primary", "+  name: podinfo-canary", "first run"} {
		if !strings.Contains(first.Stdout(), want) {
			t.Errorf("the first plan does not say %q", want)
		}
	}
	s.wantUntouched()
	s.initialise()
	s.SetImage("podinfo", v2)
	written := len(writes(s.Requests()))
	second := s.run("--dry-run")
	s.end(second, 0)
	for _, want := range []string{"+      weight: 10", "-      weight: 0", "new revision"} {
		if !strings.Contains(second.Stdout(), want) {
			t.Errorf("the second plan does not say %q", want)
		}
	}
	if n := len(writes(s.Requests())); n != written {
		t.Errorf("the dry run wrote %d times", n-written)
	}
	s.wantWeights(0)
	t.Logf("%s%s", first.Stdout(), second.Stdout())
}

func TestADamagedRecordIsSaidSoAtOnce(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx")
	s.initialise()
	maps := s.cluster.Kube.CoreV1().ConfigMaps(s.Name)
	_, err := maps.Update(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "penstock-podinfo"}, Data: map[string]string{"record.json": `{"status":`},
	}, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	run := s.rollOut(v2)
	if code := run.Wait(15 * time.Second); code != 2 && code != 3 {
		t.Errorf("it ended with %d, want 2 or 3", code)
	}
	s.wantLine(run, "damaged")
}

func TestAFileThatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	ns := cluster.Namespace(t)
	for name, text := range map[string]string{"empty.yaml": "", "binary.yaml": "\x00\x01\xff\xfe", "tabs.yaml": "kind:\tCanary\n\tmetadata: {}\n"} {
		if err := os.WriteFile(filepath.Join(ns.home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		run := ns.Penstock("run", "-f", name)
		if code := run.Wait(patience); code != 2 {
			t.Errorf("%s: ended with %d, want 2: %s", name, code, run.Stderr())
		}
	}
	if requests := ns.Requests(); len(requests) > 0 {
		t.Errorf("the cluster was asked %v", Count(requests))
	}
}
