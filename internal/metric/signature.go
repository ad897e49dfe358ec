package metric

import (
	"fmt"
	"net/url"
	"strings"
)

// Signature is what a request lacks before it can be sent: it is signed, or gets a token, by an engine, since the
// credentials of a cloud may have to be fetched first. At most one of its fields is set.
type Signature struct {
	AWS    *AWS
	Google *Google
}

// AWS asks for AWS Signature Version 4:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
type AWS struct {
	Region, Service string
	Login           Credentials // of the Secret; empty: those of the run
}

// Google asks for a token of a Google account that is good for an API.
type Google struct {
	Scope    string // what the token allows
	Audience string // the API, for a token that a service account signs itself
	Account  string // JSON of the account; empty: that of the run
}

// Keys of the Secret of a provider that belongs to AWS.
const (
	AWSKeyID    = "aws_access_key_id"
	AWSSecret   = "aws_secret_access_key"
	AWSSession  = "aws_session_token"
	AWSRole     = "aws_role_arn"
	AWSIdentity = "aws_web_identity_token"
	AWSExternal = "aws_external_id"
)

// Get returns an entry without the newline that an editor or echo leaves at its end; empty when there is none.
func (c Credentials) Get(key string) string { return strings.TrimSpace(c[key]) }

// awsLogin checks that a Secret says who asks: a Secret in which nothing is found must not fall back to the run's own.
func awsLogin(c Credentials) error {
	keys := []string{AWSKeyID, AWSSecret}
	switch {
	case len(c) == 0, c.Get(AWSKeyID) == "" && c.Get(AWSSecret) == "" && c.Get(AWSRole) != "":
	case c.Get(AWSIdentity) != "" && c.Get(AWSRole) == "":
		return fmt.Errorf("the Secret has %s without %s, the role that it is for", AWSIdentity, AWSRole)
	case c.Get(AWSIdentity) != "":
		return fmt.Errorf("the Secret has both %s and keys; one of them says who asks", AWSIdentity)
	case c.Get(AWSKeyID) == "" && c.Get(AWSSecret) == "":
		return fmt.Errorf("the Secret lacks %s; it must have them or %s", strings.Join(keys, ", "), AWSRole)
	default:
		return c.need(keys)
	}
	return nil
}

// ofGoogle reports whether an address is one of Google's: the token of the run itself is sent nowhere else, wherever the
// address of a template leads.
func ofGoogle(u *url.URL) bool {
	return u.Scheme == "https" && strings.HasSuffix(u.Hostname(), ".googleapis.com")
}
