// Package rollout decides. It is pure: no clock, no cluster, no network; time and the world come in as an Observation,
// and what should be done goes out as a Decision.
//
// One step of a rollout is a straight line:
//
//	record.Load                    -> Status
//	Ask(spec, status)              -> Asks         which checks matter now, and when
//	observe(asks)                  -> Observation  one snapshot of cluster, checks and the time
//	Decide(spec, status, obs)      -> Decision     next status, wanted world, reason, when to wake, events
//	record.Save(Next)              before touching the world
//	apply(Want)                    idempotent
//	report(Decision)               best effort, never blocks the rollout
//	wait(WakeAt or a watch event)
//
// Want is derived from the next status, so the status and the traffic cannot disagree: a process that is killed after
// Save applies the same Want when it comes back.
//
// The rule list in rules.go is the state machine. The first rule that speaks decides.
//
//	                 first run                          every later run
//	"" ─────────► Initializing ──► Initialized ──► Progressing ──► Promoting ──► Finalising ──► Succeeded
//	                   │               ▲                │  ▲ new       │ primary
//	                   ▼               │ next run       │  │ revision  ▼ breaks
//	                 Failed ◄──────────┴── RollingBack ◄┘  └──┘      Failed (halted: the traffic stays on the canary)
//
// Three orders make it safe. Traffic goes to a workload only after it is ready. A rolled back canary is scaled down only
// after the router has reported that its traffic is gone. A primary is overwritten only by the revision that passed.
package rollout
