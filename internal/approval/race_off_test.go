//go:build !race

package approval

// raced says that the race detector is at work.
const raced = false
