package cli

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/canary"
)

// fieldsBelow returns the fields of a type by their paths, such as spec.analysis.metrics[].name. Of a struct, its fields
// are listed and not it itself.
func fieldsBelow(of reflect.Type, path string) []string {
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	switch of.Kind() {
	case reflect.Slice:
		if of.Elem().Kind() == reflect.Struct {
			return fieldsBelow(of.Elem(), path+"[]")
		}
	case reflect.Struct:
		var all []string
		for field := range of.Fields() {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
				all = append(all, fieldsBelow(field.Type, path+"."+name)...)
			}
		}
		if len(all) > 0 {
			return all
		}
	}
	return []string{path}
}

// covers reports whether a path of the page, which may end in ".*", stands for a field.
func covers(row, field string) bool {
	if above, all := strings.CutSuffix(row, ".*"); all {
		return strings.HasPrefix(field, above+".") || strings.HasPrefix(field, above+"[].")
	}
	return row == field
}

var (
	fieldRow  = regexp.MustCompile("(?m)^\\| (`spec\\.[^|]*`) \\| ([^|]*) \\| (?:([^|]*) )?\\|$")
	fieldName = regexp.MustCompile("`(spec\\.[^`]*)`")
)

// TestEveryFieldOfFlaggerIsInThePage holds the tables of moving-from-flagger.md to the types that files are read into.
func TestEveryFieldOfFlaggerIsInThePage(t *testing.T) {
	t.Parallel()
	text := page(t, "moving-from-flagger.md").text
	for kind, of := range map[string]reflect.Type{
		"Canary": reflect.TypeFor[canary.Spec](), "MetricTemplate": reflect.TypeFor[canary.MetricTemplateSpec](),
		"AlertProvider": reflect.TypeFor[canary.AlertProviderSpec](),
	} {
		_, table, found := strings.Cut(text, "\n## Fields: "+kind+"\n")
		if !found {
			t.Errorf("the page has no heading for the fields of %s", kind)
			continue
		}
		table, _, _ = strings.Cut(table, "\n## ")
		fields := fieldsBelow(of, "spec")
		seen := map[string]bool{}
		for _, row := range fieldRow.FindAllStringSubmatch(table, -1) {
			if !slices.Contains([]string{"as in Flagger", "differs", "Penstock only"}, row[2]) {
				t.Errorf("%s %s: %q is none of the words for how it is", kind, row[1], row[2])
			}
			if row[2] != "as in Flagger" && row[3] == "" {
				t.Errorf("%s %s differs, and the page does not say how", kind, row[1])
			}
			for _, name := range fieldName.FindAllStringSubmatch(row[1], -1) {
				hit := false
				for _, field := range fields {
					if covers(name[1], field) {
						hit, seen[field] = true, true
					}
				}
				if !hit {
					t.Errorf("%s has no field %s", kind, name[1])
				}
			}
		}
		for _, field := range fields {
			if !seen[field] {
				t.Errorf("the page does not say how %s of %s differs", field, kind)
			}
		}
	}
}
