package loadtest

import (
	"fmt"
	"strings"
	"sync"
)

// capped keeps the beginning and the end of what is written to it: the beginning says what was done, the end why it went
// wrong. However much is written, it takes no more memory than its limit and half of it.
type capped struct {
	mu      sync.Mutex
	limit   int
	head    []byte
	tail    []byte
	dropped int64
}

// Write never fails, so that a process which writes too much is not stopped by it.
func (c *capped) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	written := len(p)
	if room := c.limit/2 - len(c.head); room > 0 {
		n := min(room, len(p))
		c.head = append(c.head, p[:n]...)
		p = p[n:]
	}
	most := c.limit - c.limit/2
	if over := len(p) - most; over > 0 {
		c.dropped += int64(len(c.tail) + over)
		c.tail, p = c.tail[:0], p[over:]
	}
	c.tail = append(c.tail, p...)
	if over := len(c.tail) - most; over > 0 {
		c.dropped += int64(over)
		c.tail = append(c.tail[:0], c.tail[over:]...)
	}
	return written, nil
}

// String returns what was kept, as valid UTF-8.
func (c *capped) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := string(c.head)
	if c.dropped > 0 {
		text += fmt.Sprintf("\n… %d bytes were left out …\n", c.dropped)
	}
	return strings.ToValidUTF8(text+string(c.tail), "\uFFFD")
}

// cut returns a text with no more than the bytes that a capped would keep.
func cut(text string, limit int) string {
	c := &capped{limit: limit}
	_, _ = c.Write([]byte(text))
	return c.String()
}
