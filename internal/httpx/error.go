package httpx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Retry classes. Every *Error is one of the two: ask with errors.Is.
var (
	ErrTransient = errors.New("transient") // the same request may succeed a little later
	ErrPermanent = errors.New("permanent") // it will not, without a change
)

// Error is a request that got no usable answer, in plain words and without secrets.
type Error struct {
	Message   string
	Transient bool
	cause     error // for errors.Is, never printed: it may hold the whole URL
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the retry class and the cause.
func (e *Error) Unwrap() []error {
	class := ErrPermanent
	if e.Transient {
		class = ErrTransient
	}
	return []error{class, e.cause}
}

// tooLargeError says that an answer was cut.
type tooLargeError struct{ limit int64 }

func (e *tooLargeError) Error() string {
	if e.limit >= 1<<20 && e.limit%(1<<20) == 0 {
		return fmt.Sprintf("the answer is larger than %d MiB", e.limit>>20)
	}
	return fmt.Sprintf("the answer is larger than %d bytes", e.limit)
}

// Explain turns an error of a http.Client into an *Error. target is the URL that was asked; within is the time that it
// had. It returns nil for nil.
func Explain(err error, target string, within time.Duration) error {
	if err == nil {
		return nil
	}
	if known := (*Error)(nil); errors.As(err, &known) {
		return err
	}
	where := origin(target)
	message, transient := explain(err, where, within)
	return &Error{Message: message, Transient: transient, cause: err}
}

// explain knows the usual ends of a request; the rest is shown as it is, without its secrets.
func explain(err error, where string, within time.Duration) (message string, transient bool) {
	var (
		tooLarge *tooLargeError
		redirect *redirectError
		dns      *net.DNSError
		timeout  net.Error
	)
	switch {
	case errors.As(err, &tooLarge):
		return where + ": " + tooLarge.Error(), false
	case errors.As(err, &redirect):
		return where + ": " + redirect.Error(), false
	case errors.Is(err, context.Canceled):
		return where + ": stopped before there was an answer", false
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("%s: no answer within %v", where, within), true
	case errors.As(err, &dns):
		return fmt.Sprintf("cannot reach %s: no such host %q", where, dns.Name), true
	case errors.Is(err, syscall.ECONNREFUSED):
		return "cannot reach " + where + ": connection refused", true
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "cannot reach " + where + ": no route to the host", true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return where + ": the connection was closed before the answer was complete", true
	}
	if why := certificate(err); why != "" {
		return where + ": " + why, false
	}
	return "cannot reach " + where + ": " + Redact(inner(err).Error()), transientOp(err) || temporary(err)
}

// certificate returns what is wrong with a server's certificate.
func certificate(err error) string {
	var (
		unknown  x509.UnknownAuthorityError
		host     x509.HostnameError
		invalid  x509.CertificateInvalidError
		verify   *tls.CertificateVerificationError
		notHTTPS tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &unknown):
		return "the certificate is signed by an authority that is not trusted here"
	case errors.As(err, &host):
		return "the certificate is for other names: " + host.Error()
	case errors.As(err, &invalid):
		return "the certificate is not valid: " + invalid.Error()
	case errors.As(err, &verify):
		return "the certificate is not valid: " + verify.Err.Error()
	case errors.As(err, &notHTTPS):
		return "the server does not speak TLS on this port; is it http?"
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "the server does not speak TLS on this port; is it http?"
	}
	return ""
}

// transientOp holds for the rest of what the network does.
func transientOp(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}

// temporary asks those errors that know: of a way that is not the network's.
func temporary(err error) bool {
	var knows interface{ Temporary() bool }
	return errors.As(inner(err), &knows) && knows.Temporary()
}

// inner drops what net/http has put around an error: the *url.Error repeats the URL, and a connection that ends before the
// request is on it has the name of a function.
func inner(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) && u.Err != nil {
		err = u.Err
	}
	if cause := errors.Unwrap(err); cause != nil && strings.HasPrefix(err.Error(), "readLoopPeekFailLocked: ") {
		return cause
	}
	return err
}

// Retryable reports whether a request that got this HTTP status may succeed a little later.
func Retryable(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// RetryAfter reads how long a server wants to be left alone: seconds, at most a day of them, or a date. otherwise is the
// answer where it does not say.
func RetryAfter(h http.Header, now time.Time, otherwise time.Duration) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 && seconds <= 24*3600 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return otherwise
}

var urls = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>\\]+`)

// Redact returns text with every URL in it redacted. The punctuation of a sentence around a URL is no part of it.
func Redact(text string) string {
	return urls.ReplaceAllStringFunc(text, func(found string) string {
		raw := strings.TrimRight(found, ".,:;!)")
		return RedactURL(raw) + found[len(raw):]
	})
}

// RedactURL returns a URL without user, password, query and fragment: each may hold a secret.
func RedactURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(a URL that cannot be read)"
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	if u.RawQuery != "" {
		return shown.String() + "?***"
	}
	return shown.String()
}

// origin returns the part of a URL that says which server it is.
func origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return RedactURL(raw)
	}
	return u.Scheme + "://" + u.Host
}

// IsTransient reports whether the same request may succeed a little later.
func IsTransient(err error) bool { return errors.Is(err, ErrTransient) }
