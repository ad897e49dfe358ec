package report_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// stands is what the cluster keeps of a snapshot.
func stands(canary string, s report.Snapshot) report.Standing {
	return report.Standing{
		Canary: canary, Namespace: "shop", Run: report.Unattended,
		Record: rollout.Record{
			ID: "r-1", Target: "Deployment/podinfo", Image: s.Image, RunURL: "https://github.com/shop/web/actions/runs/7", Commit: "0123456789abcdef",
			Started: noon.Add(-time.Minute), Updated: s.Now, Status: s.Status, History: s.History,
		},
	}
}

// boards are the states that a board can show.
func boards() map[string]report.Board {
	running := stands("podinfo", at(3))
	running.Run, running.Holder = report.Attended, "run 7"
	waiting := stands("checkout", at(2))
	waiting.Record.Status.Gate, waiting.Record.Status.GateSince = "confirm-traffic-increase", noon.Add(-3*time.Minute)
	waiting.Run, waiting.Lacks = report.Attended, []string{"1 more approval of owners"}
	waiting.Gate = &report.Gate{
		Name: "confirm-traffic-increase", Command: "/canary approve r1-2-k3v9q2ab", Who: "2 of owners (everybody with the role maintain)", Until: noon.Add(time.Hour),
	}
	waiting.Notice = &approval.Notice{Path: "shop/web", Gate: approval.Gate{Source: approval.Source{Platform: approval.GitHub, Change: 12}}}
	suspended := stands("search", at(1))
	suspended.Record.Status.Suspended, suspended.Record.Status.Until = noon.Add(-time.Hour), noon.Add(5*time.Hour)
	suspended.Record.Status.Gate = "confirm-promotion"
	often := stands("often", at(2))
	for i, phase := range []rollout.Phase{rollout.Failed, rollout.Succeeded} {
		often.Record.Past = append(often.Record.Past, rollout.Ended{
			ID: "r-0", Image: oldImage, Revision: fmt.Sprintf("rev-%d", i), RunURL: "https://github.com/shop/web/actions/runs/6", Phase: phase,
			Reason: rollout.Reason{Code: rollout.CheckFailed, Detail: "request-duration 600ms is above 500ms"}, Updated: noon.Add(time.Duration(i-5) * time.Hour),
		})
	}
	damaged := report.Standing{Canary: "broken", Namespace: "shop", Problem: "the record.json of the ConfigMap \"penstock-broken\" is damaged"}
	board := func(all ...report.Standing) report.Board {
		return report.Board{Standings: all, Now: noon.Add(10 * time.Second)}
	}
	return map[string]report.Board{
		"empty": board(), "running": board(running), "waiting": board(waiting), "suspended": board(suspended), "damaged": board(damaged), "often": board(often),
		"failed": board(stands("podinfo", rolledBack())), "promoted": board(stands("podinfo", promoted())),
		"all":     board(running, waiting, suspended, damaged, stands("cart", rolledBack()), stands("mail", promoted())),
		"unknown": {Problems: []string{"The rollouts of the namespace shop cannot be read: forbidden"}, Now: noon},
	}
}

func fragment(t *testing.T, b report.Board, v report.BoardView) string {
	t.Helper()
	text, err := b.Fragment(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func rolloutFragment(t *testing.T, b report.Board, s report.Standing) string {
	t.Helper()
	text, err := b.RolloutFragment(s.Namespace, s.Canary)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestGoldenBoard(t *testing.T) {
	t.Parallel()
	for name, b := range boards() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, "board/"+name+".html", fragment(t, b, report.BoardView{}))
			if len(b.Standings) == 1 {
				golden(t, "board/"+name+".rollout.html", rolloutFragment(t, b, b.Standings[0]))
			}
		})
	}
}

func TestBoardSaysWhatPeopleAskIt(t *testing.T) {
	t.Parallel()
	all := boards()
	for name, want := range map[string][]string{
		"empty":     {"No rollout is known yet"},
		"unknown":   {"Not all is known", "cannot be read: forbidden", "No rollout is known."},
		"running":   {"1 running, 0 waiting", ">30%<", ">3/5<", "2 of 2 pass", "at work", `href="https://github.com/shop/web/actions/runs/7"`},
		"waiting":   {"1 waiting", "2 of owners", "/canary approve r1-2-k3v9q2ab", "2026-03-04 13:03 UTC, in 59m50s", "1 more approval", `href="https://github.com/shop/web/pull/12"`},
		"suspended": {"was suspended 60m ago", "confirm-promotion"},
		"damaged":   {"Unreadable", "is damaged"},
		"often":     {"1 running", "2 in the history", "rev-0", "rev-1", "request-duration 600ms is above 500ms", "4h ago", "5h ago"},
		"failed":    {"✗</span> Failed", "request-success-rate 94.2% is below 99%", "7d9f8c"},
		"promoted":  {"✓</span> Succeeded"},
	} {
		text := fragment(t, all[name], report.BoardView{})
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("%s: the page lacks %q:\n%s", name, part, text)
			}
		}
	}
}

