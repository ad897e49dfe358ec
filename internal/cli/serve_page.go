package cli

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/server"
)

// pageRetry is how long a page waits before it asks again for what it was refused.
const pageRetry = time.Minute

// shown is a server with a page, which it keeps up to date while it runs.
type shown struct {
	listener
	page  *server.Page
	watch func(ctx context.Context)
}

// Run serves until ctx ends. Those who listen for changes are let go at once then, so that nothing waits for them.
func (s shown) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, s.page.Close)()
	watching, stop := context.WithCancel(ctx)
	var working sync.WaitGroup
	working.Go(func() { s.watch(watching) })
	defer working.Wait()
	defer stop()
	return s.listener.Run(ctx)
}

// openPage returns the page, nil when there is none. It makes no request.
func (s *serving) openPage() *server.Page {
	if s.page == nil {
		return nil
	}
	config := *s.page
	config.Log, config.Clock = s.log, clock.RealClock{}
	if s.client == nil {
		config.Nowhere = "This server keeps its gates in a file and asks no cluster, so that it knows of no rollouts."
	} else {
		config.Namespaces = s.namespaces
		if len(config.Namespaces) == 0 {
			config.Namespaces = []string{""}
		}
	}
	return server.NewPage(config)
}

// showRollouts tells the page what the cluster keeps, until ctx ends. Nothing is asked for a page that nobody can see.
func (s *serving) showRollouts(ctx context.Context, page *server.Page) {
	if s.client == nil || !page.Shown() {
		return
	}
	namespaces := s.namespaces
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	var watching sync.WaitGroup
	for _, namespace := range namespaces {
		watching.Go(func() { s.showNamespace(ctx, page, namespace) })
	}
	watching.Wait()
}

// showNamespace goes on after a refusal: the permission may be granted while the server runs.
func (s *serving) showNamespace(ctx context.Context, page *server.Page, namespace string) {
	watch := kube.StandingWatch{
		Whose: kube.Whose{Namespace: namespace}, Clock: clock.RealClock{},
		See:      func(all []report.Standing) error { page.See(namespace, all); return nil },
		Answered: func(err error) { page.Trouble(namespace, err) },
	}
	said := ""
	for {
		err := s.client.WatchStandings(ctx, watch)
		if ctx.Err() != nil {
			return
		}
		page.Trouble(namespace, err)
		if err.Error() != said {
			said = err.Error()
			s.log.Warn("the page cannot show the rollouts; `penstock render server` prints the role that this takes", "namespace", namespace, "error", said)
		}
		timer := time.NewTimer(pageRetry)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}
