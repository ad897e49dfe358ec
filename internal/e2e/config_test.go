package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// startedWith is the annotation by which penstock restarts pods when their configuration changes.
const startedWith = "penstock.dev/configs"

// configured is the pod template of an app that refers to ConfigMaps and Secrets in every way.
const configured = `{"spec": {"template": {"spec": {
	"initContainers": [{"name": "migrate", "image": "migrate:1", "envFrom": [{"secretRef": {"name": "database"}}]}],
	"containers": [{"name": "podinfo",
		"env": [{"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "app", "key": "colour"}}}],
		"envFrom": [{"configMapRef": {"name": "later", "optional": true}}, {"configMapRef": {"name": "everyone"}}]}],
	"volumes": [
		{"name": "files", "configMap": {"name": "files"}},
		{"name": "both", "projected": {"sources": [{"configMap": {"name": "app"}}, {"secret": {"name": "database"}}]}}
	]
}}}}`

// configure gives the scenario's target its configuration.
func (s *scenario) configure() {
	s.t.Helper()
	yes := true
	for _, c := range []*corev1.ConfigMap{
		{ObjectMeta: metav1.ObjectMeta{Name: "app"}, Data: map[string]string{"colour": "blue", "shape": "round"}},
		{ObjectMeta: metav1.ObjectMeta{Name: "files"}, BinaryData: map[string][]byte{"logo.png": {0x89, 'P', 0xff}}, Immutable: &yes},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "everyone", Annotations: map[string]string{"flagger.app/config-tracking": "disabled"}},
			Data:       map[string]string{"region": "north"},
		},
	} {
		s.createConfig(c)
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "database"}, Type: corev1.SecretTypeBasicAuth,
		Data: map[string][]byte{"username": []byte("shop"), "password": []byte("secret")},
	}
	if _, err := s.cluster.Kube.CoreV1().Secrets(s.Name).Create(s.t.Context(), secret, metav1.CreateOptions{}); err != nil {
		s.t.Fatal(err)
	}
	s.patchTarget(configured)
	s.AwaitReady("podinfo")
}

