package loadtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"k8s.io/client-go/util/jsonpath"
)

// pathCheck is a place in JSON and what has to be there.
type pathCheck struct {
	path  string
	equal bool // value has to be there; else anything
	value string
}

// parsePathCheck reads {.path} or {.path} == value. Braces may be left out, and a $ before the path be there.
func parsePathCheck(line string) (pathCheck, error) {
	path, value, equal := cutEqual(line)
	c := pathCheck{path: strings.TrimSpace(path), equal: equal, value: unquoted(strings.TrimSpace(value))}
	if !strings.HasPrefix(c.path, "{") {
		c.path = "{" + c.path + "}"
	}
	if inner := strings.TrimSpace(strings.Trim(c.path, "{}")); !strings.HasPrefix(inner, ".") && !strings.HasPrefix(inner, "$") &&
		!strings.HasPrefix(inner, "[") {
		return c, errors.New("it does not begin with a . or $") // else it would be a text, which is there in every answer
	}
	_, err := c.compile()
	return c, err
}

// compile is done anew for each use: what is compiled keeps its state.
func (c *pathCheck) compile() (*jsonpath.JSONPath, error) {
	p := jsonpath.New("jsonPath")
	return p, p.Parse(c.path)
}

// check returns what is wrong, or nothing. Of several values at a path, one has to be the expected.
func (c *pathCheck) check(body any) string {
	p, err := c.compile()
	if err != nil {
		return err.Error() // it was read before
	}
	found, err := p.FindResults(body)
	if err != nil {
		return fmt.Sprintf("JSON has no %s", short(c.path))
	}
	var values []string
	for _, results := range found {
		for _, one := range results {
			values = append(values, scalar(one.Interface()))
		}
	}
	if len(values) == 0 {
		return fmt.Sprintf("JSON has no %s", short(c.path))
	}
	if !c.equal {
		return ""
	}
	for _, value := range values {
		if value == c.value {
			return ""
		}
	}
	return fmt.Sprintf("JSON at %s is %q, expected %q", short(c.path), short(strings.Join(values, ", ")), short(c.value))
}

// scalar renders a value as one would write it: a text without quotes, the rest as JSON.
func scalar(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	rendered, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(rendered)
}

// cutEqual cuts at the first == that is not in brackets or quotes: a filter has one, too.
func cutEqual(line string) (path, value string, found bool) {
	depth, quote := 0, byte(0)
	for i := range len(line) {
		switch c := line[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case strings.IndexByte("{[(", c) >= 0:
			depth++
		case strings.IndexByte(")]}", c) >= 0:
			depth--
		case depth == 0 && strings.HasPrefix(line[i:], "=="):
			return line[:i], line[i+2:], true
		}
	}
	return line, "", false
}

// unquoted returns a text without the quotes around it.
func unquoted(text string) string {
	if n := len(text); n >= 2 && text[0] == text[n-1] && (text[0] == '"' || text[0] == '\'') {
		return text[1 : n-1]
	}
	return text
}
