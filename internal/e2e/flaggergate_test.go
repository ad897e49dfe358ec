package e2e

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A Flagger of its own asks the server at its gate, and a comment on the pull request of the commit opens it.
func TestACommentOpensTheGateOfARealFlagger(t *testing.T) {
	t.Parallel()
	s := drivenByFlagger(t)
	const token = "0123456789abcdef"
	forge := newGitHub(t, 5*time.Millisecond)
	_, address := s.serve(forge, "127.0.0.1:0", "--approvers", "role:write", "--gate-token", token)
	hook := `{"spec":{"analysis":{"webhooks":[{"name":"people","type":"confirm-rollout","url":"http://flagger:` + token + `@` + address + `/gate/check",` +
		`"metadata":{"repository":"github:acme/shop","commit":"` + forgeSHA + `","gate":"confirm-rollout"}}]}}}`
	_, err := s.cluster.Dynamic.Resource(Canaries()).Namespace(s.Name).Patch(t.Context(), "podinfo", types.MergePatchType, []byte(hook), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if set := s.Kubectl("set", "image", "deployment/podinfo", "podinfo="+v2); set.Wait(patience) != 0 {
		t.Fatalf("kubectl set image: %s", set.Transcript())
	}
	s.awaitPhase("Waiting")
	line := "/canary approve " + s.awaitNotice("penstock-podinfo-flagger-confirm-rollout").target()
	time.Sleep(1100 * time.Millisecond) // the forge's moments are full seconds, and a comment of the gate's own second is before it
	if status := deliver("http://"+address, forge.says(101, line)); status != 202 {
		t.Errorf("the webhook of somebody who may only read was answered by %d", status)
	}
	if status := deliver("http://"+address, forge.says(2, line)); status != 202 {
		t.Errorf("the webhook was answered by %d", status)
	}
	s.awaitPhase("Progressing")
	if n := forge.answers("<!-- penstock:flagger "); n != 1 {
		t.Errorf("the pull request has %d comments of the gate, want 1", n)
	}
}
