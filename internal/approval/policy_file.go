package approval

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// mostBytes bounds a policy file.
const mostBytes = 64 << 10

// ParsePolicy reads a policy file, in YAML or JSON. What the file leaves out is as in Defaults. The error is a
// *PolicyError with every problem at once.
func ParsePolicy(file []byte) (Policy, error) {
	p := Defaults()
	var ps problems
	doc, ok := document(file, &ps)
	if !ok {
		return Policy{}, ps.err()
	}
	r := reader{problems: &ps}
	r.object("", doc, fields{
		"groups":       func(path string, v any) { p.Groups = r.groups(path, v) },
		"permission":   func(path string, v any) { r.role(path, v, &p.Permission) },
		"deadline":     func(path string, v any) { r.duration(path, v, &p.Deadline) },
		"onExpiry":     func(path string, v any) { r.outcome(path, v, &p.OnExpiry) },
		"onTamper":     func(path string, v any) { r.outcome(path, v, &p.OnTamper) },
		"survivesPush": func(path string, v any) { r.boolean(path, v, &p.SurvivesPush) },
		"operators":    func(path string, v any) { r.boolean(path, v, &p.Operators) },
		"reviews":      func(path string, v any) { r.boolean(path, v, &p.Reviews) },
		"requireNonce": func(path string, v any) {
			need := !p.NonceOptional
			r.boolean(path, v, &need)
			p.NonceOptional = !need
		},
		"brakes": func(path string, v any) {
			r.object(path, v, fields{"minRole": func(path string, v any) { r.role(path, v, &p.Brakes.MinRole) }})
		},
		"bans": func(path string, v any) {
			r.object(path, v, fields{
				"author":     func(path string, v any) { r.boolean(path, v, &p.Bans.Author) },
				"actor":      func(path string, v any) { r.boolean(path, v, &p.Bans.Actor) },
				"lastPusher": func(path string, v any) { r.boolean(path, v, &p.Bans.LastPusher) },
				"committers": func(path string, v any) { r.boolean(path, v, &p.Bans.Committers) },
			})
		},
	})
	p.check(&ps)
	if err := ps.err(); err != nil {
		return Policy{}, err
	}
	return p, nil
}

// document reads the one document of the file, with numbers as they are written.
func document(file []byte, ps *problems) (any, bool) {
	if len(file) > mostBytes {
		ps.add("", "the file has %d bytes; want at most %d", len(file), mostBytes)
		return nil, false
	}
	// The parser reads the first document and leaves the others alone, which may be the stricter ones.
	seen := false
	for line := range strings.Lines(string(file)) {
		text := strings.TrimRight(line, " \t\r\n")
		if seen && (text == "---" || strings.HasPrefix(text, "--- ") || text == "...") {
			ps.add("", "the file has several documents; want one")
			return nil, false
		}
		seen = seen || text != "" && text[0] != '#' && text != "---"
	}
	text, err := yaml.YAMLToJSONStrict(file)
	if err != nil {
		ps.add("", "%s", strings.Join(strings.Fields(err.Error()), " "))
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var doc any
	if err := decoder.Decode(&doc); err != nil {
		ps.add("", "%s", err)
		return nil, false
	}
	if doc == nil {
		doc = map[string]any{} // an empty file lacks groups, and that is the problem to tell
	}
	return doc, true
}

// fields are the fields of an object by name.
type fields map[string]func(path string, value any)

// reader reads the values of a document and notes what does not fit.
type reader struct{ *problems }

// object reads the fields of an object.
func (r reader) object(path string, value any, known fields) {
	object, ok := value.(map[string]any)
	if !ok {
		r.wrong(path, value, "an object with the fields "+strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		at := name
		if strings.Trim(strings.ToLower(name), lowerAlnum+"-_.") != "" || len(name) > 64 {
			at = strconv.QuoteToASCII(name[:min(len(name), 64)])
		}
		if path != "" {
			at = path + "." + at
		}
		if read, ok := known[name]; ok {
			read(at, object[name])
		} else {
			r.add(at, "is not a field; want one of %s", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
	}
}

// list reads each element of a list. It stops at some length: a hopeless file needs no endless list of problems.
func (r reader) list(path string, value any, each func(path string, value any)) {
	list, ok := value.([]any)
	if !ok {
		r.wrong(path, value, "a list")
		return
	}
	for i, v := range list {
		if i > mostPeople {
			r.add(path, "has %d elements; want at most %d", len(list), mostPeople)
			return
		}
		each(path+"["+strconv.Itoa(i)+"]", v)
	}
}

func (r reader) groups(path string, value any) []Group {
	var groups []Group
	r.list(path, value, func(path string, v any) {
		g := Group{Count: 1}
		r.object(path, v, fields{
			"name":    func(path string, v any) { r.text(path, v, &g.Name) },
			"count":   func(path string, v any) { g.Count = int(r.number(path, v)) },
			"minRole": func(path string, v any) { r.role(path, v, &g.MinRole) },
			"users": func(path string, v any) {
				r.list(path, v, func(path string, v any) { g.Users = append(g.Users, r.number(path, v)) })
			},
			"teams": func(path string, v any) {
				r.list(path, v, func(path string, v any) {
					var team string
					r.text(path, v, &team)
					g.Teams = append(g.Teams, strings.ToLower(team))
				})
			},
		})
		groups = append(groups, g)
	})
	return groups
}

func (r reader) text(path string, value any, to *string) {
	s, ok := value.(string)
	if !ok {
		r.wrong(path, value, "text")
		return
	}
	*to = s
}

func (r reader) boolean(path string, value any, to *bool) {
	b, ok := value.(bool)
	if !ok {
		r.wrong(path, value, "true or false")
		return
	}
	*to = b
}

func (r reader) number(path string, value any) int64 {
	n, _ := value.(json.Number)
	i, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil || i > 1<<53 {
		r.wrong(path, value, "a whole number; people are named by their number, which stays when their name changes")
		return 0
	}
	return i
}

func (r reader) role(path string, value any, to *Role) {
	s, ok := value.(string)
	role, err := ParseRole(s)
	if !ok || err != nil {
		r.wrong(path, value, "read, triage, write, maintain or admin, or GitLab's guest, reporter, developer, maintainer or owner")
		return
	}
	*to = role
}

func (r reader) outcome(path string, value any, to *Outcome) {
	var s string
	r.text(path, value, &s)
	*to = Outcome(s)
}

func (r reader) duration(path string, value any, to *time.Duration) {
	s, _ := value.(string)
	d, err := time.ParseDuration(s)
	if err != nil {
		r.wrong(path, value, "a duration with its unit, such as 90s, 45m or 12h")
		return
	}
	*to = d
}

// wrong notes a value of the wrong kind.
func (r reader) wrong(path string, value any, want string) {
	var has string
	switch v := value.(type) {
	case nil:
		has = "nothing"
	case map[string]any:
		has = "an object"
	case []any:
		has = "a list"
	case string:
		has = strconv.QuoteToASCII(v[:min(len(v), 64)])
	case json.Number:
		has = v.String()[:min(len(v), 64)]
	case bool:
		has = strconv.FormatBool(v)
	}
	r.add(path, "has %s; want %s", has, want)
}
