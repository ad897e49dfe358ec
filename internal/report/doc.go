// Package report turns what a rollout decided into text for people and for machines: one plain line per decision, the
// live frame of a terminal, the table at the end, the closing sentence, the page for a comment or a
// check run, and the result as JSON, HTML and JUnit.
//
// It is a codec: values in, text out. It never asks what terminal it writes to; a Look tells it. All text that comes
// from outside (names, pod messages, queries, answers of a metrics server) goes through Clean, in
// markdown also through escape.go, in JSON through the escaping of Result.JSON, and in HTML through the template.
package report
