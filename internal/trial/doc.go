// Package trial plays a canary's rollout thousands of times in virtual time, to tell how often its checks would roll back a
// healthy release, and how soon they would catch a bad one. The traffic is drawn at random from a seed; what is asked of it
// and what follows are the judge and the state machine of a real run (metric.Judge, metric.Compare, rollout.Decide), so that
// what is measured is the canary file and not a model of it.
//
// The model of the traffic is a simple one. The requests are a Poisson process; each fails on its own with the same
// probability; durations are log-normal, and are seen through the buckets of the router's histogram, as a real query sees
// them. What moves both versions alike, the load of a cluster, is a factor that swings around 1. The cluster itself is ideal:
// pods are ready and routers settled at once, gates are open, hooks succeed.
package trial
