package approval

import (
	"fmt"
	"strings"
)

// DefaultPrefix starts a command when nothing else is configured.
const DefaultPrefix = "/canary"

// Command is what a comment asks for. The zero Command, with no Verb, asks for nothing.
type Command struct {
	Verb   Verb
	Target Target // zero when the comment names none
	Reason string // why, in the words of whoever wrote it; printable ASCII, but never to be trusted as markdown
	Bare   bool   // the alias /approve: see Grammar
}

// Problem is why a comment that means to be a command is none. It is answered once per comment, with the help.
type Problem struct {
	Code    ProblemCode
	Line    int    // of the comment, from 1
	Message string // one sentence, fit for markdown: what others wrote is in it only as letters, digits and dashes
}

// Error returns the message and where it belongs.
func (p *Problem) Error() string { return fmt.Sprintf("line %d: %s", p.Line, p.Message) }

// ProblemCode is a stable name for a kind of problem.
type ProblemCode string

// The kinds of problems.
const (
	NotASCII    ProblemCode = "NotASCII"    // letters that look like others, or that cannot be seen
	NoVerb      ProblemCode = "NoVerb"      // the prefix alone
	UnknownVerb ProblemCode = "UnknownVerb" // with a suggestion, when one is near
	BadTarget   ProblemCode = "BadTarget"
	BadArgument ProblemCode = "BadArgument" // words that the verb does not take
	ManyVerbs   ProblemCode = "ManyVerbs"   // more than one command that changes something
	InQuote     ProblemCode = "InQuote"     // glued to a quote, so that the forge shows it as part of the quote
)

// Grammar is how comments are read. The zero Grammar reads /canary and no alias.
type Grammar struct {
	Prefix      string // see ParsePrefix
	BareApprove bool   // reads a line /approve as an approval; GitLab keeps that word for itself
}

// Parse reads the command of a comment. See Grammar.Parse.
func Parse(body, prefix string) (Command, error) { return Grammar{Prefix: prefix}.Parse(body) }

// ParsePrefix checks the word that starts a command and returns it with its slash. The empty text is the default.
func ParsePrefix(text string) (string, error) {
	if text == "" {
		return DefaultPrefix, nil
	}
	word := strings.TrimPrefix(text, "/")
	if word == "" || len(word) > 32 || strings.Trim(word, lowerAlnum+"-") != "" || strings.HasPrefix(word, "-") {
		return "", fmt.Errorf("prefix %q: want a slash and up to 32 lower-case letters, digits and dashes, such as /canary", text)
	}
	if word == string(Approve) {
		return "", fmt.Errorf("prefix %q: this word is GitLab's own command; want another, such as /canary", text)
	}
	return "/" + word, nil
}

// Parse reads the command of a comment: the zero Command when there is none, and a *Problem when something means to be a
// command and is not a clear one. Nothing is guessed. It reads the first 4 KiB, and lines that readers see as commands:
// not those in quotes, code and HTML. The other error is an invalid prefix.
func (g Grammar) Parse(body string) (Command, error) {
	prefix, err := ParsePrefix(g.Prefix)
	if err != nil {
		return Command{}, err
	}
	var found Command
	for i, line := range visibleLines(body) {
		command, problem := g.parseLine(line, prefix)
		if problem == nil && command.Verb != "" && classOf(command.Verb) != Read && classOf(found.Verb) != Read && found.Verb != "" {
			problem = &Problem{Code: ManyVerbs, Message: "a comment may hold only one command that changes something"}
		}
		if problem != nil {
			problem.Line = i + 1
			return Command{}, problem
		}
		if command.Verb != "" && (found.Verb == "" || classOf(found.Verb) == Read && classOf(command.Verb) != Read) {
			found = command
		}
	}
	return found, nil
}

// parseLine reads one line. A line that is no command is the zero Command.
func (g Grammar) parseLine(line visibleLine, prefix string) (Command, *Problem) {
	text := strings.TrimRight(line.text, " \t")
	word, rest := text, ""
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		word, rest = text[:i], text[i:]
	}
	bare := g.BareApprove && strings.EqualFold(text, "/approve")
	if !isASCII(text) {
		if seen := skeleton(text); startsWith(seen, prefix) || g.BareApprove && startsWith(seen, "/approve") {
			return Command{}, &Problem{Code: NotASCII, Message: "the command has characters that are not plain ASCII, " +
				"which may look like other letters or not show at all; type it anew"}
		}
		return Command{}, nil
	}
	if !bare && !strings.EqualFold(word, prefix) {
		return Command{}, nil
	}
	if line.quoted {
		return Command{}, &Problem{Code: InQuote, Message: "the command belongs to the quote above it; leave an empty line between them"}
	}
	if bare {
		return Command{Verb: Approve, Bare: true}, nil
	}
	return parseWords(strings.Fields(rest), prefix)
}

// parseWords reads what follows the prefix.
func parseWords(words []string, prefix string) (Command, *Problem) {
	if len(words) == 0 {
		return Command{}, &Problem{Code: NoVerb, Message: "a verb is missing after " + prefix + "; one of " + verbList()}
	}
	info, ok := VerbFor(Verb(strings.ToLower(words[0])))
	if !ok {
		return Command{}, &Problem{Code: UnknownVerb, Message: shown(words[0]) + " is not a verb; one of " + verbList() + suggestion(words[0])}
	}
	command, words := Command{Verb: info.Verb}, words[1:]
	if len(words) > 0 && info.Verb != Help && !isReason(words[0]) {
		target, err := ParseTarget(words[0])
		if err != nil && info.Class != Brake {
			return Command{}, &Problem{Code: BadTarget, Message: err.Error()}
		}
		if err == nil {
			command.Target, words = target, words[1:]
		}
	}
	// Brakes are pulled in a hurry: whatever follows is the reason. The other verbs take exactly what they know.
	if len(words) > 0 && info.Class != Brake && !isReason(words[0]) {
		return Command{}, &Problem{Code: BadArgument,
			Message: fmt.Sprintf("%s does not take %s; it takes %s", info.Verb, shown(words[0]), info.takes())}
	}
	reason := strings.Join(words, " ")
	if len(words) > 0 && isReason(words[0]) {
		reason = strings.Trim(reason[len(reasonKey):], `"`)
	}
	command.Reason = reason
	return command, nil
}

// reasonKey starts the one key=value that commands take.
const reasonKey = "reason="

func isReason(word string) bool { return strings.HasPrefix(strings.ToLower(word), reasonKey) }

func (v VerbInfo) takes() string {
	if v.NeedsTarget {
		return "a target and reason=…"
	}
	return "reason=…"
}

func verbList() string {
	var names []string
	for _, info := range Verbs() {
		names = append(names, string(info.Verb))
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}
