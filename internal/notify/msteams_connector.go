package notify

import "fmt"

// connectorActions is how many links a message card shows.
const connectorActions = 4

type connectorMessage struct {
	Type       string             `json:"@type"`
	Context    string             `json:"@context"`
	ThemeColor string             `json:"themeColor"`
	Summary    string             `json:"summary"`
	Sections   []connectorSection `json:"sections"`
	Actions    []connectorAction  `json:"potentialAction,omitempty"`
}

type connectorSection struct {
	Title    string          `json:"activityTitle"`
	Subtitle string          `json:"activitySubtitle,omitempty"`
	Text     string          `json:"text,omitempty"`
	Facts    []connectorFact `json:"facts,omitempty"`
	Markdown bool            `json:"markdown"` // on when it is missing
}

type connectorFact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type connectorAction struct {
	Type    string            `json:"@type"`
	Name    string            `json:"name"`
	Targets []connectorTarget `json:"targets"`
}

type connectorTarget struct {
	OS  string `json:"os"`
	URI string `json:"uri"`
}

// messageCard is written without markdown. Its texts are HTML all the same.
func messageCard(a *Alert, room int) connectorMessage {
	section := connectorSection{
		Title:    broken.line(a.headline(), teamsTitle),
		Subtitle: broken.line(a.byline(), teamsTitle),
		Text:     broken.block(a.body(), room),
	}
	for _, f := range atMost(teamsFields, a.facts()) {
		section.Facts = append(section.Facts, connectorFact{broken.line(f.Name, teamsName), broken.block(f.Value, valueRoom(room, teamsValue))})
	}
	message := connectorMessage{
		Type: "MessageCard", Context: "https://schema.org/extensions",
		ThemeColor: fmt.Sprintf("%06X", a.look().rgb),
		Summary:    broken.line(a.headline(), teamsTitle),
		Sections:   []connectorSection{section},
	}
	for _, l := range a.links(connectorActions) {
		message.Actions = append(message.Actions, connectorAction{"OpenUri", broken.line(l.Name, teamsName), []connectorTarget{{"default", l.URL}}})
	}
	return message
}
