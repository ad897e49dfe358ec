package report_test

import (
	"encoding"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/report"
)

// TestDocumentDescribesWhatTheFieldsAreMadeOf finds the types by walking from the document itself, so that a new one is
// not forgotten.
func TestDocumentDescribesWhatTheFieldsAreMadeOf(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/report.md")
	if err != nil {
		t.Fatal(err)
	}
	_, schema, found := strings.Cut(string(doc), "\n## report.json\n")
	if !found {
		t.Fatal("docs/report.md has no schema")
	}
	seen := map[reflect.Type]bool{}
	described(t, schema, reflect.TypeFor[report.Result](), seen)
	if len(seen) < 5 {
		t.Errorf("only %d types were found", len(seen))
	}
}

func described(t *testing.T, schema string, of reflect.Type, seen map[reflect.Type]bool) {
	t.Helper()
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice || of.Kind() == reflect.Map {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || seen[of] || of == reflect.TypeFor[time.Time]() || of.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return
	}
	seen[of] = true
	for _, field := range reflect.VisibleFields(of) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		if !strings.Contains(schema, "`"+name+"`") {
			t.Errorf("docs/report.md does not describe %q of %s", name, of)
		}
		described(t, schema, field.Type, seen)
	}
}
