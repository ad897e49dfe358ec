package notify

import (
	"net/url"
	"strings"
)

// Discord's limits, in characters. An embed has 6,000 in all.
const (
	discordName   = 80 // of the sender
	discordTitle  = 256
	discordText   = 2000
	discordFields = 25
	discordValue  = 1024
	discordTotal  = 6000
	discordLinks  = 10
)

type discordMessage struct {
	Username        string          `json:"username,omitempty"`
	Embeds          []discordEmbed  `json:"embeds"`
	AllowedMentions discordMentions `json:"allowed_mentions"`
}

// discordMentions lets nothing in the message call anybody. The list must be there and be empty.
type discordMentions struct {
	Parse []string `json:"parse"`
}

type discordEmbed struct {
	Author      *discordAuthor `json:"author,omitempty"`
	Title       string         `json:"title"`
	Description string         `json:"description,omitempty"`
	Color       int            `json:"color"`
	Fields      []discordField `json:"fields,omitempty"`
}

type discordAuthor struct {
	Name string `json:"name"`
}

type discordField struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline"`
}

var discord = Provider{
	Render: func(to Credentials, a Alert) (Request, error) {
		if err := a.check(); err != nil {
			return Request{}, err
		}
		u, err := endpoint(to.Address)
		if err != nil {
			return Request{}, err
		}
		body, err := encode(discordMessage{
			Username:        discordUsername(a.Username),
			Embeds:          []discordEmbed{discordCard(&a)},
			AllowedMentions: discordMentions{Parse: []string{}},
		})
		if err != nil {
			return Request{}, err
		}
		return post(discordAddress(u), "", body), nil
	},
	Parse: accepted,
}

// discordAddress drops the ending by which Flagger's users ask Discord to read Slack's messages.
func discordAddress(u *url.URL) *url.URL {
	own := *u
	own.Path = strings.TrimSuffix(strings.TrimSuffix(own.Path, "/"), "/slack")
	own.RawPath = ""
	return &own
}

// discordUsername is empty, which leaves the webhook's own name, for the names that Discord refuses messages from.
func discordUsername(name string) string {
	name = plain.line(name, discordName)
	low := strings.ToLower(name)
	if strings.Contains(low, "discord") || strings.Contains(low, "clyde") || low == "everyone" || low == "here" {
		return ""
	}
	return name
}

func discordCard(a *Alert) discordEmbed {
	card := discordEmbed{
		Title:       discordEscape.line(a.headline(), discordTitle),
		Description: discordEscape.block(a.body(), discordText),
		Color:       a.look().rgb,
	}
	left := discordTotal - units(card.Title) - units(card.Description)
	if name := callsNobody.line(a.byline(), discordTitle); name != "" {
		card.Author = &discordAuthor{name}
		left -= units(name)
	}
	links := row(a.links(discordLinks), discordValue, func(l Link) string {
		return "[" + discordEscape.line(l.Name, discordName) + "](" + l.URL + ")"
	})
	const linksName = "Links"
	if links != "" {
		left -= units(linksName) + units(links)
	}
	card.Fields = discordFit(a, left)
	if links != "" {
		card.Fields = append(card.Fields, discordField{linksName, links, false})
	}
	return card
}

// discordFit returns the fields that fit into what is left of the embed, and says how many do not.
func discordFit(a *Alert, left int) []discordField {
	const most = discordFields - 1 // one is for the links
	var fields []discordField
	facts := a.facts()
	for i, f := range facts {
		field := discordField{discordEscape.line(f.Name, discordTitle), discordEscape.block(f.Value, discordValue), len(f.Value) <= 40}
		size, last := units(field.Name)+units(field.Value), i+1 == len(facts)
		note := leftOut(len(facts) - i)
		reserve := 0
		if !last {
			reserve = units(note.Name) + units(note.Value)
		}
		if size+reserve > left || (len(fields)+1 == most && !last) {
			return append(fields, discordField{note.Name, note.Value, false})
		}
		left -= size
		fields = append(fields, field)
	}
	return fields
}

// discordEscape puts a backslash before what Discord's markdown reads, as it allows before any punctuation, and before a
// colon so that an address from outside is no link.
var discordEscape escape = func(prev, r rune) string {
	switch r {
	case '\\', '*', '_', '~', '`', '|', '>', '<', '#', '[', ']', '(', ')', ':':
		return `\` + string(r)
	case '-', '+':
		if startsLine(prev) {
			return `\` + string(r)
		}
	case '@':
		if calls(prev, r) {
			return "@" + apart
		}
	}
	return string(r)
}
