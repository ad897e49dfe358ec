package canary

import (
	"strings"
	"testing"
)

func TestAGateIsThatOfACanary(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		gate Gate
		want []string // parts of the error; none when it is one
	}{
		{Gate{Namespace: "test", Name: "podinfo"}, nil},
		{Gate{Namespace: "test", Name: "rollback.podinfo", Rollback: true}, nil},
		{Gate{Namespace: "test", Name: strings.Repeat("a", 60) + "." + strings.Repeat("b", 60)}, nil},
		{Gate{}, []string{`name is ""`, `; namespace is ""`}},
		{Gate{Namespace: "test", Name: "../prod"}, []string{`name is "../prod"`}},
		{Gate{Namespace: "test", Name: "Podinfo"}, []string{`name is "Podinfo"`, "lower case"}},
		{Gate{Namespace: "test.podinfo", Name: "a"}, []string{`namespace is "test.podinfo"`}},
		{Gate{Namespace: "test", Name: "a" + strings.Repeat(".a", 120)}, []string{"at most 240 characters"}},
		{Gate{Namespace: "test", Name: "a\n::error::"}, []string{`name is "a\n::error::"`}},
	} {
		err := c.gate.Check()
		if (err == nil) != (len(c.want) == 0) {
			t.Errorf("%q: %v", c.gate, err)
		}
		for _, part := range c.want {
			if err != nil && !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %q lacks %q", c.gate, err, part)
			}
		}
	}
	if got := (Gate{Namespace: "a", Name: "b", Rollback: true}).String(); got != "rollback gate of a/b" {
		t.Error(got)
	}
}
