package notify

import "net/url"

// The limits of Google Chat. A message has 32,000 bytes.
const (
	gchatBytes  = 32_000
	gchatTitle  = 200
	gchatText   = 8000
	gchatName   = 80
	gchatValue  = 500
	gchatFields = 20
	gchatLinks  = 6
	gchatThread = 1000 // of the 4,000 that a key may have
)

type gchatMessage struct {
	FallbackText string      `json:"fallbackText"` // what notifications show
	Cards        []gchatCard `json:"cardsV2"`
	Thread       *gchatKey   `json:"thread,omitempty"`
}

type gchatKey struct {
	Key string `json:"threadKey"`
}

type gchatCard struct {
	ID   string        `json:"cardId"`
	Card gchatCardBody `json:"card"`
}

type gchatCardBody struct {
	Header   gchatHeader    `json:"header"`
	Sections []gchatSection `json:"sections,omitempty"`
}

type gchatHeader struct {
	Title    string `json:"title"`
	Subtitle string `json:"subtitle,omitempty"`
}

type gchatSection struct {
	Widgets []gchatWidget `json:"widgets"`
}

// gchatWidget has exactly one of its parts.
type gchatWidget struct {
	Text    *gchatParagraph `json:"textParagraph,omitempty"`
	Labeled *gchatLabeled   `json:"decoratedText,omitempty"`
	Buttons *gchatButtons   `json:"buttonList,omitempty"`
}

type gchatParagraph struct {
	Text string `json:"text"`
}

type gchatLabeled struct {
	Label string `json:"topLabel"`
	Text  string `json:"text"`
	Wrap  bool   `json:"wrapText"`
}

type gchatButtons struct {
	Buttons []gchatButton `json:"buttons"`
}

type gchatButton struct {
	Text    string       `json:"text"`
	OnClick gchatOnClick `json:"onClick"`
}

type gchatOnClick struct {
	OpenLink gchatOpen `json:"openLink"`
}

type gchatOpen struct {
	URL string `json:"url"`
}

var gchat = Provider{
	Render: func(to Credentials, a Alert) (Request, error) {
		if err := a.check(); err != nil {
			return Request{}, err
		}
		u, err := endpoint(to.Address)
		if err != nil {
			return Request{}, err
		}
		u, key := gchatAddress(u, &a)
		body, err := within(gchatBytes, gchatText, func(room int) any {
			return gchatMessage{
				FallbackText: gchatPlain.line(a.spoken(), gchatTitle),
				Cards:        []gchatCard{{"alert", gchatBody(&a, room)}},
				Thread:       key,
			}
		})
		if err != nil {
			return Request{}, err
		}
		return post(u, "", body), nil
	},
	Parse: accepted,
}

// gchatAddress asks for an answer in the thread of the alert, or in the one that the address names already. Without the
// option, every message begins a new thread in spite of its key.
func gchatAddress(u *url.URL, a *Alert) (*url.URL, *gchatKey) {
	query := u.Query()
	var key *gchatKey
	if !query.Has("threadKey") {
		thread := oneLine(a.Thread)
		if thread == "" {
			return u, nil
		}
		key = &gchatKey{plain.line(thread, gchatThread)}
	}
	const option = "messageReplyOption"
	if query.Has(option) {
		return u, key
	}
	own := *u
	if own.RawQuery != "" {
		own.RawQuery += "&"
	}
	own.RawQuery += option + "=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
	return &own, key
}

func gchatBody(a *Alert, room int) gchatCardBody {
	card := gchatCardBody{Header: gchatHeader{Title: gchatPlain.line(a.headline(), gchatTitle), Subtitle: gchatPlain.line(a.byline(), gchatTitle)}}
	add := func(widgets ...gchatWidget) {
		if len(widgets) > 0 {
			card.Sections = append(card.Sections, gchatSection{widgets})
		}
	}
	if text := broken.block(a.body(), room); text != "" {
		add(gchatWidget{Text: &gchatParagraph{text}})
	}
	var facts []gchatWidget
	for _, f := range atMost(gchatFields, a.facts()) {
		facts = append(facts, gchatWidget{Labeled: &gchatLabeled{gchatPlain.line(f.Name, gchatName), broken.block(f.Value, valueRoom(room, gchatValue)), true}})
	}
	add(facts...)
	var buttons []gchatButton
	for _, l := range a.links(gchatLinks) {
		buttons = append(buttons, gchatButton{gchatPlain.line(l.Name, gchatName), gchatOnClick{gchatOpen{l.URL}}})
	}
	if len(buttons) > 0 {
		add(gchatWidget{Buttons: &gchatButtons{buttons}})
	}
	return card
}

// gchatPlain is for titles, labels and buttons, which show an escape as it is written; in some clients they read markup.
// Characters that look alike mean the same to both.
var gchatPlain escape = func(_, r rune) string {
	switch r {
	case '<':
		return "‹"
	case '>':
		return "›"
	}
	return string(r)
}
