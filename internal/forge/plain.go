package forge

import (
	"bytes"
	"io"
	"slices"
)

// Plain returns a writer to w whose lines are never taken for commands. It is for lines that mix our words with those
// of others. Close writes what is left of the last line.
func Plain(w io.Writer) io.WriteCloser { return &plain{w: w} }

type plain struct {
	w    io.Writer
	line []byte
}

// Write passes on whole lines.
func (p *plain) Write(text []byte) (int, error) {
	p.line = append(p.line, text...)
	end := bytes.LastIndexAny(p.line, "\r\n") + 1
	whole := p.line[:end]
	p.line = slices.Clone(p.line[end:])
	if end == 0 {
		return len(text), nil
	}
	if _, err := p.w.Write(disarm(whole)); err != nil {
		return 0, err
	}
	return len(text), nil
}

func (p *plain) Close() error {
	rest := p.line
	p.line = nil
	if len(rest) == 0 {
		return nil
	}
	_, err := p.w.Write(disarm(rest))
	return err
}

// disarm breaks both forms of a command: "::name::" at the beginning of a line, after blanks, and "##[name]" anywhere.
// A zero-width space looks the same to people.
func disarm(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte("##["), []byte("#\u200b#["))
	var out []byte
	for len(text) > 0 {
		l := text
		if i := bytes.IndexAny(text, "\r\n"); i >= 0 {
			l = text[:i+1]
		}
		text = text[len(l):]
		if trimmed := bytes.TrimSpace(l); bytes.HasPrefix(trimmed, []byte("::")) {
			i := bytes.Index(l, []byte("::"))
			out = append(append(append(out, l[:i]...), ":\u200b:"...), l[i+2:]...)
			continue
		}
		out = append(out, l...)
	}
	return out
}
