package loadtest

import (
	"context"
	"errors"
	"strings"
)

// ErrEnough is the cause with which a context is cancelled to end load whose time is over, such as that of an analysis
// window: what it has measured until then counts. Requests that are under way are waited for, for a moment.
var ErrEnough = errors.New("there was enough load")

// enough reports whether a context was cancelled by ErrEnough.
func enough(ctx context.Context) bool {
	return ctx.Err() != nil && errors.Is(context.Cause(ctx), ErrEnough)
}

// outlive returns a context for the requests of load: it ends with ctx, unless there was just enough load.
func outlive(ctx context.Context) (sending context.Context, end func()) {
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if !enough(ctx) {
			cancel()
		}
	})
	return sending, func() {
		stop()
		cancel()
	}
}

// forgive takes out the requests that were broken off because the load was over: no server is to blame for them.
func (of *figures) forgive() {
	for text, count := range of.errors {
		if strings.HasSuffix(text, context.Canceled.Error()) {
			of.requests -= count
			delete(of.errors, text)
		}
	}
}
