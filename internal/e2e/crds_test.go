package e2e

import (
	"strings"
	"testing"
	"time"
)

func canary() map[string]any {
	return map[string]any{
		"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": map[string]any{"name": "podinfo"},
		"spec": map[string]any{
			"targetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
			"service":   map[string]any{"port": int64(80)},
			"analysis":  map[string]any{"interval": "10s", "threshold": int64(1), "stepWeight": int64(20)},
		},
	}
}

func TestFlaggersDefinitionsAreThereForThoseWhoAsk(t *testing.T) {
	t.Parallel()
	t.Run("installed", func(t *testing.T) {
		t.Parallel()
		cluster.InstallFlaggerCRDs(t)
		ns := cluster.Namespace(t)
		ns.Create(Canaries(), canary())
		if out := ns.Kubectl("get", "canary").Stdout(); !strings.Contains(out, "LASTTRANSITIONTIME") {
			t.Errorf("kubectl get canary prints no columns of its own:\n%s", out)
		}
	})
	t.Run("absent", func(t *testing.T) {
		t.Parallel()
		cluster.WithoutFlaggerCRDs(t)
		run := cluster.Namespace(t).Kubectl("get", "canary")
		if code := run.Wait(time.Second); code == 0 {
			t.Errorf("kubectl get canary found something:\n%s", run.Stdout())
		}
	})
}
