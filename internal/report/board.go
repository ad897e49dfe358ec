package report

import (
	"bytes"
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// Board is what a server knows of all rollouts, to be shown to people in a browser. Its pages need nothing from elsewhere,
// and all text from outside is escaped. They link to each other by relative addresses, so that a proxy may serve them below
// a path.
type Board struct {
	Standings []Standing // in any order
	Problems  []string   // what is not known, and why, in words: a page never passes silence off as news
	Now       time.Time
}

// BoardView says which part of a board somebody looks at. The zero view is the start of everything.
type BoardView struct {
	Find string // shows only canaries whose namespace/name contains it; letters count alike in either case

	// The pages of the three lists, from 1; one that is out of range is the nearest.
	Waiting, Running, Finished int
}

// boardRows is how many rollouts one page of a list has.
const boardRows = 50

// mostFind is how long the text to find may be, in bytes. No namespace/name is longer.
const mostFind = 320

// boardIndex is what the template of the start page shows.
type boardIndex struct {
	Find                       string
	Shown, Known               int
	Problems                   []string
	Waiting, Running, Finished boardList
}

// boardList is one page of a list.
type boardList struct {
	Rows             []boardRow
	Total            int
	Page, Pages      int
	Earlier, Further string // addresses of the pages before and after; empty when there is none
}

// boardRow is a rollout in a list.
type boardRow struct {
	ID, Href, Name       string
	State, Class, Symbol string
	Weight               rollout.Weight
	Step, Failed, Checks string
	ChecksClass          string
	Started, Updated     boardTime
	Run, RunURL          string
	Revision, Image, Why string
	Gate                 *boardGate
}

// boardTime is a moment, for people and for programs.
type boardTime struct{ At, Text string }

// boardGate is what a rollout waits for.
type boardGate struct {
	Name, Who, Command  string
	Where, WhereURL     string // the change on which to write the line
	Lacks               []string
	Since, Until, Sleep string
}

// Fragment returns the changing part of the start page.
func (b Board) Fragment(v BoardView) ([]byte, error) {
	i := b.index(v)
	return renderBoard("index", &i)
}

// HTML returns the start page: the gates that wait, the rollouts that run, and those that have ended, the newest first.
func (b Board) HTML(v BoardView) ([]byte, error) {
	i := b.index(v)
	return boardPage{Title: "Rollouts", Events: "events" + v.query(), Index: &i}.render()
}

func (b Board) index(v BoardView) boardIndex {
	v.Find = Clean(head(v.Find, mostFind))
	i := boardIndex{Find: v.Find, Known: len(b.Standings), Problems: b.problems()}
	var waiting, running, finished []*Standing
	for at := range b.Standings {
		s := &b.Standings[at]
		if !strings.Contains(strings.ToLower(name(s.Namespace, s.Canary)), strings.ToLower(v.Find)) {
			continue
		}
		i.Shown++
		if s.waits() {
			waiting = append(waiting, s)
		}
		if s.unfinished() {
			running = append(running, s)
		} else {
			finished = append(finished, s)
		}
		earlier := s.earlier()
		for at := range earlier {
			finished = append(finished, &earlier[at])
		}
	}
	byName := func(x, y *Standing) int {
		return cmp.Or(strings.Compare(x.Namespace, y.Namespace), strings.Compare(x.Canary, y.Canary))
	}
	slices.SortStableFunc(waiting, byName)
	slices.SortStableFunc(running, byName)
	slices.SortStableFunc(finished, func(x, y *Standing) int { return y.Record.Updated.Compare(x.Record.Updated) })
	v.Waiting, v.Running, v.Finished = pageOf(v.Waiting, len(waiting)), pageOf(v.Running, len(running)), pageOf(v.Finished, len(finished))
	i.Waiting = b.list(waiting, v.Waiting, func(page int) string { v := v; v.Waiting = page; return v.query() + "#waiting" })
	i.Running = b.list(running, v.Running, func(page int) string { v := v; v.Running = page; return v.query() + "#running" })
	i.Finished = b.list(finished, v.Finished, func(page int) string { v := v; v.Finished = page; return v.query() + "#finished" })
	return i
}

func (b Board) list(all []*Standing, page int, address func(int) string) boardList {
	l := boardList{Total: len(all), Page: page, Pages: pagesOf(len(all))}
	if l.Page > 1 {
		l.Earlier = address(l.Page - 1)
	}
	if l.Page < l.Pages {
		l.Further = address(l.Page + 1)
	}
	from, seen := (l.Page-1)*boardRows, map[string]int{}
	for _, s := range all[from:min(from+boardRows, len(all))] {
		row := b.row(s, "")
		if !s.unfinished() {
			row.ID = "h" + row.ID // an earlier rollout may be in the same page as a running one
		}
		if seen[row.ID]++; seen[row.ID] > 1 {
			row.ID += fmt.Sprintf(".%d", seen[row.ID])
		}
		l.Rows = append(l.Rows, row)
	}
	return l
}

func pagesOf(rows int) int { return max(1, (rows+boardRows-1)/boardRows) }

// pageOf is the nearest page that there is.
func pageOf(page, rows int) int { return min(max(page, 1), pagesOf(rows)) }

// query is the view as the query of an address, "?" when it is the start.
func (v BoardView) query() string {
	values := url.Values{}
	if v.Find != "" {
		values.Set("find", v.Find)
	}
	for name, page := range map[string]int{"waiting": v.Waiting, "running": v.Running, "finished": v.Finished} {
		if page > 1 {
			values.Set(name, strconv.Itoa(page))
		}
	}
	return "?" + values.Encode()
}

// ParseBoardView reads the view of an address. What it does not understand is the start.
func ParseBoardView(values url.Values) BoardView {
	page := func(name string) int {
		n, err := strconv.Atoi(values.Get(name))
		if err != nil {
			return 0
		}
		return n
	}
	return BoardView{Find: head(values.Get("find"), mostFind), Waiting: page("waiting"), Running: page("running"), Finished: page("finished")}
}

func (b Board) problems() []string {
	var all []string
	for _, p := range b.Problems {
		all = append(all, clip(Clean(p), maxPageText))
	}
	return all
}

func (b Board) time(t time.Time) boardTime {
	if t.IsZero() {
		return boardTime{}
	}
	return boardTime{At: t.UTC().Format(time.RFC3339), Text: age(t, b.Now) + " ago"}
}

func renderBoard(part string, data any) ([]byte, error) {
	var out bytes.Buffer
	if err := boardTemplate.ExecuteTemplate(&out, part, data); err != nil {
		return nil, fmt.Errorf("write the page of the rollouts: %w", err)
	}
	return out.Bytes(), nil
}
