package e2e

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// deployment is what a scenario asks of a Deployment.
type deployment struct {
	image           string
	replicas, ready int64
}

func (s *scenario) deployment(name string) deployment {
	s.t.Helper()
	live, err := s.cluster.Kube.AppsV1().Deployments(s.Name).Get(s.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		s.t.Fatalf("get deployment %s: %v", name, err)
	}
	return deployment{
		image: live.Spec.Template.Spec.Containers[0].Image, replicas: int64(*live.Spec.Replicas),
		ready: int64(live.Status.ReadyReplicas),
	}
}

// wantPromoted checks the end of a promotion: the primary runs the image, the canary has neither traffic nor pods.
func (s *scenario) wantPromoted(image string) {
	s.t.Helper()
	if got := s.deployment("podinfo-primary"); got.image != image || got.replicas != 2 || got.ready != 2 {
		s.t.Errorf("the primary is %+v, want 2 ready pods of %s", got, image)
	}
	if got := s.deployment("podinfo"); got.image != image || got.replicas != 0 {
		s.t.Errorf("the canary is %+v, want no pods of %s", got, image)
	}
	s.wantWeight(0)
}

// wantRolledBack checks the end of a rollback: the primary runs what it ran, the canary has neither traffic nor pods.
func (s *scenario) wantRolledBack(image string) {
	s.t.Helper()
	if got := s.deployment("podinfo-primary"); got.image != image || got.ready != 2 {
		s.t.Errorf("the primary is %+v, want 2 ready pods of %s", got, image)
	}
	if got := s.deployment("podinfo"); got.replicas != 0 {
		s.t.Errorf("the canary is %+v, want no pods", got)
	}
	s.wantWeight(0)
}

// wantLine checks that a run has printed a text, and returns the first line with it.
func (s *scenario) wantLine(r *Run, text string) Line {
	s.t.Helper()
	for _, line := range r.Lines() {
		if contains(line.Text, text) {
			return line
		}
	}
	s.t.Errorf("the run did not print %q", text)
	return Line{}
}

// wantUntouched checks by the audit log that penstock has written nothing, and that what is there is as it was.
func (s *scenario) wantUntouched() {
	s.t.Helper()
	for _, r := range writes(s.Requests()) {
		s.t.Errorf("penstock did %s %s %s", r.Verb, r.Resource, r.Name)
	}
	if target := s.deployment("podinfo"); target.image != v1 || target.replicas != 2 {
		s.t.Errorf("the target is %+v, and was 2 pods of %s", target, v1)
	}
}

// writes returns the requests that change something. Reviews only have the form of a write.
func writes(requests []Request) []Request {
	var found []Request
	for _, r := range requests {
		if r.Verb != "get" && r.Verb != "list" && r.Verb != "watch" && !contains(r.Resource, "selfsubject") {
			found = append(found, r)
		}
	}
	return found
}
