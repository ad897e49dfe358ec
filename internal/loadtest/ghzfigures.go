package loadtest

import (
	"time"

	"google.golang.org/grpc/status"
)

// called notes what a call has come to. A call that the server has answered has a code, whatever it is; without an answer it is
// an error, as a request of HTTP is.
func (of *figures) called(err error, by *told, took time.Duration) {
	of.mu.Lock()
	defer of.mu.Unlock()
	of.last = time.Now()
	if of.skip > 0 {
		of.skip--
		return
	}
	of.requests++
	of.bytes += by.bytes.Load()
	said := status.Convert(err)
	text := said.Code().String() + ": " + said.Message()
	switch {
	case err != nil && !by.answered.Load():
		note(of.errors, text)
		return
	case err != nil:
		note(of.refusals, text)
	}
	of.codes[said.Code().String()]++
	if err == nil || of.countErrors {
		of.latencies.add(took)
	}
}

// mostTexts is how many texts of a server are kept apart: one may have a number of its own in each.
const mostTexts = 1000

// note counts a text, which is the same on every connection.
func note(texts map[string]int64, text string) {
	text = localPort.ReplaceAllString(text, "$1->")
	if _, known := texts[text]; !known && len(texts) >= mostTexts {
		text = otherErrors
	}
	texts[text]++
}
