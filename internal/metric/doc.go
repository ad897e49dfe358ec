// Package metric turns the metrics of a canary into checks and the answers of metrics providers into verdicts. Nothing
// here does I/O.
//
//	Plan    canary, templates       -> checks   every query rendered, every problem reported at once
//	Lint    check                   -> error    what the provider's own parser says of the query
//	Request source, query           -> request  one codec per provider
//	Parse   status, body            -> answer
//	Judge   check, answer           -> rollout.CheckResult
//	Enough  check, result, count    -> rollout.CheckResult   too few requests are no data
//	Compare check, two rows         -> rollout.CheckResult   the canary against the primary
//	Clues   query                   -> what must exist for it to have an answer
//
// An answer is one number or it is not a pass: no data, several series and an unreadable answer are told apart and shown
// with the query and what came back.
//
// The builtin queries and the metrics that they read live side by side, one file per router. A rehearsal makes the
// samples with the one and judges them with the other.
package metric
