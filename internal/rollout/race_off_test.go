//go:build !race

package rollout

// raced says that the race detector is at work.
const raced = false
