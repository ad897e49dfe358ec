package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// patience bounds every wait of a test for the cluster: far above what a loaded machine needs, and far below the test
// binary's own deadline, so that the error says what was missing.
const patience = 60 * time.Second

// Await polls try, first after 10 ms and then ever slower up to 250 ms, until it returns nil. After a minute the test
// fails with what was awaited and the last error.
func Await(t testing.TB, what string, try func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := await(ctx, what, try); err != nil {
		t.Fatal(err)
	}
}

// await is Await for the time before there is a test. A cause of ctx's end, such as a component that died, is named.
func await(ctx context.Context, what string, try func(ctx context.Context) error) error {
	pause := 10 * time.Millisecond
	begin := time.Now()
	var last error
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		// An attempt that the deadline cut short says less than the one before.
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			waited := time.Since(begin).Round(time.Millisecond)
			return fmt.Errorf("wait %s for %s: %w (last answer: %w)", waited, what, context.Cause(ctx), last)
		case <-time.After(pause):
		}
		pause = min(pause*2, 250*time.Millisecond)
	}
}

// unless turns a condition into the error that await wants to hear.
func unless(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}
