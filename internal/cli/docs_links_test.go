package cli

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

var (
	heading    = regexp.MustCompile(`(?m)^#{1,6} +(.*?) *$`)
	inlineLink = regexp.MustCompile(`\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)`)
	inlineCode = regexp.MustCompile("`[^`\n]*`")
	linkText   = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// anchors are the places within a page that a link can name, as GitHub makes them of the headings.
func (d document) anchors() map[string]bool {
	all := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(d.text, ""), -1) {
		slug := anchor(linkText.ReplaceAllString(m[1], "$1"))
		for n, name := 0, slug; ; n++ {
			if n > 0 {
				name = slug + "-" + strconv.Itoa(n)
			}
			if !all[name] {
				all[name] = true
				break
			}
		}
	}
	return all
}

func anchor(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}

// links are where a page leads to, without what is only an example in code.
func (d document) links() []string {
	text := inlineCode.ReplaceAllStringFunc(codeBlock.ReplaceAllString(d.text, ""), func(code string) string {
		return strings.NewReplacer("[", "", "]", "").Replace(code)
	})
	var all []string
	for _, m := range inlineLink.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

func TestTheLinksOfDocumentsLeadSomewhere(t *testing.T) {
	t.Parallel()
	all := map[string]document{}
	for _, d := range documentsForPeople(t) {
		all[path.Clean(filepath.ToSlash(d.path))] = d
	}
	found := 0
	for from, d := range all {
		for _, link := range d.links() {
			if strings.HasPrefix(link, "https://") {
				continue
			}
			found++
			file, place, _ := strings.Cut(link, "#")
			target := from
			if file != "" {
				target = path.Join(path.Dir(from), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: the link %s leads nowhere", d.name, link)
				continue
			}
			if to, known := all[target]; place != "" && (!known || !to.anchors()[place]) {
				t.Errorf("%s: the link %s leads to no heading", d.name, link)
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d links found", found)
	}
}

func TestEveryPageIsInTheIndex(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{"README.md": true}
	for _, link := range page(t, "README.md").links() {
		listed[link] = true
	}
	for _, d := range documentsForPeople(t) {
		if strings.Contains(filepath.ToSlash(d.path), "/docs/") && !listed[d.name] {
			t.Errorf("docs/README.md does not list %s", d.name)
		}
	}
}
