package cli

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/server"
)

// pageRetry is how long a page waits before it asks again for what it was refused.
const pageRetry = time.Minute

// shown is a server that is told what the cluster keeps while it runs: its page, and whoever resumes rollouts.
type shown struct {
	listener
	page  *server.Page // nil when there is none
	watch func(ctx context.Context)
}

// Run serves until ctx ends. Those who listen for changes are let go at once then, so that nothing waits for them.
func (s shown) Run(ctx context.Context) error {
	if s.page != nil {
		defer context.AfterFunc(ctx, s.page.Close)()
	}
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

// audience is who is told what the cluster keeps.
type audience struct {
	page    *server.Page  // nil when nobody can see it
	resumer *gate.Resumer // nil when nobody resumes rollouts
	runs    *runs         // likewise
}

func (s *serving) audience(page *server.Page) audience {
	if page != nil && !page.Shown() {
		page = nil
	}
	return audience{page, s.resumer, s.runs}
}

func (a audience) see(namespace string, all []report.Standing) {
	if a.page != nil {
		a.page.See(namespace, all)
	}
	if a.resumer != nil {
		a.resumer.See(namespace, all)
		a.runs.see(namespace, all)
	}
}

func (a audience) trouble(namespace string, err error) {
	if a.page != nil {
		a.page.Trouble(namespace, err)
	}
}

// showRollouts tells the audience what the cluster keeps, until ctx ends. Nothing is asked when there is none.
func (s *serving) showRollouts(ctx context.Context, to audience) {
	if s.client == nil || to == (audience{}) {
		return
	}
	namespaces := s.namespaces
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	var watching sync.WaitGroup
	for _, namespace := range namespaces {
		watching.Go(func() { s.showNamespace(ctx, to, namespace) })
	}
	watching.Wait()
}

// showNamespace goes on after a refusal: the permission may be granted while the server runs.
func (s *serving) showNamespace(ctx context.Context, to audience, namespace string) {
	watch := kube.StandingWatch{
		Whose: kube.Whose{Namespace: namespace}, Clock: clock.RealClock{},
		See:      func(all []report.Standing) error { to.see(namespace, all); return nil },
		Answered: func(err error) { to.trouble(namespace, err) },
	}
	said := ""
	for {
		err := s.client.WatchStandings(ctx, watch)
		if ctx.Err() != nil {
			return
		}
		to.trouble(namespace, err)
		if err.Error() != said {
			said = err.Error()
			s.log.Warn("the page cannot show the rollouts, and none is resumed; `penstock render server` prints the role that this takes", "namespace", namespace, "error", said)
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
