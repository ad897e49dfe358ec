package forge

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/xanzy/go-gitlab"
	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/httpx"
)

const (
	gitlabTries   = 4
	gitlabBackoff = time.Second // doubles

	// gitlabPause follows a 429 that does not say how long to wait, as those for too many notes: they count by the minute.
	gitlabPause = time.Minute
)

// gitlabAPI sends requests to one GitLab. All surfaces of a rollout share it, because GitLab limits the user and not the
// object.
type gitlabAPI struct {
	//lint:ignore SA1019 the module has moved, with the same API; following it is a change of its own
	client  *gitlab.Client
	clock   clock.Clock
	secrets httpx.Secrets
	cfg     GitLabConfig

	mu    sync.Mutex
	until time.Time // GitLab wants no request before
	user  int       // 0: not asked yet
	job   *gitlab.Job
}

// Short names for what every request has.
type (
	gitlabOption = gitlab.RequestOptionFunc
	gitlabAnswer = gitlab.Response
)

// gitlabCall is one request.
type gitlabCall struct {
	what string // for errors, such as "read the notes"
	post bool   // it makes something: to repeat it may make another one
	send func(...gitlabOption) (*gitlabAnswer, error)
}

// call sends a request, and sends it again when GitLab is busy. A POST is only repeated when GitLab says that it did
// nothing; otherwise the error is unsure, and the caller has to look.
func (a *gitlabAPI) call(ctx context.Context, c gitlabCall) error {
	for try := 1; ; try++ {
		if err := a.turn(ctx); err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
		within := httpx.Within(ctx, gitlabTimeout)
		resp, err := c.send(gitlab.WithContext(ctx))
		if err == nil {
			return nil
		}
		failed := a.explain(resp, err, within)
		failed.unsure = failed.unsure && c.post
		wait := gitlabBackoff << (try - 1)
		if failed.status == http.StatusTooManyRequests {
			a.pause(httpx.RetryAfter(resp.Header, a.clock.Now(), gitlabPause))
			wait = 0 // turn waits, for every surface
		} else if resp != nil { // maintenance mode says when it ends, and a ban of our address when it is lifted
			a.pause(httpx.RetryAfter(resp.Header, a.clock.Now(), 0))
		}
		if !failed.transient || failed.unsure || try == gitlabTries || a.sleep(ctx, wait) != nil {
			return fmt.Errorf("%s: %w", c.what, failed)
		}
	}
}

// settle repeats write until it is known whether it took place. write must look at what is there first.
func (a *gitlabAPI) settle(ctx context.Context, write func(context.Context) error) error {
	for try := 1; ; try++ {
		err := write(ctx)
		if !gitlabUnsure(err) || try == gitlabTries || a.sleep(ctx, gitlabBackoff<<(try-1)) != nil {
			return err
		}
	}
}

// turn waits until GitLab takes requests again.
func (a *gitlabAPI) turn(ctx context.Context) error {
	a.mu.Lock()
	wait := a.until.Sub(a.clock.Now())
	a.mu.Unlock()
	if wait <= 0 {
		return ctx.Err()
	}
	if err := a.sleep(ctx, wait); err != nil {
		return fmt.Errorf("GitLab wants no request for %v: %w", wait.Round(time.Second), err)
	}
	return nil
}

func (a *gitlabAPI) pause(wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if until := a.clock.Now().Add(wait); until.After(a.until) {
		a.until = until
	}
}

// sleep returns at once when the wait would outlast ctx: what is left of its time is better spent otherwise.
func (a *gitlabAPI) sleep(ctx context.Context, wait time.Duration) error {
	if err := ctx.Err(); err != nil || wait <= 0 {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && a.clock.Now().Add(wait).After(deadline) {
		return context.DeadlineExceeded
	}
	timer := a.clock.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gitlabReadPage reads one page of a list, and reports whether it has found what it looks for.
type gitlabReadPage func(gitlab.ListOptions, ...gitlabOption) (bool, *gitlabAnswer, error)

// all reads the pages of a list until one has what is looked for.
func (a *gitlabAPI) all(ctx context.Context, what string, page gitlabReadPage) error {
	for number := 1; ; {
		var next int
		var done bool
		err := a.call(ctx, gitlabCall{what: what, send: func(o ...gitlabOption) (*gitlabAnswer, error) {
			found, resp, err := page(gitlab.ListOptions{Page: number, PerPage: gitlabPerPage}, o...)
			if err == nil {
				done, next = found, resp.NextPage
			}
			return resp, err
		}})
		if err != nil || done || next <= number { // a next page that does not come next would never end
			return err
		}
		number = next
	}
}
