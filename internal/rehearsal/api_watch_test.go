package rehearsal

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

func config(name string, labels map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "test", Labels: labels}}
}

// heard takes what a watch has sent so far, as "TYPE name".
func heard(t *testing.T, w watch.Interface) []string {
	t.Helper()
	synctest.Wait()
	var events []string
	for {
		select {
		case e, open := <-w.ResultChan():
			if !open {
				return append(events, "closed")
			}
			switch object := e.Object.(type) {
			case *metav1.Status:
				events = append(events, fmt.Sprintf("%s %d", e.Type, object.Code))
			case metav1.Object:
				events = append(events, fmt.Sprintf("%s %s%s", e.Type, object.GetName(), object.GetAnnotations()[metav1.InitialEventsAnnotationKey]))
			}
			synctest.Wait()
		default:
			return events
		}
	}
}

func TestAPIWatchResumesWhereTheClientWas(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		configs := c.typed.CoreV1().ConfigMaps("test")
		one := mustDo[*corev1.ConfigMap](t)(configs.Create(c.ctx, config("one", nil), metav1.CreateOptions{}))
		mustDo[*corev1.ConfigMap](t)(configs.Create(c.ctx, config("two", map[string]string{"seen": "yes"}), metav1.CreateOptions{}))
		w := mustDo[watch.Interface](t)(configs.Watch(c.ctx, metav1.ListOptions{ResourceVersion: one.ResourceVersion}))
		defer w.Stop()
		seen := mustDo[watch.Interface](t)(configs.Watch(c.ctx, metav1.ListOptions{ResourceVersion: one.ResourceVersion, LabelSelector: "seen=yes"}))
		defer seen.Stop()
		if diff := cmp.Diff([]string{"ADDED two"}, heard(t, w)); diff != "" {
			t.Errorf("after the resume (-want +got):\n%s", diff)
		}
		mustDo[*corev1.ConfigMap](t)(configs.Update(c.ctx, config("one", map[string]string{"seen": "yes"}), metav1.UpdateOptions{}))
		mustDo[*corev1.ConfigMap](t)(configs.Update(c.ctx, config("two", nil), metav1.UpdateOptions{}))
		if err := configs.Delete(c.ctx, "two", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"MODIFIED one", "MODIFIED two", "DELETED two"}, heard(t, w)); diff != "" {
			t.Errorf("without a selector (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"ADDED two", "ADDED one", "DELETED two"}, heard(t, seen)); diff != "" {
			t.Errorf("with a selector (-want +got):\n%s", diff)
		}
		c.api.LimitHistory(1)
		_, err := configs.Watch(c.ctx, metav1.ListOptions{ResourceVersion: one.ResourceVersion})
		if !apierrors.IsResourceExpired(err) {
			t.Errorf("a watch from before the history: %v, want 410 Gone", err)
		}
	})
}

func TestAPIWatchEndsAtItsTimeAndWithItsClient(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		seconds := int64(30)
		configs := c.typed.CoreV1().ConfigMaps("test")
		w := mustDo[watch.Interface](t)(configs.Watch(c.ctx, metav1.ListOptions{ResourceVersion: "1", TimeoutSeconds: &seconds, AllowWatchBookmarks: true}))
		pass(29 * time.Second)
		if events := heard(t, w); len(events) > 0 {
			t.Errorf("before its time the watch said %v", events)
		}
		pass(2 * time.Second)
		if diff := cmp.Diff([]string{"BOOKMARK ", "closed"}, heard(t, w)); diff != "" {
			t.Errorf("after its time (-want +got):\n%s", diff)
		}
		w = mustDo[watch.Interface](t)(configs.Watch(c.ctx, metav1.ListOptions{}))
		if open := c.api.Watches(); open != 1 {
			t.Errorf("%d watches are open, want 1", open)
		}
		w.Stop()
		synctest.Wait()
		if open := c.api.Watches(); open != 0 {
			t.Errorf("%d watches outlive their client", open)
		}
	})
}

func TestAPIWatchStartsWithTheStateWhenAsked(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		configs, yes := c.typed.CoreV1().ConfigMaps("test"), true
		mustDo[*corev1.ConfigMap](t)(configs.Create(c.ctx, config("one", nil), metav1.CreateOptions{}))
		mustDo[*corev1.ConfigMap](t)(configs.Create(c.ctx, config("two", nil), metav1.CreateOptions{}))
		w := mustDo[watch.Interface](t)(configs.Watch(c.ctx, metav1.ListOptions{
			SendInitialEvents: &yes, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, AllowWatchBookmarks: true,
			FieldSelector: "metadata.name=two",
		}))
		defer w.Stop()
		if diff := cmp.Diff([]string{"ADDED two", "BOOKMARK true"}, heard(t, w)); diff != "" {
			t.Errorf("initial events (-want +got):\n%s", diff)
		}
		if _, err := configs.Watch(c.ctx, metav1.ListOptions{SendInitialEvents: &yes}); !apierrors.IsInvalid(err) {
			t.Errorf("initial events without a match: %v", err)
		}
		if _, err := configs.List(c.ctx, metav1.ListOptions{FieldSelector: "data.x=y"}); !apierrors.IsBadRequest(err) {
			t.Errorf("an unknown field selector: %v", err)
		}
	})
}

func TestAPIInformerFollowsThroughOneWatch(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		configs := c.typed.CoreV1().ConfigMaps("test")
		mustDo[*corev1.ConfigMap](t)(configs.Create(c.ctx, config("one", nil), metav1.CreateOptions{}))
		ctx, cancel := context.WithCancel(c.ctx)
		factory := informers.NewSharedInformerFactory(c.typed, 0)
		informer := factory.Core().V1().ConfigMaps()
		informer.Informer()
		factory.StartWithContext(ctx)
		if !cache.WaitForCacheSync(ctx.Done(), informer.Informer().HasSynced) {
			t.Fatal("the informer has not synced")
		}
		mustDo[*corev1.ConfigMap](t)(configs.Create(c.ctx, config("two", nil), metav1.CreateOptions{}))
		synctest.Wait()
		if _, err := informer.Lister().ConfigMaps("test").Get("two"); err != nil {
			t.Errorf("the informer has not heard of a new object: %v", err)
		}
		requests := c.api.Requests()
		if requests["watch configmaps"] != 1 || requests["list configmaps"] != 0 {
			t.Errorf("requests %v, want one watch that lists too", requests)
		}
		cancel()
		factory.Shutdown()
	})
}

func TestAPIDoesNotWaitForASlowWatcher(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		c.api.LimitHistory(5)
		configs := c.typed.CoreV1().ConfigMaps("test")
		w := mustDo[watch.Interface](t)(configs.Watch(c.ctx, metav1.ListOptions{}))
		defer w.Stop()
		// Nobody reads the watch while these are written; a pipe holds nothing.
		other := kubernetes.NewForConfigOrDie(c.config)
		for i := range 50 {
			mustDo[*corev1.ConfigMap](t)(other.CoreV1().ConfigMaps("test").Create(c.ctx, config(fmt.Sprintf("c%d", i), nil), metav1.CreateOptions{}))
		}
		events := heard(t, w)
		if last := events[len(events)-2:]; len(events) > 40 || last[0] != "ERROR 410" || last[1] != "closed" {
			t.Errorf("the slow watcher heard %v, want an end with 410 Gone", events)
		}
	})
}
