package kube

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
)

func version(uid, version string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "podinfo", "uid": uid, "resourceVersion": version}}}
	return o
}

func TestTheNewerVersionWins(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ known, next, want *unstructured.Unstructured }{
		"a later one":                    {version("a", "9"), version("a", "10"), version("a", "10")},
		"an older one comes late":        {version("a", "10"), version("a", "9"), version("a", "10")},
		"the same again":                 {version("a", "10"), version("a", "10"), version("a", "10")},
		"made anew":                      {version("a", "10"), version("b", "11"), version("b", "11")},
		"one that cannot be compared":    {version("a", "10"), version("a", "x"), version("a", "x")},
		"the first":                      {nil, version("a", "1"), version("a", "1")},
		"made anew, with a smaller name": {version("b", "10"), version("a", "11"), version("a", "11")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ref := newStore(), canary.Ref{Name: "podinfo"}
			if test.known != nil {
				s.put(ref, test.known)
			}
			s.put(ref, test.next)
			live, _ := s.snapshot()
			if got := live[ref]; got.GetResourceVersion() != test.want.GetResourceVersion() || got.GetUID() != test.want.GetUID() {
				t.Errorf("kept %s of %s, want %s", got.GetResourceVersion(), got.GetUID(), test.want.GetResourceVersion())
			}
		})
	}
}

func TestAListReplacesWhatWasKnown(t *testing.T) {
	t.Parallel()
	s, ref := newStore(), canary.Ref{Name: "podinfo"}
	if missing := s.missing([]canary.Ref{ref}); len(missing) != 1 {
		t.Errorf("missing %v before the first list", missing)
	}
	s.replace(ref, []any{version("a", "5")})
	s.replace(ref, nil)
	if live, _ := s.snapshot(); live[ref] != nil || s.missing([]canary.Ref{ref}) != nil {
		t.Errorf("after an empty list: %v", live)
	}
	s.replaceParts(ref, []any{version("p", "1")})
	s.replaceParts(ref, nil)
	if _, pods := s.snapshot(); len(pods) != 0 {
		t.Errorf("pods %v", pods)
	}
}

func TestOneTokenIsEnoughForManyChanges(t *testing.T) {
	t.Parallel()
	s := newStore()
	for range 3 {
		s.putPart(version("p", "1"))
		s.removePart("podinfo")
	}
	<-s.changed
	select {
	case <-s.changed:
		t.Error("two tokens")
	default:
	}
	s.put(canary.Ref{}, version("a", "1"))
	<-s.changed
	s.put(canary.Ref{}, version("a", "1")) // nothing new
	select {
	case <-s.changed:
		t.Error("woken by nothing")
	default:
	}
}

func TestAnObjectHoldsAnother(t *testing.T) {
	t.Parallel()
	type m = map[string]any
	tests := map[string]struct {
		a, b any
		want bool
	}{
		"equal maps":                       {m{"a": int64(1)}, m{"a": int64(1)}, true},
		"more keys in the live one":        {m{"a": int64(1)}, m{"a": int64(1), "b": "x"}, true},
		"a key is missing":                 {m{"a": int64(1), "b": "x"}, m{"a": int64(1)}, false},
		"numbers of other types":           {m{"a": int64(1), "b": int32(2), "c": 3}, m{"a": float64(1), "b": int64(2), "c": float64(3)}, true},
		"another number":                   {int64(1), float64(1.5), false},
		"a number is not its text":         {int64(1), "1", false},
		"lists match element by element":   {[]any{"a", m{"b": "c"}}, []any{"a", m{"b": "c", "d": "e"}}, true},
		"another order":                    {[]any{"a", "b"}, []any{"b", "a"}, false},
		"a longer list":                    {[]any{"a"}, []any{"a", "b"}, false},
		"an empty map asks for nothing":    {m{"a": m{}}, m{}, true},
		"an empty list asks for nothing":   {m{"a": []any{}}, m{}, true},
		"an empty map is not a text":       {m{"a": m{}}, m{"a": "x"}, false},
		"a map is not a list":              {[]any{"a"}, m{"a": "b"}, false},
		"nothing where something is there": {m{"a": nil}, m{"a": "x"}, false},
		"true is true":                     {true, true, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := within(test.a, test.b); got != test.want {
				t.Errorf("%v in %v: %v, want %v", test.a, test.b, got, test.want)
			}
		})
	}
	if !contains(version("", "7"), version("", "5")) {
		t.Error("the resourceVersion is a condition, not something to write")
	}
	if contains(nil, version("", "5")) {
		t.Error("what does not exist holds nothing")
	}
}
