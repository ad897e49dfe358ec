package metric

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

// kubeCall starts a request for an object of the Kubernetes API: of the rollout's own cluster without an address, with
// the credentials of the rollout, or with those of the Secret.
func kubeCall(s Source, n Needs, path ...string) (*url.URL, Request, error) {
	u, r, err := call(s, n)
	if err != nil {
		return nil, Request{}, err
	}
	if len(s.Credentials) > 0 {
		if err := s.Credentials.need([]string{"token"}); err != nil {
			return nil, Request{}, err
		}
		r.Header["Authorization"] = []string{"Bearer " + s.Credentials.Get("token")}
	}
	for i := range path {
		path[i] = url.PathEscape(path[i])
	}
	return u.JoinPath(append([]string{"apis"}, path...)...), r, nil
}

// objectName refuses what would lead to another path of the API.
func objectName(what, name string) error {
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		return fmt.Errorf("query: %s %q is not a name: %s", what, name, problems[0])
	}
	return nil
}

// stamped is the answer of a value that was read at one moment, over the time before it.
func stamped(q Query, at string, over time.Duration, value float64) (Answer, error) {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil || over < 0 {
		return Answer{}, errStamp
	}
	return newest(q, []point{{t.Add(-over), t, value}}), nil
}

var errStamp = errors.New("there is no time of the value")

// segments splits a query of names that are divided by slashes.
func segments(query string) []string { return strings.Split(strings.TrimSpace(query), "/") }