func (s *scenario) createConfig(c *corev1.ConfigMap) {
	s.t.Helper()
	if _, err := s.cluster.Kube.CoreV1().ConfigMaps(s.Name).Create(s.t.Context(), c, metav1.CreateOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scenario) patchTarget(patch string) {
	s.t.Helper()
	_, err := s.cluster.Kube.AppsV1().Deployments(s.Name).Patch(s.t.Context(), "podinfo", types.StrategicMergePatchType,
		[]byte(patch), metav1.PatchOptions{FieldManager: "ci"})
	if err != nil {
		s.t.Fatal(err)
	}
}

// paint replaces the content of the ConfigMap app.
func (s *scenario) paint(name, colour string) {
	s.t.Helper()
	patch := fmt.Sprintf(`{"data":{"colour":%q,"shape":null}}`, colour)
	_, err := s.cluster.Kube.CoreV1().ConfigMaps(s.Name).Patch(s.t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scenario) configMap(name string) *corev1.ConfigMap {
	s.t.Helper()
	c, err := s.cluster.Kube.CoreV1().ConfigMaps(s.Name).Get(s.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// wantCopied checks the copies of everything that configure made, and who refers to them.
func (s *scenario) wantCopied() {
	s.t.Helper()
	if c := s.configMap("files-primary"); c.Immutable == nil || !*c.Immutable || !slices.Equal(c.BinaryData["logo.png"], []byte{0x89, 'P', 0xff}) {
		s.t.Errorf("the copy of the immutable ConfigMap is %+v", c)
	}
	secret, err := s.cluster.Kube.CoreV1().Secrets(s.Name).Get(s.t.Context(), "database-primary", metav1.GetOptions{})
	if err != nil || secret.Type != corev1.SecretTypeBasicAuth || string(secret.Data["password"]) != "secret" {
		s.t.Errorf("the copy of the Secret: %v, type %s, %d keys", err, secret.Type, len(secret.Data))
	}
	for _, none := range []string{"everyone-primary", "later-primary"} {
		_, err := s.cluster.Kube.CoreV1().ConfigMaps(s.Name).Get(s.t.Context(), none, metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			s.t.Errorf("ConfigMap %s: %v, want that there is none", none, err)
		}
	}
	primary, err := s.cluster.Kube.AppsV1().Deployments(s.Name).Get(s.t.Context(), "podinfo-primary", metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	pod := primary.Spec.Template.Spec
	both := pod.Volumes[1].Projected.Sources
	names := []string{
		pod.InitContainers[0].EnvFrom[0].SecretRef.Name, pod.Containers[0].Env[0].ValueFrom.ConfigMapKeyRef.Name,
		pod.Containers[0].EnvFrom[0].ConfigMapRef.Name, pod.Containers[0].EnvFrom[1].ConfigMapRef.Name,
		pod.Volumes[0].ConfigMap.Name, both[0].ConfigMap.Name, both[1].Secret.Name,
	}
	want := []string{
		"database-primary", "app-primary", "later-primary", "everyone", "files-primary", "app-primary", "database-primary",
	}
	if !slices.Equal(names, want) {
		s.t.Errorf("the primary refers to %v, want %v", names, want)
	}
}

// podsStartedWith returns the annotations of an app's pods at a moment.
func podsStartedWith(m Moment, app string) []string {
	var all []string
	for _, pod := range m.Objects("Pod") {
		if pod.GetLabels()["app"] == app && pod.GetDeletionTimestamp() == nil {
			all = append(all, pod.GetAnnotations()[startedWith])
		}
	}
	return all
}

// wantConfigSafe checks at every moment that the primary's copy changes only in a promotion, and that traffic goes only to
// canaries whose pods were all started with the present content of the ConfigMap, or with what it was a second ago: no
// view of a cluster is newer.
func (s *scenario) wantConfigSafe() {
	s.t.Helper()
	colour, now, before := "", "", ""
	var changed time.Time
	s.record.Replay(func(m Moment) {
		at := m.Version.At.Format("15:04:05.000")
		if c := m.Object("ConfigMap", "app-primary"); c != nil {
			copied, _, _ := unstructured.NestedString(c.Object, "data", "colour")
			if phase := recordAt(m).Status.Phase; colour != "" && copied != colour && phase != "Promoting" {
				s.t.Errorf("%s: the primary's copy became %s in the phase %s", at, copied, phase)
			}
			colour = copied
		}
		if m.Version.key() == "ConfigMap/app" {
			data, _, _ := unstructured.NestedStringMap(m.Version.Object.Object, "data")
			text, _ := json.Marshal(data) // a map of strings
			before, now, changed = now, fmt.Sprintf("configmap/app@%x", sha256.Sum256(text))[:len("configmap/app@")+16], m.Version.At
		}
		if weight, _ := s.weight(m); m.Version.key() != "HTTPRoute/podinfo" || weight == 0 || now == "" {
			return
		}
		for _, with := range podsStartedWith(m, "podinfo") {
			old := before != "" && m.Version.At.Sub(changed) < time.Second && strings.Contains(with, before)
			if !old && !strings.Contains(with, now) {
				s.t.Errorf("%s: a pod with traffic was started with %q, and now there is %s", at, with, now)
			}
		}
	})
}

func TestAChangeOfAConfigMapAloneIsRolledOut(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1")
	s.configure()
	s.initialise()
	s.wantCopied()
	var before []string
	s.record.Replay(func(m Moment) { before = podsStartedWith(m, "podinfo-primary") })

	again := s.run()
	s.end(again, 0)
	s.wantLine(again, "nothing to do")

	s.paint("app", "green")
	s.paint("everyone", "nobody cares")
	run := s.run()
	s.end(run, 0)
	s.wantLine(run, "configmap/app")
	s.wantLine(run, "PROMOTED")
	s.wantPromoted(v1)
	s.wantCopied()
	if c := s.configMap("app-primary"); len(c.Data) != 1 || c.Data["colour"] != "green" {
		t.Errorf("the copy holds %v", c.Data)
	}
	var after []string
	s.record.Replay(func(m Moment) { after = podsStartedWith(m, "podinfo-primary") })
	if len(after) != 2 || after[0] != after[1] || slices.Contains(before, after[0]) {
		t.Errorf("the primary's pods were started with %v, and before the change with %v", after, before)
	}
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	s.wantConfigSafe()
	s.wantSafe()

	s.createConfig(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "later"}, Data: map[string]string{"a": "b"}})
	s.prometheus.Script("", Value(1))
	failed := s.run()
	s.end(failed, 1)
	s.wantLine(failed, "configmap/later")
	s.wantRolledBack(v1)
	s.wantCopied() // what failed has no copy
	s.wantSafe()
}

func TestAChangeOfAConfigMapDuringTheRolloutStartsItOverWithNewPods(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", analysis("interval", "2s"))
	s.configure()
	s.initialise()
	run := s.rollOut(v2)
	s.awaitStep(2)
	s.paint("app", "green")
	s.end(run, 0)
	s.wantLine(run, "configmap/app")
	s.wantPromoted(v2)
	s.wantWeights(0, 10, 20, 0, 10, 20, 30, 40, 50, 0)
	s.wantConfigSafe()
	s.wantSafe()
	if c := s.configMap("app-primary"); c.Data["colour"] != "green" {
		t.Errorf("the copy holds %v", c.Data)
	}
}

func TestASecretThatDoesNotExistIsNamedAndEndsTheRollout(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", deadline(5))
	s.configure()
	s.initialise()
	s.patchTarget(`{"spec": {"template": {"spec": {"containers": [{"name": "podinfo", "envFrom": [{"secretRef": {"name": "nowhere"}}]}]}}}}`)
	run := s.run()
	s.end(run, 1)
	s.wantLine(run, `Secret "nowhere" does not exist`)
	s.wantRolledBack(v1)
	s.wantSafe()
}
