package e2e

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// Skew makes the client's clock wrong by so much, as far as the API server and everybody else can tell: every moment that
// it writes is that much later, and every moment that it reads that much earlier, than it would be. A negative skew is a
// clock that is slow.
func (p *Proxy) Skew(by time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.skew = by
}

// moment is a time in JSON, of any precision.
var moment = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)`)

// shiftMoments moves every moment in a text. The text keeps its length.
func shiftMoments(text []byte, by time.Duration) []byte {
	return moment.ReplaceAllFunc(text, func(old []byte) []byte {
		at, err := time.Parse(time.RFC3339Nano, string(old))
		if err != nil {
			return old // it only looks like one
		}
		layout := "2006-01-02T15:04:05"
		if _, digits, found := strings.Cut(string(old), "."); found {
			layout += "." + strings.Repeat("0", digitsOf(digits))
		}
		return []byte(at.Add(by).Format(layout + "Z07:00"))
	})
}

// digitsOf counts the digits that a text begins with.
func digitsOf(text string) int {
	return len(text) - len(strings.TrimLeft(text, "0123456789"))
}

// shifted is a request's body with its moments moved.
func shifted(body io.ReadCloser, by time.Duration) io.ReadCloser {
	text, err := io.ReadAll(body)
	if err != nil {
		return io.NopCloser(io.MultiReader(bytes.NewReader(text), failing{err}))
	}
	return io.NopCloser(bytes.NewReader(shiftMoments(text, by)))
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A shifter moves the moments in an answer, line by line: a watch is one event a line, each of which must pass at once.
type shifter struct {
	to   http.ResponseWriter
	by   time.Duration
	rest []byte // of a line that is not whole yet
}

func (s *shifter) Header() http.Header { return s.to.Header() }

func (s *shifter) WriteHeader(status int) { s.to.WriteHeader(status) }

func (s *shifter) Write(text []byte) (int, error) {
	s.rest = append(s.rest, text...)
	end := bytes.LastIndexByte(s.rest, '\n') + 1
	if end == 0 {
		return len(text), nil
	}
	_, err := s.to.Write(shiftMoments(s.rest[:end], s.by))
	s.rest = append([]byte(nil), s.rest[end:]...)
	return len(text), err
}

// Flush is asked for by the proxy after each write.
func (s *shifter) Flush() { _ = http.NewResponseController(s.to).Flush() }

// flush passes on what is left at the end of the answer.
func (s *shifter) flush() {
	_, _ = s.to.Write(shiftMoments(s.rest, s.by)) // the client may be gone
	s.rest = nil
}
