package metric

import (
	"encoding/json"
	"fmt"
)

// refused reads an answer whose HTTP status is not a success, and reports whether it is one. A refusal lasts when the
// provider could not read the query; one for want of credentials, quota or health does not.
func refused(status int, body []byte) (Answer, bool) {
	if status >= 200 && status <= 299 {
		return Answer{}, false
	}
	a := Answer{Raw: Shown(body)}
	text := said(reason(body))
	switch status {
	case 401, 403:
		a.Message = fmt.Sprintf("HTTP %d: the server wants other credentials; it said: %s", status, text)
	case 429:
		a.Message = "HTTP 429: the server is asked too often; it said: " + text
	case 400, 422:
		a.Lasting = true
		a.Message = fmt.Sprintf("the server refused the query (HTTP %d): %s", status, text)
	default:
		a.Message = fmt.Sprintf("HTTP %d: %s", status, text)
	}
	return a, true
}

// reason returns the message of an error body, in whichever of the usual places it is, or the body itself.
func reason(body []byte) string {
	var parsed any
	if json.Unmarshal(body, &parsed) == nil {
		if text := message(parsed, 3); text != "" {
			return Shown([]byte(text))
		}
	}
	return Shown(body)
}

// message looks for the text of an error, depth objects deep.
func message(found any, depth int) string {
	if depth == 0 {
		return ""
	}
	switch v := found.(type) {
	case string:
		return v
	case []any:
		if len(v) > 0 {
			return message(v[0], depth) // the first error is what the others follow from
		}
	case map[string]any:
		for _, key := range [...]string{"message", "Message", "error", "errors", "errorMessage"} {
			if text := message(v[key], depth-1); text != "" {
				return text
			}
		}
	}
	return ""
}

// foreign is the answer to a body that is not what the provider answers.
func foreign(name string, body []byte) Answer {
	raw := Shown(body)
	return Answer{Raw: raw, Message: fmt.Sprintf("this is not an answer of %s: %s", name, said(raw))}
}

// several is the answer to a query for more than one series.
func several(n int, advice string) Answer {
	return Answer{Outcome: Several, Lasting: true, Message: fmt.Sprintf("the query answers %d series, one is expected: %s", n, advice)}
}

// with adds the body to an answer.
func (a Answer) with(body []byte) Answer {
	a.Raw = Shown(body)
	return a
}
