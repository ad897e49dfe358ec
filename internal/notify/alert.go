package notify

import (
	"errors"
	"fmt"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
)

// Alert is one message about a rollout. Only Severity and one of Title and Text must be set.
type Alert struct {
	Severity canary.Severity // empty is info
	Title    string          // one line
	Text     string          // may have several lines
	Fields   []Field         // shown after Cluster, Target and Phase
	Links    []Link          // those that are no plain http:// or https:// URL are left out

	Cluster   string // name of the cluster, empty when unknown
	Namespace string
	Canary    string
	Target    string // as in Deployment/podinfo
	Phase     string

	Username string // who the message is from, where the platform lets the sender say so
	Channel  string // where it goes, where the platform lets the sender choose
	Thread   string // alerts with the same one are one conversation, where the platform needs no memory for that
}

// Field is a named value.
type Field struct{ Name, Value string }

// Link is a named URL. Without a name, its host stands for it.
type Link struct{ Name, URL string }

// check tells an alert that can be rendered from one that cannot.
func (a *Alert) check() error {
	if a.Severity != "" && rank(a.Severity) < 0 {
		return fmt.Errorf("severity %q of an alert: allowed are %s", a.Severity, strings.Join(severityNames(), ", "))
	}
	if strings.TrimSpace(a.Title) == "" && strings.TrimSpace(a.Text) == "" {
		return errors.New("an alert needs a title or a text")
	}
	return nil
}

// subject is what the alert is about, as Flagger writes it: canary.namespace.
func (a *Alert) subject() string {
	if a.Canary == "" || a.Namespace == "" {
		return a.Canary + a.Namespace
	}
	return a.Canary + "." + a.Namespace
}

// byline is the line by the headline: the subject, and the severity in words for readers who do not see the colour.
func (a *Alert) byline() string {
	subject, word := a.subject(), a.look().word
	if a.Severity == "" || a.Severity == canary.SeverityInfo {
		return subject
	}
	if subject == "" {
		return word
	}
	return word + " · " + subject
}

// headline is the first thing to read: the title, or the first line of the text when there is no title.
func (a *Alert) headline() string {
	if strings.TrimSpace(a.Title) != "" {
		return a.Title
	}
	first, _, _ := strings.Cut(manyLines(a.Text), "\n")
	return first
}

// spoken is the headline as a notification on a phone shows it.
func (a *Alert) spoken() string {
	if a.Severity == "" || a.Severity == canary.SeverityInfo {
		return a.headline()
	}
	return a.look().word + ": " + a.headline()
}

// body is what follows the headline: nothing, when the headline has said it all.
func (a *Alert) body() string {
	const short = 200 // in UTF-16 units; every platform's headline has room for it
	text := manyLines(a.Text)
	if strings.TrimSpace(a.Title) == "" && !strings.Contains(text, "\n") && units(text) <= short {
		return ""
	}
	return text
}

// facts are the fields to show: those with a value, the ones that every alert has first.
func (a *Alert) facts() []Field {
	var facts []Field
	for _, f := range append([]Field{{"Cluster", a.Cluster}, {"Target", a.Target}, {"Phase", a.Phase}}, a.Fields...) {
		if strings.TrimSpace(f.Value) == "" {
			continue
		}
		if strings.TrimSpace(f.Name) == "" {
			f.Name = "–" // platforms refuse the whole message for an empty name
		}
		facts = append(facts, f)
	}
	return facts
}

// atMost cuts fields to limit of them. The last one tells how many are missing.
func atMost(limit int, facts []Field) []Field {
	if len(facts) <= limit {
		return facts
	}
	kept := facts[: limit-1 : limit-1]
	return append(kept, leftOut(len(facts)-len(kept)))
}

// leftOut is the field that stands for n others.
func leftOut(n int) Field {
	if n == 1 {
		return Field{"More", "1 field is left out"}
	}
	return Field{"More", fmt.Sprintf("%d fields are left out", n)}
}

// look is what one severity looks like.
type look struct {
	rgb   int    // the colour of the bar beside the message
	emoji string // the face of the sender, in chats that know the names
	word  string // for readers who do not see colours
	style string // the colour of an adaptive card's text
}

func (a *Alert) look() look {
	switch a.Severity {
	case canary.SeverityError:
		return look{0xd92d20, ":rotating_light:", "Error", "Attention"}
	case canary.SeverityWarn:
		return look{0xf2a100, ":warning:", "Warning", "Warning"}
	default:
		return look{0x0076d7, ":rocket:", "Info", "Accent"}
	}
}
