// Package server receives the webhooks of GitHub and GitLab.
//
// It is level-triggered: a delivery only says which pull or merge request to look at again. What it claims is never
// believed, so a delivery that is replayed, doubled, late or out of order does no harm: at worst one look too many.
//
//	signature -> event -> repository -> interest -> Store -> 2xx -> queue -> Looker
//
// A delivery is answered with 2xx only after the Store has it durably, and its change stays pending there until a look
// that began after it came has ended well. So whatever is killed, and whenever: no accepted delivery is without its look.
// Deliveries that come while the Store writes are written together, with one write.
package server
