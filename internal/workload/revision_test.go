package workload_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/penstock-dev/penstock/internal/race"
	"github.com/penstock-dev/penstock/internal/workload"
)

const propertyRuns = 100

func random(seed uint64) filler {
	return filler{Rand: rand.New(rand.NewPCG(seed, 1)), quantities: []string{"1", "1000m", "1Gi", "1500m", "7"}}
}

func TestTemplatesThatMeanTheSameHaveTheSameRevision(t *testing.T) {
	t.Parallel()
	pod := func(fields string) string { return "spec: {containers: [{name: a, image: 'a:1'}], " + fields + "}" }
	container := func(fields string) string { return "spec: {containers: [{name: a, " + fields + "}]}" }
	tests := map[string]struct {
		a, b string
		same bool
	}{
		"the pod's defaults count as absent": {
			pod(""),
			pod("restartPolicy: Always, dnsPolicy: ClusterFirst, schedulerName: default-scheduler, terminationGracePeriodSeconds: 30, securityContext: {}"), true,
		},
		"another restart policy counts":             {pod(""), pod("restartPolicy: Never"), false},
		"another grace period counts":               {pod(""), pod("terminationGracePeriodSeconds: 31"), false},
		"a security context with a field counts":    {pod(""), pod("securityContext: {runAsUser: 0}"), false},
		"serviceAccount repeats serviceAccountName": {pod("serviceAccountName: a"), pod("serviceAccountName: a, serviceAccount: a"), true},
		"serviceAccount alone is the same":          {pod("serviceAccountName: a"), pod("serviceAccount: a"), true},
		"another service account counts":            {pod("serviceAccountName: a"), pod("serviceAccountName: b"), false},
		"false is not the same as not set":          {pod(""), pod("automountServiceAccountToken: false"), false},
		"the order of keys does not count":          {"metadata: {labels: {a: b, c: d}}", "metadata: {labels: {c: d, a: b}}", true},
		"empty metadata is none":                    {"{}", "metadata: {creationTimestamp: null, labels: {}, annotations: {}}", true},
		"Flagger's annotation does not count":       {"{}", "metadata: {annotations: {flagger-id: 1-2-3}}", true},
		"Flux's metadata does not count":            {"{}", "metadata: {labels: {kustomize.toolkit.fluxcd.io/name: a}}", true},
		"another annotation counts":                 {"{}", "metadata: {annotations: {kubectl.kubernetes.io/restartedAt: now}}", false},
		"an empty label is not the same as none":    {"{}", "metadata: {labels: {a: ''}}", false},
		"IfNotPresent is the default of a tag":      {container("image: 'r:5000/a:1'"), container("image: 'r:5000/a:1', imagePullPolicy: IfNotPresent"), true},
		"Always is the default of latest":           {container("image: 'a:latest'"), container("image: 'a:latest', imagePullPolicy: Always"), true},
		"Always is the default of no tag":           {container("image: 'r:5000/a'"), container("image: 'r:5000/a', imagePullPolicy: Always"), true},
		"IfNotPresent is the default of a digest":   {container("image: 'a@sha256:0'"), container("image: 'a@sha256:0', imagePullPolicy: IfNotPresent"), true},
		"Always counts on a tag":                    {container("image: 'a:1'"), container("image: 'a:1', imagePullPolicy: Always"), false},
		"IfNotPresent counts on latest":             {container("image: 'a:latest'"), container("image: 'a:latest', imagePullPolicy: IfNotPresent"), false},
		"another image counts":                      {container("image: 'a:1'"), container("image: 'a:2'"), false},
		"quantities count by their value":           {container("resources: {limits: {cpu: 1000m, memory: 1Gi}}"), container("resources: {limits: {cpu: '1', memory: '1073741824'}}"), true},
		"other quantities count":                    {container("resources: {limits: {cpu: 1000m}}"), container("resources: {limits: {cpu: 1001m}}"), false},
		"limits are not requests":                   {container("resources: {limits: {cpu: 1}}"), container("resources: {requests: {cpu: 1}}"), false},
		"empty lists are none":                      {container("image: a"), container("image: a, args: [], env: [], ports: [], resources: {limits: {}}"), true},
		"TCP is a port's default":                   {container("ports: [{containerPort: 1}]"), container("ports: [{containerPort: 1, protocol: TCP}]"), true},
		"UDP counts":                                {container("ports: [{containerPort: 1}]"), container("ports: [{containerPort: 1, protocol: UDP}]"), false},
		"the order of containers counts": {
			"spec: {containers: [{name: a}, {name: b}]}", "spec: {containers: [{name: b}, {name: a}]}", false,
		},
		"a volume with nothing is an emptyDir": {pod("volumes: [{name: a}]"), pod("volumes: [{name: a, emptyDir: {}}]"), true},
		"an emptyDir in memory counts":         {pod("volumes: [{name: a}]"), pod("volumes: [{name: a, emptyDir: {medium: Memory}}]"), false},
		"another mode of a volume counts":      {pod("volumes: [{name: a, secret: {secretName: s}}]"), pod("volumes: [{name: a, secret: {secretName: s, defaultMode: 256}}]"), false},
		"an empty label selector is not the same as none": {
			pod("topologySpreadConstraints: [{maxSkew: 1}]"), pod("topologySpreadConstraints: [{maxSkew: 1, labelSelector: {}}]"), false,
		},
		"an empty namespace selector is not the same as none": {
			pod("affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a}]}}"),
			pod("affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, namespaceSelector: {}}]}}"), false,
		},
		"hostPort on the host network repeats containerPort": {
			"spec: {hostNetwork: true, containers: [{name: a, ports: [{containerPort: 1}]}]}",
			"spec: {hostNetwork: true, containers: [{name: a, ports: [{containerPort: 1, hostPort: 1}]}]}", true,
		},
		"hostPort on the pod network counts": {
			"spec: {containers: [{name: a, ports: [{containerPort: 1}]}]}",
			"spec: {containers: [{name: a, ports: [{containerPort: 1, hostPort: 1}]}]}", false,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := workload.Revision(*parse[corev1.PodTemplateSpec](t, test.a))
			b := workload.Revision(*parse[corev1.PodTemplateSpec](t, test.b))
			if same := a == b; same != test.same {
				t.Errorf("same revision: %v, want %v", same, test.same)
			}
			if len(a) != 16 {
				t.Errorf("revision %q is not 16 characters long", a)
			}
		})
	}
}

