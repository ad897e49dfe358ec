package loadtest

import "time"

// Info is what is known of a task before it runs.
type Info struct {
	Targets []string      // URLs that it asks, as far as it is known: not of commands
	Length  time.Duration // how long it takes at least; 0 when that is not known
}

// Inspect returns what is known of a task, or everything that is wrong with it, as Run would.
func (t *Tester) Inspect(p Payload) (Info, error) {
	parsed, err := t.options.parse(p)
	if err != nil {
		return Info{}, err
	}
	if known, ok := parsed.job.(interface{ info() Info }); ok {
		return known.info(), nil
	}
	return Info{}, nil
}

func (h *hey) info() Info {
	if h.proxy != nil {
		return Info{Targets: []string{h.proxy.String()}, Length: h.flags.duration}
	}
	return Info{Targets: []string{h.target.String()}, Length: h.flags.duration}
}

func (s *smoke) info() Info { return Info{Targets: []string{s.url.String()}} }
