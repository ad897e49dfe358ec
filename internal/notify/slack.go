package notify

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// slackAPI is where a bot posts when the address does not say.
const slackAPI = "https://slack.com/api/chat.postMessage"

// Slack's limits, in characters. A text has 3,000; the others are where its clients begin to hide text.
const (
	slackTitle  = 250
	slackText   = 3000
	slackName   = 150
	slackValue  = 2000
	slackFields = 10
	slackLinks  = 10
)

// slackMessage is Slack's message with an attachment, the form that webhooks and chat.postMessage both take. Rocket.Chat
// reads it too. What is not listed in mrkdwn_in is not formatted, so it is left out.
type slackMessage struct {
	Channel     string            `json:"channel,omitempty"`
	Username    string            `json:"username,omitempty"`
	IconEmoji   string            `json:"icon_emoji,omitempty"`
	Parse       string            `json:"parse,omitempty"`
	LinkNames   *bool             `json:"link_names,omitempty"`
	UnfurlLinks *bool             `json:"unfurl_links,omitempty"`
	UnfurlMedia *bool             `json:"unfurl_media,omitempty"`
	Attachments []slackAttachment `json:"attachments"`
}

type slackAttachment struct {
	Fallback   string       `json:"fallback"` // what notifications show
	Color      string       `json:"color"`
	AuthorName string       `json:"author_name,omitempty"`
	Title      string       `json:"title,omitempty"`
	Text       string       `json:"text,omitempty"`
	Fields     []slackField `json:"fields,omitempty"`
}

type slackField struct {
	Title string `json:"title"`
	Value string `json:"value"`
	Short bool   `json:"short"`
}

var slack = Provider{
	Render: func(to Credentials, a Alert) (Request, error) {
		if err := a.check(); err != nil {
			return Request{}, err
		}
		if strings.TrimSpace(string(to.Address)) == "" && to.Token != "" {
			to.Address = slackAPI
		}
		u, err := endpoint(to.Address)
		if err != nil {
			return Request{}, err
		}
		body, err := encode(slackPayload(&a))
		if err != nil {
			return Request{}, err
		}
		return post(u, to.Token, body), nil
	},
	Parse: parseSlack,
}

func slackPayload(a *Alert) slackMessage {
	no := false
	return slackMessage{
		Channel:   plain.line(a.Channel, slackName),
		Username:  plain.line(a.Username, slackName),
		IconEmoji: a.look().emoji,
		// Without these two, a bare @channel in the text would call everybody.
		Parse: "none", LinkNames: &no,
		// Slack would fetch what a text from outside names.
		UnfurlLinks: &no, UnfurlMedia: &no,
		Attachments: []slackAttachment{slackCard(a, markup, func(l Link) string {
			return "<" + strings.ReplaceAll(l.URL, "&", "&amp;") + "|" + markup.line(l.Name, slackName) + ">"
		})},
	}
}

// slackCard is the attachment, in the markup of Slack or of a platform that reads Slack's messages.
func slackCard(a *Alert, e escape, link func(Link) string) slackAttachment {
	card := slackAttachment{
		Fallback:   e.line(a.spoken(), slackTitle),
		Color:      fmt.Sprintf("#%06x", a.look().rgb),
		AuthorName: e.line(a.byline(), slackTitle),
		Title:      e.line(a.headline(), slackTitle),
		Text:       e.block(a.body(), slackText),
	}
	for _, f := range atMost(slackFields, a.facts()) {
		card.Fields = append(card.Fields, slackField{e.line(f.Name, slackName), e.block(f.Value, slackValue), len(f.Value) <= 40})
	}
	if links := row(a.links(slackLinks), slackText, link); links != "" {
		card.Fields = append(card.Fields, slackField{"Links", links, false})
	}
	return card
}

// slackCode is what Slack's error codes look like: nothing else of an answer is repeated.
var slackCode = regexp.MustCompile(`^[a-z0-9_]{1,60}$`)

// parseSlack reads the answers of a webhook, which are a status and a code, and of chat.postMessage, which is 200 also for
// what it refuses.
func parseSlack(status int, body []byte) error {
	var answer struct {
		OK    *bool
		Error string
	}
	code := strings.TrimSpace(string(body))
	if json.Unmarshal(body, &answer) == nil && answer.OK != nil {
		code = answer.Error
		if *answer.OK {
			return accepted(status, nil)
		}
		if status == 200 {
			return fmt.Errorf("slack refused the alert%s", slackReason(code))
		}
	}
	if err := accepted(status, nil); err != nil {
		return fmt.Errorf("%w%s", err, slackReason(code))
	}
	return nil
}

func slackReason(code string) string {
	if slackCode.MatchString(code) {
		return ": " + code
	}
	return ""
}
