package canary

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// follow returns what an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// Words that are booleans to kubectl, which reads YAML 1.1, when they are not in quotes.
var (
	trueWords  = []string{"true", "yes", "on", "y"}
	falseWords = []string{"false", "no", "off", "n"}
)

// boolean returns the value of a scalar that kubectl reads as a boolean.
func boolean(n *yaml.Node) (value, ok bool) {
	if n.Kind != yaml.ScalarNode || n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return false, false
	}
	if tag := n.ShortTag(); tag != "!!bool" && tag != "!!str" || n.Style&yaml.TaggedStyle != 0 {
		return false, false
	}
	word := n.Value
	if lower := strings.ToLower(word); word != lower && word != strings.ToUpper(word) && word != strings.ToUpper(word[:1])+lower[1:] {
		return false, false
	}
	word = strings.ToLower(word)
	return slices.Contains(trueWords, word), slices.Contains(trueWords, word) || slices.Contains(falseWords, word)
}

// plain returns a scalar as JSON has it: nil, bool, int64, float64 or string.
func plain(n *yaml.Node) (any, error) {
	if b, ok := boolean(n); ok {
		return b, nil
	}
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!int":
		var i int64
		if n.Decode(&i) == nil {
			return i, nil
		}
		return finite(n)
	case "!!float":
		return finite(n)
	case "!!str", "!!timestamp":
		return n.Value, nil
	case "!!bool":
		return nil, errors.New("the tag !!bool is not allowed; write true or false")
	}
	return nil, fmt.Errorf("the tag %q is not allowed", short(n.ShortTag()))
}

func finite(n *yaml.Node) (any, error) {
	var f float64
	if err := n.Decode(&f); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%s is not a finite number", short(n.Value))
	}
	return f, nil
}

// scalar decodes a node as a single value.
func (d *decoder) scalar(n *yaml.Node, t reflect.Type, path string) (any, bool) {
	if n.Kind != yaml.ScalarNode {
		d.mismatch(n, path, wanted(t))
		return nil, false
	}
	v, err := plain(n)
	if err != nil {
		d.report(n, path, err.Error())
		return nil, false
	}
	switch {
	case t == timeType:
		s, _ := v.(string)
		_, err := time.Parse(time.RFC3339, s)
		return d.checked(n, v, path, wanted(t), err == nil)
	case t == intOrString:
		switch v := v.(type) {
		case string:
			return v, true
		case int64:
			return d.checked(n, v, path, wanted(t), v == int64(int32(v)))
		}
		return d.checked(n, v, path, wanted(t), false)
	case t.Kind() == reflect.String:
		_, ok := v.(string)
		return d.checked(n, v, path, wanted(t), ok)
	case t.Kind() == reflect.Bool:
		_, ok := v.(bool)
		return d.checked(n, v, path, wanted(t), ok)
	case t.Kind() == reflect.Float64:
		switch v.(type) {
		case int64, float64:
			return v, true
		}
		return d.checked(n, v, path, wanted(t), false)
	default:
		i, ok := whole(v)
		if ok && reflect.Zero(t).OverflowInt(i) {
			d.report(n, path, fmt.Sprintf("%s is too large; the limit is %d", shown(d.root, path, n), uint64(1)<<(t.Bits()-1)-1))
			return nil, false
		}
		return d.checked(n, i, path, wanted(t), ok)
	}
}

// whole returns an integer, also one that is written as 10.0.
func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	}
	return 0, false
}

func (d *decoder) checked(n *yaml.Node, v any, path, want string, ok bool) (any, bool) {
	if !ok {
		d.mismatch(n, path, want)
	}
	return v, ok
}

// wanted says in words what a type takes.
func wanted(t reflect.Type) string {
	switch {
	case t == timeType:
		return "a time such as 2026-01-31T12:00:00Z"
	case t == intOrString:
		return "a port number or the name of a port"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number"
	default:
		return "a whole number"
	}
}

// durationFields are the texts that people write as bare numbers.
var durationFields = []string{
	"interval", "timeout", "backendTimeout", "perTryTimeout", "idleTimeout", "connectTimeout", "baseEjectionTime", "maxAge", "ttl",
	"warmupDurationSecs", "sampleInterval",
}

// mismatch reports a value of a wrong type.
func (d *decoder) mismatch(n *yaml.Node, path, want string) {
	d.report(n, path, unlike(n, shown(d.root, path, n), want, path[strings.LastIndexByte(path, '.')+1:]))
}

// unlike says in what way a value, of which no more than shown is repeated, is not what a field wants.
func unlike(n *yaml.Node, shown, want, name string) string {
	if n.Kind != yaml.ScalarNode || shown == masked {
		return shown + " where " + want + " is needed"
	}
	v, _ := plain(n)
	_, isText := v.(string)
	_, isNumber := numeric(n.Value)
	isWord := slices.Contains([]string{"true", "false"}, strings.ToLower(n.Value))
	quoted := strconv.Quote(shown)
	switch {
	case want == "text" && isNumber && slices.Contains(durationFields, name):
		return fmt.Sprintf("%s has no unit; did you mean %ss?", shown, shown)
	case want == "text":
		return fmt.Sprintf("%s%s where text is needed; write it in quotes: %s", shown, describe(v), quoted)
	case isText && (isNumber && (want == "a number" || want == "a whole number") || isWord && want == "true or false"):
		return fmt.Sprintf("%s in quotes where %s is needed; remove the quotes", quoted, want)
	case isText:
		return fmt.Sprintf("%s where %s is needed", quoted, want)
	}
	return fmt.Sprintf("%s%s where %s is needed", shown, describe(v), want)
}

func describe(v any) string {
	switch v.(type) {
	case bool:
		return " (a boolean)"
	case int64, float64:
		return " (a number)"
	}
	return ""
}

func numeric(s string) (float64, bool) {
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}
