package notify

import (
	"encoding/json"
	"errors"
)

// rocket posts what slack posts, which Rocket.Chat reads too, in its own markdown. Its default limit of 5,000 characters is
// above all of Slack's.
var rocket = Provider{
	Render: func(to Credentials, a Alert) (Request, error) {
		if err := a.check(); err != nil {
			return Request{}, err
		}
		u, err := endpoint(to.Address)
		if err != nil {
			return Request{}, err
		}
		body, err := encode(slackMessage{
			Channel:   plain.line(a.Channel, slackName),
			Username:  plain.line(a.Username, slackName),
			IconEmoji: a.look().emoji,
			Attachments: []slackAttachment{slackCard(&a, rocketEscape, func(l Link) string {
				return "[" + rocketEscape.line(l.Name, slackName) + "](" + l.URL + ")"
			})},
		})
		if err != nil {
			return Request{}, err
		}
		return post(u, "", body), nil
	},
	Parse: func(status int, body []byte) error {
		var answer struct{ Success *bool }
		if err := accepted(status, body); err != nil {
			return err
		}
		if json.Unmarshal(body, &answer) == nil && answer.Success != nil && !*answer.Success {
			return errors.New("rocket.chat refused the alert")
		}
		return nil
	},
}

// rocketEscape suits both of Rocket.Chat's readers of markdown: the one for texts knows a backslash before these few
// characters only, the one for fields before all of them. Everything else is kept apart.
var rocketEscape escape = func(prev, r rune) string {
	switch r {
	case '*', '_', '~', '`', '#':
		return `\` + string(r)
	case '\\', '<':
		return string(r) + apart
	case '(', '[', ':':
		if prev == ']' { // the second half of a link or an image
			return apart + string(r)
		}
	case '>', '-', '+':
		if startsLine(prev) { // a quotation or a list
			return apart + string(r)
		}
	case '@':
		if calls(prev, r) {
			return "@" + apart
		}
	}
	return string(r)
}
