package gate

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// Reached says whether a webhook's server answers.
type Reached struct {
	Name string
	Type string
	Own  bool  // the run does it itself, so that nobody was asked
	Err  error // without secrets; nil when it answers
}

// Reach asks the server of every webhook whether it is there, all at once, without calling the webhook itself: a test is not
// started and a gate is not asked. The request is OPTIONS, which HTTP says changes nothing, and any status is an answer.
func (c *Caller) Reach(ctx context.Context) []Reached {
	all := make([]Reached, len(c.hooks))
	var asked sync.WaitGroup
	for i, h := range c.hooks {
		if h.InProcess() {
			all[i] = Reached{Name: h.Name, Type: string(h.EffectiveType()), Own: true}
			continue
		}
		asked.Go(func() { all[i] = Reached{Name: h.Name, Type: string(h.EffectiveType()), Err: h.reach(ctx)} })
	}
	asked.Wait()
	return all
}

func (h *hook) reach(ctx context.Context) error {
	ctx, cancel := httpx.WithTimeout(ctx, h.EffectiveTimeout())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodOptions, h.url.String(), http.NoBody)
	if err != nil {
		return fmt.Errorf("the URL of webhook %q cannot be asked (it is not shown, it may hold a credential)", h.Name)
	}
	req.Close = true
	if _, err := h.client.Do(ctx, req); err != nil {
		return fmt.Errorf("webhook %q: %s", h.Name, h.show(err.Error()))
	}
	return nil
}
