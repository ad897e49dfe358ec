package rehearsal

import (
	"context"
	"errors"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
)

func TestAPIForbidsWhatTheHookDenies(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		c.api.Deny(func(r APIRequest) bool { return r.Verb == "patch" && r.Resource.Resource == "deployments" })
		_, err := c.typed.AppsV1().Deployments("x").Patch(c.ctx, "podinfo", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{})
		want := `deployments.apps "podinfo" is forbidden: User "rehearsal" cannot patch resource "deployments" in API group "apps" in the namespace "x"`
		if !apierrors.IsForbidden(err) || err.Error() != want {
			t.Errorf("error %v\nwant  %s", err, want)
		}
		for verb, allowed := range map[string]bool{"patch": false, "get": true} {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: "x", Verb: verb, Group: "apps", Resource: "deployments"},
			}}
			review = mustDo[*authorizationv1.SelfSubjectAccessReview](t)(
				c.typed.AuthorizationV1().SelfSubjectAccessReviews().Create(c.ctx, review, metav1.CreateOptions{}))
			if review.Status.Allowed != allowed {
				t.Errorf("%s is allowed: %v, want %v", verb, review.Status.Allowed, allowed)
			}
		}
	})
}

func TestAPIGoesWrongAsToldAndCounts(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		configs := c.typed.CoreV1().ConfigMaps("test")
		fail := func(fault APIFault) { c.api.Intercept(func(APIRequest) APIFault { return fault }) }

		fail(FaultConflict(APIRequest{Resource: corev1.SchemeGroupVersion.WithResource("configmaps"), Name: "one"}))
		if _, err := configs.Create(c.ctx, config("one", nil), metav1.CreateOptions{}); !apierrors.IsConflict(err) {
			t.Errorf("409: %v", err)
		}
		fail(FaultInternal("etcd is away"))
		if _, err := configs.Get(c.ctx, "one", metav1.GetOptions{}); !apierrors.IsInternalError(err) {
			t.Errorf("500: %v", err)
		}
		times := 0
		c.api.Intercept(func(APIRequest) APIFault {
			if times++; times == 1 {
				return FaultTooManyRequests(3 * time.Second)
			}
			return APIFault{}
		})
		start := time.Now()
		if _, err := configs.List(c.ctx, metav1.ListOptions{}); err != nil || time.Since(start) < 3*time.Second {
			t.Errorf("429: %v after %s, want the client to have waited 3s", err, time.Since(start))
		}
		fail(APIFault{Hang: true})
		ctx, cancel := context.WithTimeout(c.ctx, time.Second)
		defer cancel()
		if _, err := configs.Create(ctx, config("one", nil), metav1.CreateOptions{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("hang: %v", err)
		}
		fail(APIFault{DropAnswer: true})
		if _, err := configs.Create(c.ctx, config("one", nil), metav1.CreateOptions{}); err == nil {
			t.Error("a dropped answer arrived")
		}
		fail(APIFault{Drop: true})
		if err := configs.Delete(c.ctx, "one", metav1.DeleteOptions{}); err == nil {
			t.Error("a dropped request was answered")
		}
		c.api.Intercept(nil)
		if _, err := configs.Get(c.ctx, "one", metav1.GetOptions{}); err != nil {
			t.Errorf("what a lost answer was about should have been done, and a lost request not: %v", err)
		}
		if got := c.api.Requests()["list configmaps"]; got != 2 {
			t.Errorf("%d lists counted, want 2", got)
		}
	})
}

func TestAPITellsWhatItServes(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		client := discovery.NewDiscoveryClientForConfigOrDie(c.config)
		groups, err := restmapper.GetAPIGroupResources(client)
		if err != nil {
			t.Fatal(err)
		}
		mapping, err := restmapper.NewDiscoveryRESTMapper(groups).RESTMapping(routesResource().GroupVersion().WithKind("HTTPRoute").GroupKind())
		if err != nil || mapping.Resource != routesResource() {
			t.Errorf("mapping of HTTPRoute: %v, %v", mapping, err)
		}
		if _, err := client.ServerResourcesForGroupVersion("flagger.app/v1beta1"); !apierrors.IsNotFound(err) {
			t.Errorf("a group without a definition: %v", err)
		}
		c.api.Install(FlaggerKinds()...)
		if list, err := client.ServerResourcesForGroupVersion("flagger.app/v1beta1"); err != nil || len(list.APIResources) != 6 {
			t.Errorf("after its definition: %v, %v", list, err)
		}
		if info, err := client.ServerVersion(); err != nil || info.Major != "1" {
			t.Errorf("version %v, %v", info, err)
		}
		if ns, err := c.typed.CoreV1().Namespaces().Get(c.ctx, "any", metav1.GetOptions{}); err != nil || ns.Status.Phase != corev1.NamespaceActive {
			t.Errorf("a namespace that nobody made: %v, %v", ns, err)
		}
	})
}

func TestAPIListensForOtherProcesses(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server, err := NewAPI(clock.RealClock{}).Listen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	data, err := server.Kubeconfig("test")
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(data)
	if err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(config)
	watching, err := client.CoreV1().Pods("test").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	if _, open := <-watching.ResultChan(); open {
		t.Error("the watch outlived the server")
	}
	if _, err := client.Discovery().ServerVersion(); err == nil {
		t.Error("the server answers after its end")
	}
}
