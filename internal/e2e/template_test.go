package e2e

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// richTemplate uses what a pod template can have and leaves out what Kubernetes fills in, in spellings that it changes.
const richTemplate = `{"spec":{"minReadySeconds":0,"template":{
 "metadata":{"annotations":{"prometheus.io/scrape":"true","kubectl.kubernetes.io/restartedAt":"2026-01-01T00:00:00Z"},"labels":{"tier":"web"}},
 "spec":{
  "serviceAccountName":"default","automountServiceAccountToken":false,"terminationGracePeriodSeconds":5,
  "securityContext":{"runAsNonRoot":true,"runAsUser":1000,"seccompProfile":{"type":"RuntimeDefault"}},
  "affinity":{"podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":100,"podAffinityTerm":{"topologyKey":"kubernetes.io/hostname","labelSelector":{"matchLabels":{"app":"podinfo"}}}}]}},
  "topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"kubernetes.io/hostname","whenUnsatisfiable":"ScheduleAnyway","labelSelector":{"matchLabels":{"app":"podinfo"}}}],
  "tolerations":[{"key":"spot","operator":"Exists"}],
  "initContainers":[
   {"name":"init","image":"podinfo:1.0.0","command":["true"],"resources":{"limits":{"memory":"1024Mi","cpu":"1000m"}}},
   {"name":"sidecar","image":"proxy:1","restartPolicy":"Always"}],
  "containers":[
   {"name":"podinfo","image":"podinfo:1.0.0",
    "ports":[{"name":"http","containerPort":9898},{"name":"grpc","containerPort":9999,"protocol":"TCP"},{"name":"dns","containerPort":53,"protocol":"UDP"}],
    "env":[{"name":"A","value":"1"},{"name":"EMPTY","value":""},{"name":"NODE","valueFrom":{"fieldRef":{"fieldPath":"spec.nodeName"}}},{"name":"CPU","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu"}}}],
    "envFrom":[{"configMapRef":{"name":"settings","optional":true}}],
    "resources":{"requests":{"cpu":"0.10","memory":"128Mi"},"limits":{"cpu":"1500m","memory":"1Gi"}},
    "readinessProbe":{"httpGet":{"path":"/readyz","port":"http"},"periodSeconds":3},
    "livenessProbe":{"grpc":{"port":9999}},
    "lifecycle":{"preStop":{"sleep":{"seconds":3}}},
    "volumeMounts":[{"name":"data","mountPath":"/data"},{"name":"settings","mountPath":"/etc/settings","readOnly":true},{"name":"token","mountPath":"/token"}]},
   {"name":"second","image":"second"}],
  "volumes":[{"name":"data","emptyDir":{"sizeLimit":"1000Mi"}},{"name":"settings","configMap":{"name":"settings","optional":true}},
   {"name":"token","projected":{"sources":[{"serviceAccountToken":{"path":"token"}},{"downwardAPI":{"items":[{"path":"labels","fieldRef":{"fieldPath":"metadata.labels"}}]}}]}},
   {"name":"secret","secret":{"secretName":"s","optional":true,"defaultMode":256}}]
 }}}}`

// What Kubernetes fills in and rewrites must not look like a change: not in the primary, and not in the next run.
func TestARichPodTemplateIsRecognisedAgain(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx", analysis("stepWeight", 50))
	deployments := s.cluster.Kube.AppsV1().Deployments(s.Name)
	_, err := deployments.Patch(t.Context(), "podinfo", types.StrategicMergePatchType, []byte(richTemplate), metav1.PatchOptions{FieldManager: "ci"})
	if err != nil {
		t.Fatal(err)
	}
	s.AwaitReady("podinfo")
	s.initialise()
	for _, image := range []string{v2, v3} {
		s.end(s.rollOut(image), 0)
		s.wantPromoted(image)
		again := s.run()
		s.end(again, 0)
		s.wantLine(again, "UNCHANGED")
	}
	s.wantWeights(0, 50, 0, 50, 0)
	s.wantSafe()
	// The primary's Deployment was written once to make it and once for each promotion, and never for nothing.
	if n := s.writesOf("deployments", "podinfo-primary"); n != 3 {
		t.Errorf("the primary was written %d times, want 3", n)
	}
	primary, err := deployments.Get(t.Context(), "podinfo-primary", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantSpread(t, primary)
}

// wantSpread checks that the primary's pods keep away from each other and not from the canary's.
func wantSpread(t *testing.T, primary *appsv1.Deployment) {
	t.Helper()
	spec := primary.Spec.Template.Spec
	for what, labels := range map[string]map[string]string{
		"anti-affinity":   spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm.LabelSelector.MatchLabels,
		"topology spread": spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels,
	} {
		if labels["app"] != "podinfo-primary" {
			t.Errorf("the primary's %s selects %v", what, labels)
		}
	}
}

func (s *scenario) writesOf(resource, name string) int {
	s.t.Helper()
	count := 0
	for _, r := range writes(s.Requests()) {
		if r.Resource == resource && r.Name == name {
			count++
		}
	}
	return count
}
