package notify

import "strings"

type adaptiveMessage struct {
	Type        string               `json:"type"`
	Attachments []adaptiveAttachment `json:"attachments"`
}

type adaptiveAttachment struct {
	ContentType string       `json:"contentType"`
	Content     adaptiveBody `json:"content"`
}

type adaptiveBody struct {
	Schema       string           `json:"$schema"`
	Type         string           `json:"type"`
	Version      string           `json:"version"`
	FallbackText string           `json:"fallbackText"`
	Body         []adaptiveBlock  `json:"body"`
	Actions      []adaptiveAction `json:"actions,omitempty"`
	Teams        adaptiveTeams    `json:"msteams"`
}

type adaptiveTeams struct {
	Width string `json:"width"`
}

// adaptiveBlock is a RichTextBlock: unlike a TextBlock and a FactSet, it shows text as it is, without markdown.
type adaptiveBlock struct {
	Type    string        `json:"type"`
	Spacing string        `json:"spacing,omitempty"`
	Inlines []adaptiveRun `json:"inlines"`
}

type adaptiveRun struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Size     string `json:"size,omitempty"`
	Weight   string `json:"weight,omitempty"`
	Color    string `json:"color,omitempty"`
	IsSubtle bool   `json:"isSubtle,omitempty"`
}

type adaptiveAction struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// adaptiveCard has no entities, so that nothing in it is a mention, whatever the text says.
func adaptiveCard(a *Alert, room int) adaptiveMessage {
	const small = "Small"
	card := adaptiveBody{
		Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4",
		FallbackText: adaptiveEscape.line(a.headline(), teamsTitle),
		Teams:        adaptiveTeams{Width: "Full"},
	}
	say := func(spacing string, runs ...adaptiveRun) {
		for i := range runs {
			runs[i].Type = "TextRun"
		}
		card.Body = append(card.Body, adaptiveBlock{"RichTextBlock", spacing, runs})
	}
	say("", adaptiveRun{Text: adaptiveEscape.line(a.headline(), teamsTitle), Size: "Medium", Weight: "Bolder", Color: a.look().style})
	if byline := adaptiveEscape.line(a.byline(), teamsTitle); byline != "" {
		say("None", adaptiveRun{Text: byline, IsSubtle: true})
	}
	spacing := ""
	if text := adaptiveEscape.block(a.body(), room); text != "" {
		// A line break within a run is not shown.
		for line := range strings.SplitSeq(text, "\n") {
			if line == "" {
				spacing = ""
				continue
			}
			say(spacing, adaptiveRun{Text: line})
			spacing = "None"
		}
	}
	spacing = ""
	for _, f := range atMost(teamsFields, a.facts()) {
		say(spacing, adaptiveRun{Text: adaptiveEscape.line(f.Name, teamsName) + ": ", Weight: "Bolder"},
			adaptiveRun{Text: adaptiveEscape.line(f.Value, valueRoom(room, teamsValue))})
		spacing = small
	}
	for _, l := range a.links(teamsActions) {
		card.Actions = append(card.Actions, adaptiveAction{"Action.OpenUrl", adaptiveEscape.line(l.Name, teamsName), l.URL})
	}
	return adaptiveMessage{"message", []adaptiveAttachment{{"application/vnd.microsoft.card.adaptive", card}}}
}

// adaptiveEscape keeps the two braces of {{DATE(…)}} apart, the one thing that a card computes.
var adaptiveEscape escape = func(prev, r rune) string {
	if r == '{' && prev == '{' {
		return apart + "{"
	}
	return string(r)
}
