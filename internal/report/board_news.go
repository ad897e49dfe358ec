package report

import (
	"fmt"
	"strings"
)

// BoardNews remembers what was last said of each rollout. The zero value remembers nothing.
type BoardNews map[[2]string]string

// mostNews is how many sentences are said at once.
const mostNews = 3

// News says in words what has changed since before, of the rollouts that somebody looks at, and returns what to remember.
// It says nothing the first time. It is for those who hear a page: ages and values of checks are not news.
func (b Board) News(before BoardNews, about func(*Standing) bool) (string, BoardNews) {
	now := BoardNews{}
	var said []string
	for i := range b.Standings {
		s := &b.Standings[i]
		if !about(s) {
			continue
		}
		key := [2]string{s.Namespace, s.Canary}
		now[key] = s.newsText()
		if before != nil && before[key] != now[key] {
			said = append(said, now[key])
		}
	}
	if len(said) > mostNews {
		said = append(said[:mostNews:mostNews], fmt.Sprintf("And %d more have changed.", len(said)-mostNews))
	}
	return strings.Join(said, " "), now
}

func (s *Standing) newsText() string {
	text := fmt.Sprintf("%s: %s, %s", short(name(s.Namespace, s.Canary), boardName), s.state(), percent(s.Record.Status.Weight))
	if s.waits() {
		text += ", waits at a gate"
	}
	return text + "."
}
