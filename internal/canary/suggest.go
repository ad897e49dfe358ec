package canary

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// longestWord is how long a word may be to be compared: nobody misspells a name by hundreds of letters.
const longestWord = 64

// nearest returns the name that was probably meant, or "".
func nearest(word string, names []string) string {
	if word == "" || len(word) > longestWord {
		return ""
	}
	best, distance := "", min(3, max(1, len(word)/3))+1
	for _, name := range slices.Sorted(slices.Values(names)) {
		if strings.EqualFold(word, name) {
			return name
		}
		if d := apart(strings.ToLower(word), strings.ToLower(name)); d < distance {
			best, distance = name, d
		}
	}
	return best
}

// apart returns how many slips of the finger lie between two words. Letters in a wrong order are one slip.
func apart(a, b string) int {
	if len(a) == len(b) && letters(a) == letters(b) {
		return 1
	}
	return levenshtein.ComputeDistance(a, b)
}

func letters(s string) string {
	runes := []rune(s)
	slices.Sort(runes)
	return string(runes)
}

// didYouMean returns the end of a message that suggests a name, or "".
func didYouMean(word string, names []string) string {
	if name := nearest(word, names); name != "" {
		return "; did you mean " + strconv.Quote(name) + "?"
	}
	return ""
}

// placeOf returns the path of the one field called name that is nearest to the root, or "", to tell people who put a
// field at the wrong level where it belongs. It does not look behind lists and maps.
func placeOf(name string, root reflect.Type) string {
	var paths []string
	seen := map[reflect.Type]bool{}
	var visit func(t reflect.Type, path string)
	visit = func(t reflect.Type, path string) {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || seen[t] || opaque(t) {
			return
		}
		seen[t] = true
		for _, f := range fieldsOf(t) {
			if path == "" && f.name != "spec" {
				continue
			}
			if f.name == name {
				paths = append(paths, join(path, name))
			}
			visit(f.typ, join(path, f.name))
		}
	}
	visit(root, "")
	depth := func(path string) int { return strings.Count(path, ".") }
	slices.SortStableFunc(paths, func(a, b string) int { return depth(a) - depth(b) })
	if len(paths) == 0 || len(paths) > 1 && depth(paths[0]) == depth(paths[1]) {
		return ""
	}
	return paths[0]
}