func TestEarlierRolloutsAreDescribed(t *testing.T) {
	t.Parallel()
	text := report.Look{Width: 100}.Describe(boards()["often"].Standings[0], noon)
	_, text, _ = strings.Cut(text, "Earlier rollouts:\n")
	if newest, oldest := strings.Index(text, "rev-1"), strings.Index(text, "rev-0"); newest < 0 || oldest < newest {
		t.Errorf("want rev-1 and then rev-0:\n%s", text)
	}
}

// many are so many rollouts, half of which run.
func many(n int) report.Board {
	b := report.Board{Now: noon}
	for i := range n {
		s := stands(fmt.Sprintf("app-%03d", i), rolledBack())
		if i%2 == 0 {
			s = stands(fmt.Sprintf("app-%03d", i), at(4))
		}
		s.Record.Updated = noon.Add(-time.Duration(i) * time.Minute)
		b.Standings = append(b.Standings, s)
	}
	return b
}

var rolloutLink = regexp.MustCompile(`<a id="ah?r-[^"]*" href="rollouts/shop/(app-\d+)"`)

func TestEveryOfManyRolloutsIsOnOnePage(t *testing.T) {
	t.Parallel()
	b, seen := many(500), map[string]int{}
	for page := 1; page <= 5; page++ {
		text := fragment(t, b, report.BoardView{Running: page, Finished: page})
		for _, m := range rolloutLink.FindAllStringSubmatch(text, -1) {
			seen[m[1]]++
		}
		if !strings.Contains(text, fmt.Sprintf("page %d of 5", page)) {
			t.Errorf("page %d does not say which one it is", page)
		}
	}
	for name, times := range seen {
		if times != 1 {
			t.Errorf("%s is there %d times", name, times)
		}
	}
	if len(seen) != 500 {
		t.Errorf("%d rollouts are on the pages, want 500", len(seen))
	}
	if far, last := fragment(t, b, report.BoardView{Finished: 99}), fragment(t, b, report.BoardView{Finished: 5}); far != last {
		t.Error("a page out of range is not the last one")
	}
	found := fragment(t, b, report.BoardView{Find: "SHOP/app-01"})
	if n := len(rolloutLink.FindAllString(found, -1)); n != 10 || !strings.Contains(found, "10 of 500") {
		t.Errorf("%d rollouts found, want 10", n)
	}
	if next := fragment(t, b, report.BoardView{Find: "app"}); !strings.Contains(next, `href="?find=app&amp;finished=2#finished"`) {
		t.Error("the next page forgets what was looked for")
	}
}

var gateCard = regexp.MustCompile(`<a id="war-[^"]*" href="rollouts/shop/(app-\d+)"`)

func TestEveryOfManyGatesThatWaitIsOnOnePage(t *testing.T) {
	t.Parallel()
	b, seen := many(120), map[string]int{}
	for i := range b.Standings {
		s := stands(fmt.Sprintf("app-%03d", i), at(2))
		s.Record.Status.Gate, s.Record.Status.GateSince = "confirm-promotion", noon
		b.Standings[i] = s
	}
	for page, cards := range map[int]int{1: 50, 2: 50, 3: 20} {
		text := fragment(t, b, report.BoardView{Waiting: page, Running: 2})
		found := gateCard.FindAllStringSubmatch(text, -1)
		for _, m := range found {
			seen[m[1]]++
		}
		if len(found) != cards || !strings.Contains(text, fmt.Sprintf("<span>page %d of 3</span>", page)) || !strings.Contains(text, "120 waiting at a gate") {
			t.Errorf("page %d has %d gates, want %d", page, len(found), cards)
		}
		if next := fmt.Sprintf(`href="?running=2&amp;waiting=%d#waiting"`, page+1); strings.Contains(text, next) != (page < 3) {
			t.Errorf("page %d: %s", page, next)
		}
	}
	if len(seen) != 120 {
		t.Errorf("%d gates are on the pages, want 120", len(seen))
	}
}

func TestBoardViewOfAnAddress(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]report.BoardView{
		"":                                {},
		"find=a%2Fb&running=2&finished=3": {Find: "a/b", Running: 2, Finished: 3},
		"waiting=4":                       {Waiting: 4},
		"running=x&finished=1e9":          {},
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := report.ParseBoardView(values); got != want {
			t.Errorf("%q: %+v, want %+v", query, got, want)
		}
	}
}

