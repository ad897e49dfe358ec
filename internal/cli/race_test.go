//go:build race

package cli

// parallelScripts is how many scripts run at once. With the race detector they are bound by the processors.
const parallelScripts = "5"
