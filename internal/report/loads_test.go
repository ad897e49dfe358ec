package report_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/report"
)

func TestLoadIsInEveryForm(t *testing.T) {
	t.Parallel()
	s := loaded()
	r := report.Summarise(s)
	web, err := report.HTML(r, s)
	if err != nil {
		t.Fatal(err)
	}
	junit, err := report.JUnit(r)
	if err != nil {
		t.Fatal(err)
	}
	for form, text := range map[string]string{
		"HTML": string(web), "JUnit": string(junit), "page": report.Markdown(s, options("loaded", report.PlatformGitHub)), "terminal": report.Table(r, 160, false),
	} {
		for _, want := range []string{"load", "1000", "100.0/s", "4.3ms", "31.4ms", "1000 × 200", "10 × Internal, 990 × OK", "40 without an answer (connection refused)"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q", form, want)
			}
		}
	}
}

func TestLoadThatIsLeftOutIsCounted(t *testing.T) {
	t.Parallel()
	s := loaded()
	one := s.Loads[1]
	s.Loads = nil
	for i := range 250 {
		one.Webhook = fmt.Sprintf("load-%03d", i)
		s.Loads = append(s.Loads, one)
	}
	web, err := report.HTML(report.Summarise(s), s)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(web); strings.Contains(got, "load-049") || !strings.Contains(got, "load-050") || !strings.Contains(got, "50 earlier ones are in report.json") {
		t.Error("report.html does not say which load it shows")
	}
	page := report.Markdown(s, options("loaded", report.PlatformGitHub))
	if strings.Contains(page, "load-229") || !strings.Contains(page, "load-230") || !strings.Contains(page, "230 earlier loads are in report.json") {
		t.Error("the page does not say which load it shows")
	}
}
