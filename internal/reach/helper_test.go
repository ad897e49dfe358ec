package reach

import (
	"errors"
	"net/url"
	"testing"
)

// temporary reports whether an error is one that httpx takes for passing.
func temporary(err error) bool {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err // its own Temporary looks no deeper than one error
	}
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

func mustURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
