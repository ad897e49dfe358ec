//go:build !race

package cli

// parallelScripts is how many scripts run at once: more than there are processors, since they mostly wait for time to pass.
const parallelScripts = "8"
