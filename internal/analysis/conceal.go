package analysis

import (
	"bytes"
	"net/url"
	"slices"
	"strings"

	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/metric"
)

// concealer holds the texts that must not be shown when a server echoes them.
type concealer struct{ httpx.Secrets }

// names are the keys of Secrets whose values are no secrets: they are shown where a message names them.
var names = [...]string{"username", "org", "project", "newrelic_account_id", metric.AWSKeyID, metric.AWSRole}

// secrets collects everything secret that a request holds.
func secrets(s metric.Source, r metric.Request) concealer {
	var c concealer
	for key, value := range s.Credentials {
		if !slices.Contains(names[:], key) {
			c.Add(value)
		}
	}
	for _, value := range r.Header["Authorization"] {
		_, token, _ := strings.Cut(value, " ")
		c.Add(token)
	}
	c.Add(r.Header["X-Amz-Security-Token"]...)
	if u, err := url.Parse(s.Address); err == nil && u.User != nil {
		password, _ := u.User.Password()
		c.Add(password)
	}
	return c
}

// parse reads an answer and hides the secrets in what is shown of it. They are hidden before the answer is cut, so that
// not even half of one is left; and the number itself is read from the answer as it came.
func (c concealer) parse(codec metric.Provider, q metric.Query, status int, body []byte) metric.Answer {
	answer := codec.Parse(q, status, body)
	clean := []byte(c.Hide(string(body)))
	if !bytes.Equal(clean, body) {
		shown := codec.Parse(q, status, clean)
		answer.Raw, answer.Message = shown.Raw, shown.Message
		if answer.Outcome != shown.Outcome {
			answer.Raw, answer.Message = metric.Shown(clean), "the answer shows a credential and is not repeated here"
		}
	}
	answer.Message = c.Hide(answer.Message)
	return answer
}
