package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestGoldenHTML(t *testing.T) {
	t.Parallel()
	all := pages()
	for _, name := range []string{"rolled-back", "promoted", "healthy", "gate", "ab", "mirrored", "hostile", "halted", "long-names", "initialised", "no-data", "compared", "loaded"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := report.Summarise(all[name])
			if name == "rolled-back" {
				r = rehearsed(all[name])
			}
			doc, err := report.HTML(r, all[name])
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "html/"+name+".html", string(doc))
		})
	}
}

// evil is markup in every text that a page shows.
func evil() report.Snapshot {
	const text = `a|b \| [x](https://evil.example) @all #12 "><script>alert(1)</script><img src=x onerror=alert(2)>' onload=alert(3) </svg></title></style>`
	s := failing(5, rollout.CheckResult{
		Name: text, Verdict: rollout.Fail, Value: ptr(3), Max: ptr(1), Unit: text, Message: text, Query: text, Raw: text,
	})
	s.Canary, s.Namespace, s.Provider, s.Image, s.OldImage, s.Reason = text, text, text, text, text, text
	s.Target.Ready, s.Target.Message, s.Target.Scaler, s.Status.Revision = false, text, text, text
	s.Outcome = rollout.RolledBack
	s.Loads = []report.Load{{Step: 3, Webhook: text, Task: text, Message: text, Notes: []string{text}, Unanswered: 1, Errors: map[string]int64{text: 1}}}
	return s
}

func TestHTMLHasOnlyItsOwnElements(t *testing.T) {
	t.Parallel()
	r := rehearsed(evil())
	r.Faults, r.StandIns = []string{evil().Canary}, []string{evil().Canary}
	doc, err := report.HTML(r, evil())
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"<script", "<img", "<iframe", "<link", "<a "} {
		if bytes.Contains(doc, []byte(tag)) {
			t.Errorf("the page has %s", tag)
		}
	}
	for _, outside := range []string{"http://", "url(", "@import", "src=\"", "href"} {
		if bytes.Contains(doc, []byte(outside)) {
			t.Errorf("the page needs %s", outside)
		}
	}
	if n := strings.Count(string(doc), "</style>"); n != 1 {
		t.Errorf("%d ends of style", n)
	}
	// The drawings are well-formed: their attributes have not been left.
	for _, part := range bytes.Split(doc, []byte("<svg"))[1:] {
		svg, _, _ := bytes.Cut(append([]byte("<svg"), part...), []byte("</svg>"))
		d := xml.NewDecoder(bytes.NewReader(append(svg, "</svg>"...)))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in %s", err, svg)
			}
			if e, ok := token.(xml.StartElement); ok {
				for _, a := range e.Attr {
					if strings.HasPrefix(a.Name.Local, "on") {
						t.Errorf("an element %s has %s", e.Name.Local, a.Name.Local)
					}
				}
			}
		}
	}
}

func TestHTMLOfAHugeMessageIsBounded(t *testing.T) {
	t.Parallel()
	s := huge()
	s.Outcome = rollout.RolledBack
	doc, err := report.HTML(report.Summarise(s), s)
	if err != nil {
		t.Fatal(err)
	}
	if len(doc) > 1<<20 {
		t.Errorf("%d bytes", len(doc))
	}
	if !bytes.Contains(doc, []byte("more]")) {
		t.Error("the page does not say that text was left out")
	}
}
