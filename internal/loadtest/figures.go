package loadtest

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/status"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// figures are those of a load by hey or ghz, of workers that run side by side.
type figures struct {
	mu              sync.Mutex
	requests, bytes int64
	status          map[int]int64
	errors          map[string]int64
	latencies       *histogram
	rows            *rows
	enough          int       // how many rows can be shown
	last            time.Time // when the last request had ended

	// Of gRPC:
	codes       map[string]int64
	refusals    map[string]int64 // what the server has said of calls that failed
	skip        uint             // calls that are not counted any more
	countErrors bool             // answers that are failures have a latency, too
}

func newFigures(maxOutput int) *figures {
	return &figures{
		status: map[int]int64{}, codes: map[string]int64{}, refusals: map[string]int64{}, errors: map[string]int64{},
		latencies: newHistogram(), rows: &rows{}, enough: maxOutput/leastRow + 1,
	}
}

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

// load returns the figures of a load that took so long.
func (of *figures) load(elapsed time.Duration) *Load {
	return &Load{
		Requests: of.requests, Elapsed: elapsed, Rate: float64(of.requests) / elapsed.Seconds(), Bytes: of.bytes,
		Mean: of.latencies.mean(), Fastest: of.latencies.least, Slowest: of.latencies.most,
		Percentiles: of.latencies.percentiles(), Status: of.status, Codes: of.codes, Errors: gather(of.errors),
	}
}

// localPort is the part of an error by which the same one is another on every connection.
var localPort = regexp.MustCompile(`(\S+):\d+->`)

const (
	mostErrors  = 10
	otherErrors = "other errors"
)

// gather puts errors together that say the same, without the secrets in their URLs.
func gather(raw map[string]int64) map[string]int64 {
	same := map[string]int64{}
	for text, count := range raw {
		same[clip(localPort.ReplaceAllString(httpx.Redact(text), "$1->"), 240)] += count
	}
	names := slices.SortedFunc(maps.Keys(same), func(a, b string) int {
		if same[a] != same[b] {
			return int(min(max(same[b]-same[a], -1), 1))
		}
		return strings.Compare(a, b)
	})
	for _, rare := range names[min(mostErrors, len(names)):] {
		count := same[rare]
		delete(same, rare)
		same[otherErrors] += count
	}
	return same
}

func mostFrequent(errs map[string]int64) string {
	var most string
	for _, text := range slices.Sorted(maps.Keys(errs)) {
		if errs[text] > errs[most] {
			most = text
		}
	}
	return most
}
