package gate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// The pauses before a retry double from the first to the longest, which a server's Retry-After cannot exceed either.
const (
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

// hook is one webhook with its connection.
type hook struct {
	*canary.Webhook
	url    *url.URL
	client *httpx.Client
	hide   httpx.Secrets
}

// private are the names of metadata whose values are credentials by all appearance.
var private = regexp.MustCompile(`(?i)token|secret|passw|credential|api-?_?key|auth`)

func newHook(w *canary.Webhook, target *url.URL, client *httpx.Client) *hook {
	h := &hook{Webhook: w, url: target, client: client}
	h.hide.AddURL(w.URL)
	for key, value := range w.Metadata {
		if private.MatchString(key) {
			h.hide.Add(value)
		}
	}
	return h
}

// parse reads the URL of a webhook. No error repeats it: it may hold a credential.
func parse(w *canary.Webhook) (*url.URL, error) {
	raw := w.URL
	u, err := url.Parse(raw)
	switch {
	case w.InProcess():
		return u, err
	case raw == "":
		return nil, errors.New("url is missing; it is the http:// or https:// URL to call")
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return nil, errors.New("url is not an http:// or https:// URL (it is not shown, it may hold a credential)")
	}
	return u, nil
}

// try is how one request ended.
type try struct {
	verdict rollout.Verdict
	message string        // what was answered, without the name of the webhook
	again   bool          // a little later it may end in another way
	after   time.Duration // how long the server asks to be left alone
}

// ask sends a payload until the webhook succeeds, its answer is one that will not change, or its retries are used up.
// What Flagger sends again is sent again here: requests that got no answer, 429, and 5xx but 501.
func (c *Caller) ask(ctx context.Context, h *hook, payload []byte) (rollout.Verdict, string) {
	pause := firstPause
	t := h.send(ctx, payload)
	for range h.Retries {
		if !t.again || ctx.Err() != nil {
			break
		}
		timer := c.Clock.NewTimer(min(max(pause, t.after), longestPause))
		select {
		case <-ctx.Done():
		case <-timer.C():
		}
		timer.Stop()
		if ctx.Err() != nil {
			break
		}
		next := h.send(ctx, payload)
		if ctx.Err() != nil && next.verdict != rollout.Pass {
			break // what the try before met says more than that this one was broken off
		}
		t, pause = next, 2*pause
	}
	return t.verdict, fmt.Sprintf("hook %q: %s", h.Name, t.message)
}

// send makes one request.
func (h *hook) send(ctx context.Context, payload []byte) try {
	ctx, cancel := httpx.WithTimeout(ctx, h.EffectiveTimeout())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url.String(), bytes.NewReader(payload))
	if err != nil {
		return try{verdict: rollout.Error, message: h.show(httpx.Redact(err.Error()))}
	}
	req.Header.Set("Content-Type", "application/json")
	if h.isQuestion() {
		req.Header["Idempotency-Key"] = nil // not sent: it lets the transport ask again when a kept connection is found closed
	} else {
		req.Close = true // a server that drops a kept connection just now would cost a failed check
	}
	resp, err := h.client.Do(ctx, req)
	if err != nil {
		return try{verdict: rollout.Error, message: h.show(err.Error()), again: httpx.IsTransient(err)}
	}
	return h.read(resp)
}

// isQuestion reports whether calling the webhook twice does no more than calling it once.
func (h *hook) isQuestion() bool {
	switch h.EffectiveType() {
	case canary.HookConfirmRollout, canary.HookConfirmTrafficIncrease, canary.HookConfirmPromotion, canary.HookRollback:
		return true
	case canary.HookPreRollout, canary.HookRollout, canary.HookPostRollout, canary.HookEvent:
	}
	return false
}

// read judges an answer by its status.
func (h *hook) read(resp *httpx.Response) try {
	said := "answered " + strconv.Itoa(resp.Status)
	switch {
	case resp.Status >= 200 && resp.Status <= 299:
		return try{verdict: rollout.Pass, message: said}
	case resp.Status >= 300 && resp.Status <= 399:
		return try{verdict: rollout.Fail, message: said + ": " + h.redirect(resp.Header.Get("Location"))}
	}
	if body := h.show(string(resp.Body)); body != "" {
		said += ": " + body
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // a date, or nonsense, is as good as nothing
	return try{
		verdict: rollout.Fail, message: said,
		again: resp.Status != http.StatusNotImplemented && (resp.Status >= 500 || httpx.Retryable(resp.Status)),
		after: time.Duration(min(max(seconds, 0), int(longestPause/time.Second))) * time.Second,
	}
}

// redirect says where an answer leads. Of the place only the server is shown.
func (h *hook) redirect(location string) string {
	to, err := h.url.Parse(location)
	switch {
	case location == "":
		return "this is neither a yes nor a no"
	case err != nil || to.Host == "":
		return "it redirects, and redirects are not followed: only the URL of the webhook itself can answer"
	case to.Host == h.url.Host && to.Scheme == h.url.Scheme:
		return "it redirects to another place of the same server, and redirects are not followed: only the URL of the webhook itself can answer"
	}
	return fmt.Sprintf("it redirects to %s, and redirects are not followed: only the URL of the webhook itself can answer",
		h.show(to.Scheme+"://"+to.Host))
}

// show makes foreign text fit to be shown: one line, no secrets, not long. Secrets go first, so that not even half of one
// is left at the cut.
func (h *hook) show(text string) string { return metric.Shown([]byte(httpx.Redact(h.hide.Hide(text)))) }