// hostileBoard has markup in every text that comes from outside.
func hostileBoard() report.Board {
	const text = `a|b "><script>alert(1)</script><img src=x onerror=alert(2)>' onload=alert(3) </svg></title></style></code> javascript:alert(4)` + "\r\ndata: x\n\nevent: page"
	s := stands(text, evil())
	s.Namespace, s.Problem, s.Holder, s.Lacks = text, text, text, []string{text}
	r := &s.Record
	r.ID, r.Target, r.Image, r.RunURL, r.Commit = text, text, text, "javascript:alert(5)", text
	r.Status.Phase, r.Status.Revision, r.Status.Promoted, r.Status.Gate = rollout.Phase(text), text, text, "confirm-promotion"
	r.Status.Suspended = noon
	for i := range r.History {
		r.History[i].Phase, r.History[i].Reason = rollout.Progressing, text
	}
	r.Past = []rollout.Ended{{ID: text, Image: text, Revision: text, RunURL: "javascript:alert(7)", Phase: rollout.Failed, Reason: rollout.Reason{Detail: text}}}
	s.Gate = &report.Gate{Name: text, Command: text, Who: text, Until: noon}
	s.Notice = &approval.Notice{Path: text, Gate: approval.Gate{Source: approval.Source{Platform: approval.GitLab, Change: 3}}}
	s.Decisions = approval.Log{Head: text, Decisions: []approval.Decision{
		{Actor: approval.Actor{Login: text}, Verb: approval.Verb(text), Why: text, URL: "javascript:alert(6)", Counted: true, Reason: approval.Reason(text), Prev: text},
	}}
	return report.Board{Standings: []report.Standing{s}, Problems: []string{text}, Now: noon}
}

func TestHostileTextIsOnlyTextOnABoard(t *testing.T) {
	t.Parallel()
	b := hostileBoard()
	s := b.Standings[0]
	index, err := b.HTML(report.BoardView{Find: s.Canary[:20]})
	if err != nil {
		t.Fatal(err)
	}
	one, found, err := b.RolloutHTML(s.Namespace, s.Canary)
	if err != nil || !found {
		t.Fatal(found, err)
	}
	gone, found, err := b.RolloutHTML("shop", s.Canary)
	if err != nil || found {
		t.Fatal(found, err)
	}
	for name, page := range map[string]string{"start": string(index), "rollout": string(one), "gone": string(gone)} {
		if n := strings.Count(page, "<script"); n != 1 {
			t.Errorf("%s: %d scripts, want its own alone", name, n)
		}
		for _, bad := range []string{"<img", "<iframe", `href="javascript`, "</svg></title>", " onload=alert(3) </"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s: the page has %s", name, bad)
			}
		}
		if !strings.Contains(page, "&lt;script&gt;alert(1)") {
			t.Errorf("%s: the text is not shown", name)
		}
	}
	for _, text := range []string{fragment(t, b, report.BoardView{}), rolloutFragment(t, b, s)} {
		wellFormed(t, text)
	}
}

// wellFormed fails when elements are not closed in order, an id is there twice, or a handler or a style is in an attribute.
func wellFormed(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader("<body>" + text + "</body>"))
	d.Entity = xml.HTMLEntity
	ids := map[string]bool{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range start.Attr {
			if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "style" {
				t.Errorf("<%s> has the attribute %s", start.Name.Local, a.Name.Local)
			}
			if a.Name.Local == "id" && ids[a.Value] {
				t.Errorf("the id %q is there twice", a.Value)
			}
			if a.Name.Local == "id" {
				ids[a.Value] = true
			}
		}
	}
}

func TestBoardsAreWellFormed(t *testing.T) {
	t.Parallel()
	for _, b := range boards() {
		wellFormed(t, fragment(t, b, report.BoardView{}))
		for _, s := range b.Standings {
			wellFormed(t, rolloutFragment(t, b, s))
		}
	}
}

func TestBoardNeedsNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	page, err := boards()["empty"].HTML(report.BoardView{})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(page), "http://www.w3.org/2000/svg", "")
	for _, outside := range []string{"http://", "https://", "url(", "@import", `src="`} {
		if strings.Contains(text, outside) {
			t.Errorf("the page needs %s", outside)
		}
	}
}

func TestNewsOfABoard(t *testing.T) {
	t.Parallel()
	everything := func(*report.Standing) bool { return true }
	b := boards()["all"]
	said, told := b.News(nil, everything)
	if said != "" || len(told) != len(b.Standings) {
		t.Errorf("at first it says %q and remembers %d", said, len(told))
	}
	b.Now = b.Now.Add(time.Hour)
	if said, _ = b.News(told, everything); said != "" {
		t.Errorf("after an hour in which nothing happened: %q", said)
	}
	b.Standings[0].Record.Status.Weight = 40
	if said, _ = b.News(told, everything); said != "shop/podinfo: Progressing, 40%." {
		t.Errorf("%q", said)
	}
	if said, _ = b.News(told, func(s *report.Standing) bool { return s.Canary == "cart" }); said != "" {
		t.Errorf("news of another canary: %q", said)
	}
	for i := range b.Standings {
		b.Standings[i].Record.Status.Weight += 5
	}
	if said, _ = b.News(told, everything); !strings.HasSuffix(said, "And 3 more have changed.") {
		t.Errorf("%q", said)
	}
}

func BenchmarkBoardOf500Rollouts(b *testing.B) {
	board := many(500)
	for b.Loop() {
		if _, err := board.HTML(report.BoardView{}); err != nil {
			b.Fatal(err)
		}
	}
}
