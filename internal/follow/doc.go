// Package follow follows a rollout that a Flagger controller in the cluster drives. It sets the image, and then only
// watches: Flagger decides, and its verdict on that revision becomes this run's.
//
// Flagger's status says nothing about whose rollout it is about, and the end of the last one stays there until the next
// begins. So the status is read before the image is set, and only what Flagger writes about another lastAppliedSpec
// counts. That is Flagger's own hash of the pod template; it is compared and never computed here.
package follow
