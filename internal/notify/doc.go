// Package notify writes alerts for chats: one codec per type of AlertProvider, which turns an Alert into the HTTP request
// that posts it and reads the answer. It does no I/O.
//
// What an alert says comes from outside: names of metrics, answers of servers, messages of commits. Everything of it is
// data here. It is cleaned of what a reader cannot see, escaped for the platform, cut to what the platform takes without
// taking an escape or a letter apart, and it can neither call anybody nor hide where a link leads.
//
// Addresses of chats are secrets: whoever knows one can post. They print as ***, and no error repeats them.
package notify
