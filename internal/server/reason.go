package server

import "net/http"

// Reason is a stable name for why a delivery was refused, as metrics and logs have it.
type Reason string

// The reasons.
const (
	WrongContentType Reason = "wrong_content_type"
	BodyTooLarge     Reason = "body_too_large"
	BodyTooSlow      Reason = "body_too_slow"
	BodyUnreadable   Reason = "body_unreadable"
	Unsigned         Reason = "unsigned"
	SHA1Only         Reason = "sha1_only"
	WrongSignature   Reason = "wrong_signature"
	WrongToken       Reason = "wrong_token"
	StaleTimestamp   Reason = "stale_timestamp"
	BadDeliveryID    Reason = "bad_delivery_id"
	BadPayload       Reason = "bad_payload"
	OtherRepository  Reason = "other_repository"
	Busy             Reason = "busy"
	QueueFull        Reason = "queue_full"
	NotStored        Reason = "not_stored"
)

// refusal is what the sender of a refused delivery is told. The reasons before the signature is known say nothing that
// helps a guess.
type refusal struct {
	status int
	text   string
}

var refusals = map[Reason]refusal{
	WrongContentType: {http.StatusUnsupportedMediaType, "want Content-Type application/json; set it in the settings of the webhook"},
	BodyTooLarge:     {http.StatusRequestEntityTooLarge, "the body is larger than 1 MiB"},
	BodyTooSlow:      {http.StatusRequestTimeout, "the body did not come in time"},
	BodyUnreadable:   {http.StatusBadRequest, "the body ended early"},
	Unsigned:         {http.StatusUnauthorized, "the delivery is not signed; set the secret in the settings of the webhook"},
	SHA1Only:         {http.StatusUnauthorized, "the delivery is signed with SHA-1 only; want X-Hub-Signature-256"},
	WrongSignature:   {http.StatusUnauthorized, "the signature is not one of our secrets'"},
	WrongToken:       {http.StatusUnauthorized, "the token is not one of ours"},
	StaleTimestamp:   {http.StatusUnauthorized, "the timestamp is more than 5 minutes from ours; is a clock wrong?"},
	BadDeliveryID:    {http.StatusBadRequest, "the delivery has no number, or one that cannot be one"},
	BadPayload:       {http.StatusBadRequest, "the payload does not say which change it is about"},
	OtherRepository:  {http.StatusForbidden, "this repository is not one of those that may send"},
	Busy:             {http.StatusServiceUnavailable, "too many deliveries at once; deliver again later"},
	QueueFull:        {http.StatusServiceUnavailable, "too many changes wait for a look; deliver again later"},
	NotStored:        {http.StatusServiceUnavailable, "the delivery could not be stored; deliver again later"},
}
