package rehearsal

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// jar keeps the cookies of each user, as their browsers do. All requests go to one site, so domain and path do not matter.
type jar struct {
	mu    sync.Mutex
	users map[int]map[string]heldCookie
}

// heldCookie is the value of a cookie, and when it ends; a zero time has no end.
type heldCookie struct {
	value string
	until time.Time
}

// keep takes up the cookies of an answer. One whose age is below zero is deleted.
func (j *jar) keep(user int, cookies []*http.Cookie, now time.Time) {
	if len(cookies) == 0 {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	held := j.users[user]
	if held == nil {
		held = map[string]heldCookie{}
		j.users[user] = held
	}
	for _, c := range cookies {
		switch {
		case c.MaxAge < 0:
			delete(held, c.Name)
		case c.MaxAge > 0 && !now.IsZero():
			held[c.Name] = heldCookie{c.Value, now.Add(time.Duration(c.MaxAge) * time.Second)}
		default:
			held[c.Name] = heldCookie{value: c.Value}
		}
	}
}

// header returns the user's cookies as a request carries them.
func (j *jar) header(user int, now time.Time) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	held := j.users[user]
	if len(held) == 0 {
		return ""
	}
	header := ""
	for _, name := range slices.Sorted(maps.Keys(held)) {
		c := held[name]
		if !c.until.IsZero() && !now.Before(c.until) {
			delete(held, name)
			continue
		}
		header = joinCookies(header, name+"="+c.value)
	}
	return header
}

func joinCookies(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
