package loadtest

import (
	"errors"
	"slices"
	"testing"
)

func TestWordsAreThoseOfTheShell(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		`hey -z 1m  -q 10	-c 2 http://a.b/`:       {"hey", "-z", "1m", "-q", "10", "-c", "2", "http://a.b/"},
		`hey -H 'Cookie: canary=always' http://a`: {"hey", "-H", "Cookie: canary=always", "http://a"},
		`hey -H "X: a \"b\" \$c \d" http://a`:     {"hey", "-H", `X: a "b" $c \d`, "http://a"},
		`hey -d '{"a": "$b | c"}' http://a/?x=1`:  {"hey", "-d", `{"a": "$b | c"}`, "http://a/?x=1"},
		`a\ b c"d"'e'`:                            {"a b", "cde"},
		`a '' ""`:                                 {"a", "", ""},
		"a \\\n  b\n":                             {"a", "b"},
		`a b#c d~e`:                               {"a", "b#c", "d~e"},
		`é "ü"`:                                   {"é", "ü"},
		``:                                        nil,
	} {
		if got, err := splitWords(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v; want %q", line, got, err, want)
		}
	}
}

func TestWhatMeansMoreToAShellIsNoSimpleCommand(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"hey http://a | tee", "hey http://a && id", "hey http://a;id", "hey http://a > /etc/passwd", "hey `id`", "hey $(id)", `hey "$HOME"`,
		"hey \"`id`\"", "hey http://a?b=1&c=2", "hey http://a\nid", "hey # http://a", "hey ~/x", "(hey)", "hey $URL",
	} {
		if got, err := splitWords(line); !errors.Is(err, errShell) {
			t.Errorf("%q: got %q, %v", line, got, err)
		}
	}
	for _, line := range []string{"hey 'a", `hey "a`, `hey a\`} {
		if _, err := splitWords(line); err == nil || errors.Is(err, errShell) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestArgumentsOfAProgramAreNotForAShell(t *testing.T) {
	t.Parallel()
	got, err := splitArguments(`get po -o jsonpath={.items[?(@.a>1)]} "$A" # ; | x`)
	want := []string{"get", "po", "-o", "jsonpath={.items[?(@.a>1)]}", "$A", "#", ";", "|", "x"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
}
