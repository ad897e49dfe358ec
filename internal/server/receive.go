package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"
)

// Limits of one delivery. Both platforms give up after 10 s: the body and the answer together stay below that.
const (
	bodyLimit     = 1 << 20  // both send up to 25 MB; what is read here is far smaller
	firstRead     = 64 << 10 // bytes of memory that a promise of a body is given before any of it came
	bodyTimeout   = 4 * time.Second
	answerTimeout = 5 * time.Second
	inFlightLimit = 256 // deliveries at once, and so how much of a flood is held in memory
	retryAfter    = "30"
)

// delivery is a request on its way, with what is known of it so far.
type delivery struct {
	sender *sender
	id     string
	event  string // "" until the delivery is proved
	secret int    // the number of the secret that proved it
	notice Notice
	key    string
}

// receive answers the deliveries of one platform.
func (s *Server) receive(from *sender) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		d := &delivery{sender: from}
		select {
		case s.inFlight <- struct{}{}:
			defer func() { <-s.inFlight }()
		default:
			s.refuse(w, d, Busy)
			return
		}
		body, why := s.prove(w, r, d)
		if why == "" {
			why = s.read(d, body)
		}
		if why == "" && !d.notice.Wanted {
			s.answer(w, d, skipped)
			return
		}
		if why != "" {
			s.refuse(w, d, why)
			return
		}
		s.keep(r.Context(), w, d)
	}
}

// prove reads the body of a delivery and judges whether it comes from where it says. Nothing is parsed before.
func (s *Server) prove(w http.ResponseWriter, r *http.Request, d *delivery) ([]byte, Reason) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, WrongContentType
	}
	if why := d.sender.early(r.Header); why != "" {
		return nil, why
	}
	if r.ContentLength > bodyLimit {
		return nil, BodyTooLarge
	}
	// An error means that the connection has no deadlines; then the one of the whole server holds.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(s.clock.Now().Add(bodyTimeout))
	var body bytes.Buffer
	body.Grow(int(max(0, min(r.ContentLength, firstRead))) + bytes.MinRead)
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, bodyLimit))
	_ = control.SetReadDeadline(time.Time{}) // or it would end the connection while the delivery is being stored
	if err != nil {
		if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
			return nil, BodyTooLarge
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, BodyTooSlow
		}
		return nil, BodyUnreadable
	}
	secret, why := d.sender.prove(r.Header, body.Bytes(), s.clock.Now())
	if why != "" {
		return nil, why
	}
	d.secret, d.event, d.id = secret, d.sender.event(r.Header), d.sender.id(r.Header)
	return body.Bytes(), ""
}

// read finds out what a proved delivery is about.
func (s *Server) read(d *delivery, body []byte) Reason {
	if !plausible(d.id) {
		d.id = ""
		return BadDeliveryID
	}
	notice, err := d.sender.parse(d.event, body)
	if err != nil {
		return BadPayload
	}
	if d.notice = notice; !notice.Wanted {
		return ""
	}
	if allowed := d.sender.allowed; allowed != nil && !allowed[notice.Subject.Repository] {
		return OtherRepository
	}
	if d.sender.rejects && !s.queue.room(notice.Subject) {
		return QueueFull
	}
	d.key = deliveryKey(d.sender.platform, d.id, body)
	return ""
}

// plausible tells whether a text can be a delivery's number. It is written to logs.
func plausible(id string) bool {
	return id != "" && len(id) <= 128 && strings.IndexFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// keep stores a delivery and only then says that it is accepted.
func (s *Server) keep(ctx context.Context, w http.ResponseWriter, d *delivery) {
	// Whoever hangs up has still delivered.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
	defer cancel()
	receipt, err := s.commits.add(ctx, Delivery{Key: d.key, Subject: d.notice.Subject, At: s.clock.Now()})
	switch {
	case err != nil:
		s.log.Error("a delivery could not be stored", "platform", d.sender.platform, "delivery", d.id, "error", err)
		s.refuse(w, d, NotStored)
	case !receipt.New:
		s.answer(w, d, duplicate)
	default:
		s.answer(w, d, accepted)
	}
}

// answer tells the sender what became of a good delivery.
func (s *Server) answer(w http.ResponseWriter, d *delivery, outcome string) {
	s.metrics.deliveries.WithLabelValues(string(d.sender.platform), d.event, outcome).Inc()
	status, level := http.StatusOK, s.log.Debug
	if outcome == accepted {
		status, level = http.StatusAccepted, s.log.Info
	}
	level("delivery "+outcome, "platform", d.sender.platform, "event", d.event, "delivery", d.id, "secret", d.secret,
		"change", d.notice.Subject.String(), "why", d.notice.Ignored)
	text := outcome
	if d.notice.Ignored != "" {
		text += ": " + d.notice.Ignored
	}
	reply(w, status, text)
}

// refuse tells the sender why not. GitLab switches webhooks off that fail, some for good, so that what is proved and
// would only fail again is answered as if it were good.
func (s *Server) refuse(w http.ResponseWriter, d *delivery, why Reason) {
	s.metrics.refusals.WithLabelValues(string(d.sender.platform), string(why)).Inc()
	if d.event != "" {
		s.metrics.deliveries.WithLabelValues(string(d.sender.platform), d.event, refused).Inc()
	}
	if n := s.quiet.ask(string(d.sender.platform)+string(why), s.clock.Now()); n > 0 {
		s.log.Warn("delivery refused", "platform", d.sender.platform, "reason", string(why), "event", d.event,
			"delivery", d.id, "times", n)
	}
	r := refusals[why]
	if r.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	} else if d.event != "" && !d.sender.rejects {
		r.status = http.StatusOK
	}
	reply(w, r.status, r.text)
}

func reply(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // a sender that is gone needs no answer
}
