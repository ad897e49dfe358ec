// Package report turns what a rollout decided into text for people and for machines: one plain line per decision, the
// live frame of a terminal, the table at the end, the closing sentence, and the result as JSON.
//
// It is a codec: values in, text out. It never asks what terminal it writes to; a Look tells it. All text that comes
// from outside (names, pod messages, queries, answers of a metrics server) goes through Clean, or, in JSON, through the
// escaping of Result.JSON.
package report
