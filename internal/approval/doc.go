// Package approval decides who opened a gate. It is pure: comments come in as Events that somebody has read from the
// forge, the time comes in as an argument, and a Verdict goes out.
//
//	body ── Parse ──► Command ┐
//	forge's live answers ─────┴► Event ── Reduce(gate, policy) ──► Log ── Judge(now) ──► Verdict
//
// Three rules make it safe.
//
// Nothing that is missing helps: the zero Gate, Policy, Log and Verdict are all closed, an unknown permission is no
// permission, and a ban on somebody who is not known keeps the gate shut.
//
// The log is a set that happens to have an order. What Reduce says about an event depends on the event alone; what came
// before it decides only whether it is news. Judge orders votes by when the forge says that they were written. So webhooks
// and polling may deliver late, twice and in any order.
//
// Doubt works against approvals and never against brakes. An approval counts while every sight of its comment was clean;
// a rejection counts once any sight of it was clean, so that nobody lifts it by editing or deleting somebody's comment.
package approval
