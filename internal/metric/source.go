package metric

import (
	"errors"
	"fmt"
	"net/textproto"
	"net/url"
	"strings"
	"time"
)

// Needs is what a template has to set for a provider, beyond its type and its query.
type Needs struct {
	Example string        // of an address
	Address string        // where it is asked when the template has no address; empty when there must be one
	Cluster bool          // without an address, the API server of the rollout's own cluster is asked
	Run     bool          // the run itself is asked, at an address that is no host's
	Keys    []string      // entries that the Secret must have; without any, no Secret is needed
	Region  bool          // there must be a region
	User    bool          // the address may hold a user and password
	Stream  bool          // the address may be that of a stream, wss://
	Least   time.Duration // shortest interval whose window is sure to hold a whole point; 0 when it depends on the query
}

// check returns everything that is wrong with a source, as far as it can be known without its credentials. secret says
// whether the template names a Secret.
func (n Needs) check(s Source, secret bool) []error {
	var problems []error
	if _, err := n.address(s); err != nil {
		problems = append(problems, err)
	}
	if len(n.Keys) > 0 && !secret {
		problems = append(problems, fmt.Errorf("secretRef is missing; it must name a Secret with the keys %s", strings.Join(n.Keys, ", ")))
	}
	if n.Region && !awsRegion.MatchString(s.Region) {
		problems = append(problems, fmt.Errorf("region %q is not a region such as eu-central-1", s.Region))
	}
	return problems
}

// address reads the URL of a provider, or its own. It has no host for the API server of the rollout's cluster.
func (n Needs) address(s Source) (*url.URL, error) {
	address := s.Address
	if n.Run && address != "" {
		return nil, errors.New("address is set; the run itself is asked, so there is none")
	}
	if address == "" && n.Cluster {
		return &url.URL{Path: "/"}, nil
	}
	if address == "" {
		address = n.Address
	}
	if n.Stream && strings.HasPrefix(address, "wss://") {
		address = "https" + strings.TrimPrefix(address, "wss")
	}
	u, err := parseAddress(address, n.Example)
	if err == nil && u.User != nil && !n.User {
		return nil, fmt.Errorf("address %q holds a user; credentials belong into the Secret of secretRef", u.Redacted())
	}
	return u, err
}

// parseAddress reads the URL of a provider. Its errors do not show the URL's user and password.
func parseAddress(address, example string) (*url.URL, error) {
	if address == "" {
		return nil, fmt.Errorf("address is empty; it must be a URL such as %s", example)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("address is not a URL such as %s", example)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("address %q is not an http or https URL such as %s", u.Redacted(), example)
	}
	u.Fragment = ""
	return u, nil
}

// call starts a GET request to a provider that is sent the headers of the template. The caller completes the URL.
func call(s Source, n Needs) (*url.URL, Request, error) {
	u, err := n.address(s)
	if err != nil {
		return nil, Request{}, err
	}
	if err := s.Credentials.need(n.Keys); err != nil {
		return nil, Request{}, err
	}
	r := Request{Method: "GET", Header: map[string][]string{}}
	for name, values := range s.Headers {
		r.Header[textproto.CanonicalMIMEHeaderKey(name)] = append([]string(nil), values...)
	}
	r.Header["Accept"] = []string{"application/json"}
	return u, r, nil
}

// need reports which keys of the Secret are missing or empty.
func (c Credentials) need(keys []string) error {
	var missing []string
	for _, key := range keys {
		if c.Get(key) == "" {
			missing = append(missing, key)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("the Secret lacks %s; it must have the keys %s", strings.Join(missing, ", "), strings.Join(keys, ", "))
}

// ask adds values to those that the address already has.
func ask(u *url.URL, values url.Values) {
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += values.Encode()
}
