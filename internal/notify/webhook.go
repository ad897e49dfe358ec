package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
)

// The limits of an event. CloudEvents asks nobody to pass on more than 64 KiB.
const (
	eventBytes  = 64 << 10
	eventText   = 16_000
	eventName   = 200
	eventFields = 30
	eventLinks  = 10
)

// cloudEvent is an event in the structured JSON form of CloudEvents 1.0.
type cloudEvent struct {
	SpecVersion string    `json:"specversion"`
	ID          string    `json:"id"` // the same alert of the same rollout has the same one: receivers drop what comes twice
	Source      string    `json:"source"`
	Type        string    `json:"type"`
	Subject     string    `json:"subject,omitempty"`
	ContentType string    `json:"datacontenttype"`
	Data        eventData `json:"data"`
}

type eventData struct {
	Severity  string      `json:"severity"`
	Title     string      `json:"title,omitempty"`
	Text      string      `json:"text,omitempty"`
	Cluster   string      `json:"cluster,omitempty"`
	Namespace string      `json:"namespace,omitempty"`
	Canary    string      `json:"canary,omitempty"`
	Target    string      `json:"target,omitempty"`
	Phase     string      `json:"phase,omitempty"`
	Fields    []eventFact `json:"fields,omitempty"`
	Links     []eventLink `json:"links,omitempty"`
}

type eventFact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type eventLink struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// webhook posts a CloudEvent to whatever reads those. A token is sent as a bearer token.
var webhook = Provider{
	Render: func(to Credentials, a Alert) (Request, error) {
		if err := a.check(); err != nil {
			return Request{}, err
		}
		u, err := endpoint(to.Address)
		if err != nil {
			return Request{}, err
		}
		body, err := within(eventBytes, eventText, func(room int) any { return event(&a, room) })
		if err != nil {
			return Request{}, err
		}
		r := post(u, to.Token, body)
		r.Header["Content-Type"] = []string{"application/cloudevents+json; charset=utf-8"}
		return r, nil
	},
	Parse: accepted,
}

// event is the alert as data: nothing in it is shown by anybody, so nothing is escaped but what no text may hold.
func event(a *Alert, room int) cloudEvent {
	severity := a.Severity
	if severity == "" {
		severity = canary.SeverityInfo
	}
	data := eventData{
		Severity: string(severity), Title: plain.line(a.Title, eventName), Text: plain.block(a.Text, room),
		Cluster: plain.line(a.Cluster, eventName), Namespace: plain.line(a.Namespace, eventName), Canary: plain.line(a.Canary, eventName),
		Target: plain.line(a.Target, eventName), Phase: plain.line(a.Phase, eventName),
	}
	for _, f := range atMost(eventFields, (&Alert{Fields: a.Fields}).facts()) {
		data.Fields = append(data.Fields, eventFact{plain.line(f.Name, eventName), plain.block(f.Value, valueRoom(room, eventText))})
	}
	for _, l := range a.links(eventLinks) {
		data.Links = append(data.Links, eventLink{plain.line(l.Name, eventName), l.URL})
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{a.Thread, a.Phase, string(severity), a.Title, a.Text}, "\x00")))
	return cloudEvent{
		SpecVersion: "1.0", ID: hex.EncodeToString(sum[:16]),
		Source: "/penstock/" + url.PathEscape(data.Namespace) + "/" + url.PathEscape(data.Canary),
		Type:   "dev.penstock.rollout." + string(severity), Subject: plain.line(a.subject(), eventName),
		ContentType: "application/json", Data: data,
	}
}
