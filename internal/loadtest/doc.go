// Package loadtest makes the traffic that an analysis judges, and tests a canary: the tasks of Flagger's load tester, in
// process.
//
// A task is the metadata of a webhook. Load by hey and smoke tests by HTTP need no shell and no external binary, so they
// run everywhere. Whatever starts a process runs only where that is switched on, since the text of the command comes from
// whoever may write a Canary.
//
// A task that fails is a Result that has not passed. An error means that nobody knows: it was refused, or interrupted.
package loadtest
