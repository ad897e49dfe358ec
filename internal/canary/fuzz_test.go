package canary_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/canary"
)

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"examples/*.yaml", "examples/fragments/*.yaml", "good/*", "bad/*.yaml", "bad/*.json"} {
		for _, file := range load(f, pattern) {
			f.Add(file.Data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := canary.Parse([]canary.File{{Name: "f.yaml", Data: data}})
		for _, o := range set.Others {
			o.DeepCopy()
		}
		set.DefaultNamespace("default")
		checkProblems(t, set.Check(), data)
		checkProblems(t, err, data)
	})
}

// checkProblems holds an error to what every reader of it relies on.
func checkProblems(t *testing.T, err error, data []byte) {
	t.Helper()
	if err == nil {
		return
	}
	var problems *canary.ProblemsError
	if !errors.As(err, &problems) {
		t.Fatalf("not a ProblemsError: %v", err)
	}
	for _, p := range problems.Problems {
		if p.File != "f.yaml" || p.Line < 1 || p.Line > 1+bytes.Count(data, []byte("\n")) || p.Message == "" {
			t.Errorf("%+v has no file, line or message", p)
		}
		if strings.ContainsAny(p.String(), "\n\r\x1b") {
			t.Errorf("%q is not one line of text", p.String())
		}
	}
}

func BenchmarkParse(b *testing.B) {
	files := load(b, "examples/*.yaml")
	size := 0
	for _, f := range files {
		size += len(f.Data)
	}
	b.SetBytes(int64(size))
	for b.Loop() {
		for _, f := range files {
			if _, err := canary.Parse([]canary.File{f}); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkParseHostile shows that the worst files that fit into the limit end in seconds.
func BenchmarkParseHostile(b *testing.B) {
	const size = canary.MaxFileSize - 100
	for name, text := range map[string]string{
		"separators": strings.Repeat("---\n", size/4),
		"scalars":    strings.Repeat("--- 1\n", size/6),
		"open lists": strings.Repeat("[", size),
		"fields":     "apiVersion: flagger.app/v1beta1\nkind: Canary\n" + manyKeys(size),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				if _, err := canary.Parse([]canary.File{{Name: "f.yaml", Data: []byte(text)}}); err == nil {
					b.Fatal("it parses")
				}
			}
		})
	}
}

func manyKeys(size int) string {
	var text strings.Builder
	for i := 0; text.Len() < size-100; i++ {
		fmt.Fprintf(&text, "k%d: 1\n", i)
	}
	return text.String()
}
