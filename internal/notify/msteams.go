package notify

import (
	"bytes"
	"errors"
	"net/url"
	"slices"
	"strings"
)

// The limits of Teams. A message has 28 KB.
const (
	teamsBytes   = 28_000
	teamsTitle   = 250
	teamsText    = 8000
	teamsName    = 80
	teamsValue   = 500
	teamsFields  = 20
	teamsActions = 6
)

// connectorHosts are the hosts of Office 365 connectors, and what their names end in.
var connectorHosts = []string{"outlook.office.com", "outlook.office365.com", "webhook.office.com"}

// msteams posts an adaptive card to a webhook of the Workflows app, and a message card, the only form that they
// understand, to the Office 365 connectors that came before. The host tells which is which; one that is unknown is taken
// for Workflows, because connectors are no longer made.
var msteams = Provider{
	Render: func(to Credentials, a Alert) (Request, error) {
		if err := a.check(); err != nil {
			return Request{}, err
		}
		u, err := endpoint(to.Address)
		if err != nil {
			return Request{}, err
		}
		body, err := within(teamsBytes, teamsText, func(room int) any {
			if isConnector(u) {
				return messageCard(&a, room)
			}
			return adaptiveCard(&a, room)
		})
		if err != nil {
			return Request{}, err
		}
		return post(u, "", body), nil
	},
	Parse: func(status int, body []byte) error {
		if err := accepted(status, body); err != nil {
			return err
		}
		// A connector answers 200 with a sentence when Teams has refused what it passed on.
		if bytes.Contains(body, []byte("message delivery failed")) {
			return errors.New("teams refused the alert that the connector passed on")
		}
		return nil
	},
}

func isConnector(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	return slices.ContainsFunc(connectorHosts, func(known string) bool {
		return host == known || strings.HasSuffix(host, "."+known)
	})
}
