package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/penstock-dev/penstock/internal/approval"
)

// other is the name of every event that is not known, so that whoever sends cannot fill the metrics with names.
const other = "other"

// ping is what GitHub sends when a webhook is set up.
const ping = "ping"

// Notice is what a delivery says: which change to look at.
type Notice struct {
	Wanted  bool   // worth a look
	Ignored string // otherwise why not, in a few words
	Subject Subject

	Callback string // the address to which GitHub calls back; only its own API is one
}

func ignored(why string) Notice { return Notice{Ignored: why} }

// errPayload is of a payload that lacks what its event always has.
var errPayload = errors.New("payload")

func known(event string, events []string) string {
	for _, e := range events {
		if e == event {
			return e
		}
	}
	return other
}

// path of a repository: names with slashes between. It comes to be part of addresses, so nothing else may be in it.
var path = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$`)

// about makes the notice of a change.
func about(s Subject) (Notice, error) {
	switch {
	case s.Repository <= 0:
		return Notice{}, fmt.Errorf("%w: no number of a repository", errPayload)
	case s.Run < 0 || s.Change <= 0 && s.Run == 0:
		return Notice{}, fmt.Errorf("%w: no number of a change", errPayload)
	case s.Run > 0 && s.Path == "": // a run is asked for by numbers
	case len(s.Path) > 512 || !path.MatchString(s.Path) || dots.MatchString(s.Path):
		return Notice{}, fmt.Errorf("%w: the path of the repository is none", errPayload)
	}
	return Notice{Wanted: true, Subject: s}, nil
}

// dots are the names that mean a directory in an address.
var dots = regexp.MustCompile(`(^|/)\.\.?(/|$)`)

func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%w: not JSON of the kind that it should be", errPayload) // the cause repeats the body
	}
	return nil
}

// means tells whether one of the texts has a command, or something that means to be one and gets an answer.
func means(g approval.Grammar, texts ...string) bool {
	for _, text := range texts {
		if command, err := g.Parse(text); err != nil || command.Verb != "" {
			return true
		}
	}
	return false
}