// The served files are what Kubernetes' own defaulting code makes of the files beside them.
func TestWhatTheAPIServerReturnsHasTheRevisionOfWhatWasWritten(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"plain", "everything"} {
		written := load[appsv1.Deployment](t, "revision", name+".yaml")
		served := load[appsv1.Deployment](t, "revision", name+".served.yaml")
		if workload.Revision(written.Spec.Template) != workload.Revision(served.Spec.Template) {
			t.Errorf("%s: the revisions differ", name)
		}
	}
}

func TestTheRevisionIsThePrimarysWhenItIsACopy(t *testing.T) {
	t.Parallel()
	race.Skip(t)
	c := newCanary(nil)
	for seed := range uint64(propertyRuns) {
		f := random(seed)
		key := []string{"app", "name", "app.kubernetes.io/name"}[f.IntN(3)]
		value := []string{"podinfo", "web", "podinfo-primary"}[f.IntN(3)]
		target := newTarget(func(d *appsv1.Deployment) {
			d.Spec.Selector.MatchLabels = map[string]string{key: value}
			d.Spec.Template = f.template(key, value)
		})
		before := target.DeepCopy()
		rendered, err := workload.RenderPrimary(c, live(t, target), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(rendered.Object) // as it goes over the wire
		if err != nil {
			t.Fatal(err)
		}
		primary := parse[appsv1.Deployment](t, string(text))
		primary.Spec.Template.Annotations = map[string]string{"flagger-id": "1"}
		for key, value := range target.Spec.Template.Annotations {
			primary.Spec.Template.Annotations[key] = value
		}
		if got, want := workload.PrimaryRevision(live(t, primary)), workload.Revision(target.Spec.Template); got != want {
			t.Fatalf("seed %d: the primary's revision is %s, the target's %s", seed, got, want)
		}
		if diff := cmp.Diff(before, target); diff != "" {
			t.Fatalf("seed %d: the target was modified:\n%s", seed, diff)
		}
		if again, err := workload.RenderPrimary(c, live(t, target), live(t, primary)); err != nil {
			t.Fatal(err)
		} else if diff := cmp.Diff(rendered, again); diff != "" {
			t.Fatalf("seed %d: rendering again is not the same:\n%s", seed, diff)
		}
	}
}

// repeated are the fields that say again what another one says.
var repeated = map[string]bool{".serviceAccount": true}

func TestEveryFieldOfAPodSpecCounts(t *testing.T) {
	t.Parallel()
	race.Skip(t)
	f := random(1)
	f.full = true
	var template corev1.PodTemplateSpec
	f.fill(reflect.ValueOf(&template.Spec).Elem(), 0)
	base := workload.Revision(template)
	all := leaves(reflect.ValueOf(&template.Spec).Elem(), "")
	if len(all) < 500 {
		t.Fatalf("only %d fields were found", len(all))
	}
	for _, l := range all {
		old := reflect.ValueOf(l.value.Interface())
		change(l.value)
		if same := workload.Revision(template) == base; same != repeated[l.path] {
			t.Errorf("%s: a change from %v to %v keeps the revision: %v", l.path, old, l.value, same)
		}
		l.value.Set(old)
	}
	if workload.Revision(template) != base {
		t.Error("the revision is not stable")
	}
}

func TestEveryQuantityCountsByItsValue(t *testing.T) {
	t.Parallel()
	revision := func(notation string) string {
		f := random(1)
		f.full, f.quantities = true, []string{notation}
		return workload.Revision(f.template("app", "podinfo"))
	}
	want := revision("1024")
	for _, notation := range []string{"1Ki", "1024000m", "1.024k", "1.024e3", "1024.0"} {
		if got := revision(notation); got != want {
			t.Errorf("%s has not the revision of 1024", notation)
		}
	}
	if revision("1025") == want {
		t.Error("1025 has the revision of 1024")
	}
}

func change(v reflect.Value) {
	switch value := v.Addr().Interface().(type) {
	case *resource.Quantity:
		*value = resource.MustParse("4242")
		return
	case *intstr.IntOrString:
		*value = intstr.FromString("changed")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("changed")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Uint8:
		v.SetUint(v.Uint() ^ 1)
	default:
		v.SetInt(4242)
	}
}

func TestAPrimaryThatFlaggerMadeIsRecognised(t *testing.T) {
	t.Parallel()
	// Flagger also rewrites selectors by a label that only bears the name of the target.
	const spread = "spec: {topologySpreadConstraints: [{maxSkew: 1, labelSelector: {matchLabels: {app: %s, name: %s}}}]}"
	at := func(app, name string) corev1.PodTemplateSpec {
		text := strings.Replace(strings.Replace(spread, "%s", app, 1), "%s", name, 1)
		template := parse[corev1.PodTemplateSpec](t, text)
		template.Labels = map[string]string{"app": app, "name": "podinfo"}
		return *template
	}
	primary := newTarget(func(d *appsv1.Deployment) {
		d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "podinfo-primary"}}
		d.Spec.Template = at("podinfo-primary", "podinfo-primary")
		d.Spec.Template.Annotations = map[string]string{"flagger-id": "1"}
	})
	if got, want := workload.PrimaryRevision(live(t, primary)), workload.Revision(at("podinfo", "podinfo")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func BenchmarkRevision(b *testing.B) {
	for _, name := range []string{"plain", "everything"} {
		template := load[appsv1.Deployment](b, "revision", name+".served.yaml").Spec.Template
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				workload.Revision(template)
			}
		})
	}
}
