package rehearsal

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/yaml"
)

// apiTest is an API with real clients, in a bubble where time passes only when everything waits.
type apiTest struct {
	api     *API
	ctx     context.Context
	config  *rest.Config
	typed   kubernetes.Interface
	dynamic dynamic.Interface
}

// withAPI runs a test against an API without controllers.
func withAPI(t *testing.T, test func(t *testing.T, c *apiTest), kinds ...Kind) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		api := NewAPI(clock.RealClock{}, kinds...)
		server := api.ListenPipe(ctx)
		c := &apiTest{api: api, ctx: ctx, config: server.Config()}
		c.typed = kubernetes.NewForConfigOrDie(c.config)
		c.dynamic = dynamic.NewForConfigOrDie(c.config)
		defer server.Wait()
		defer cancel()
		test(t, c)
	})
}

// withCluster is withAPI with the controllers running.
func withCluster(t *testing.T, options ControllerOptions, test func(t *testing.T, c *apiTest, controllers *Controllers)) {
	t.Helper()
	withAPI(t, func(t *testing.T, c *apiTest) {
		ctx, cancel := context.WithCancel(c.ctx)
		controllers := NewControllers(c.api, clock.RealClock{}, options)
		done := make(chan struct{})
		go func() {
			defer close(done)
			controllers.Run(ctx)
		}()
		test(t, c, controllers)
		cancel()
		<-done
	})
}

// pass lets the time of the bubble pass, and everything that happens in it settle.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func mustDo[T any](t *testing.T) func(value T, err error) T {
	t.Helper()
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func podinfo(replicas int32, image string) *appsv1.Deployment {
	labels := map[string]string{"app": "podinfo"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "podinfo", Namespace: "test"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "podinfod", Image: image, Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 9898}},
				}}},
			},
		},
	}
}

// fromYAML reads one object.
func fromYAML(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatal(err)
	}
	data, err := object.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := object.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return object
}
