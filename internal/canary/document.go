package canary

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// MaxFileSize is the largest file that is read, in bytes.
const MaxFileSize = 4 << 20

// MaxDocuments is the largest number of documents that are read from a file.
const MaxDocuments = 10_000

// maxAliasNodes is how much a document may grow by its aliases, in values. Real files share a few labels; a "billion
// laughs" file has a handful of lines and would fill the memory.
const maxAliasNodes = 10_000

// document is one YAML document of a file.
type document struct {
	root *yaml.Node
	skip int // lines of the file before the chunk that the document's own lines count from
}

// unreadable is a file or a part of it that cannot be read at all.
type unreadable struct {
	line    int
	message string
}

// readable checks that the bytes are text of a sane size and returns it without a byte order mark.
func readable(data []byte) ([]byte, *unreadable) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	switch i := bytes.IndexByte(data, 0); {
	case len(data) > MaxFileSize:
		return nil, &unreadable{0, fmt.Sprintf("the file has %d bytes; at most %d are read", len(data), MaxFileSize)}
	case i >= 0:
		return nil, &unreadable{lineAt(data, i), "NUL byte: this is a binary file or not saved as UTF-8; YAML or JSON text is needed"}
	case !utf8.Valid(data):
		i := 0
		for r, size := utf8.DecodeRune(data); r != utf8.RuneError || size != 1; r, size = utf8.DecodeRune(data[i:]) {
			i += size
		}
		return nil, &unreadable{lineAt(data, i), fmt.Sprintf(
			"byte 0x%02x is not UTF-8: this is a binary file or saved in another encoding; YAML or JSON text in UTF-8 is needed", data[i])}
	case len(bytes.TrimSpace(data)) == 0:
		return nil, &unreadable{0, "the file is empty"}
	}
	return data, nil
}

func lineAt(data []byte, offset int) int { return 1 + bytes.Count(data[:offset], []byte("\n")) }

// documents parses the YAML or JSON documents of a text. A part that cannot be parsed does not hide the other parts.
func documents(data []byte) ([]document, []unreadable) {
	if json.Valid(data) {
		data = surrogates.ReplaceAllFunc(data, plainRune)
	}
	var docs []document
	var bad []unreadable
	parts := chunks(data)
	if len(parts) > MaxDocuments {
		return nil, []unreadable{{1, fmt.Sprintf("the file has more than %d documents (lines that start with \"---\")", MaxDocuments)}}
	}
	skip := 0
	for _, chunk := range parts {
		if string(bytes.TrimSpace(chunk)) == "---" {
			skip += bytes.Count(chunk, []byte("\n"))
			continue
		}
		decoder := yaml.NewDecoder(bytes.NewReader(chunk))
		for {
			var root yaml.Node
			err := decoder.Decode(&root)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				u := syntax(chunk, err)
				u.line += skip
				bad = append(bad, u)
				break
			}
			if content := root.Content; len(content) == 1 && !isNull(content[0]) {
				docs = append(docs, document{root: content[0], skip: skip})
			}
		}
		skip += bytes.Count(chunk, []byte("\n"))
	}
	return docs, bad
}

// chunks splits a text before each line that starts a document, until there are more parts than are allowed.
func chunks(data []byte) [][]byte {
	var parts [][]byte
	start := 0
	for _, at := range documentStart.FindAllIndex(data, MaxDocuments+2) {
		if at[0] > start {
			parts = append(parts, data[start:at[0]])
			start = at[0]
		}
	}
	return append(parts, data[start:])
}

var (
	documentStart = regexp.MustCompile(`(?m)^---(?:[ \t\r]|$)`)
	// surrogates finds the escapes of JSON strings, among them "\/" and surrogate pairs, which the YAML parser does not know.
	surrogates    = regexp.MustCompile(`\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|.)`)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
	yamlLine      = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)
)

func plainRune(escape []byte) []byte {
	var s string
	if !bytes.HasPrefix(escape, []byte(`\u`)) && string(escape) != `\/` || json.Unmarshal(fmt.Appendf(nil, `"%s"`, escape), &s) != nil {
		return escape
	}
	return []byte(s)
}

// syntaxMessages says in plain words what the YAML parser means.
var syntaxMessages = []struct{ yaml, plain string }{
	{"did not find expected key", `a line that does not belong here: check its indentation, and that every key ends with ":"`},
	{"did not find expected '-' indicator", `a line that does not belong in this list: check its indentation, and that every element starts with "- "`},
	{"mapping values are not allowed in this context", `a ":" that is not allowed here: check the indentation, or put the value in quotes`},
	{"could not find expected ':'", `a key without a ":"`},
	{"found character that cannot start any token", `a value cannot start with this character: put the value in quotes`},
	{"found unexpected end of stream", `a quote that starts here is never closed`},
	{"did not find expected ',' or ']'", `a "[" without its "]", or a "," is missing`},
	{"did not find expected ',' or '}'", `a "{" without its "}", or a "," is missing`},
	{"did not find expected node content", `a value or a closing bracket is missing`},
	{"did not find expected <document start>", `a line that does not belong here: check its indentation`},
}

// syntax explains why a chunk cannot be parsed.
func syntax(chunk []byte, err error) unreadable {
	line, message := 1, err.Error()
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		message = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	// A tab inside a value is fine, so it is looked for only when something is wrong, and near where it is.
	if at := tabIndent.FindIndex(chunk); at != nil && strings.Contains(message, "character that cannot start") || strings.Contains(message, "tab character") {
		if at != nil {
			line = lineAt(chunk, at[1]-1)
		}
		return unreadable{line, "the line is indented with a tab; YAML allows only spaces"}
	}
	if strings.HasPrefix(message, "did not find expected") {
		line++ // the parser counts these from 0
	}
	if m := unknownAnchor.FindStringSubmatch(message); m != nil {
		line = lineAt(chunk, max(0, bytes.Index(chunk, []byte("*"+m[1]))))
		message = fmt.Sprintf("the alias *%s stands for nothing; define it before with &%s", m[1], m[1])
	}
	line = min(line, lineAt(chunk, len(bytes.TrimRight(chunk, "\r\n"))))
	for _, known := range syntaxMessages {
		if message == known.yaml {
			return unreadable{firstLine(chunk, message, line), "not valid YAML: " + known.plain}
		}
	}
	return unreadable{line, "not valid YAML: " + message}
}

var tabIndent = regexp.MustCompile(`(?m)^ *\t+ *[^ \t\r\n#]`)

// firstLine finds the first line with which the text stops being valid. The parser itself names the start of the block
// around it, which may be pages above.
func firstLine(chunk []byte, message string, reported int) int {
	lines := bytes.SplitAfter(chunk, []byte("\n"))
	if len(chunk) > 256<<10 || !strings.HasPrefix(message, "did not find expected key") &&
		!strings.HasPrefix(message, "did not find expected '-'") && !strings.HasPrefix(message, "mapping values") {
		return reported
	}
	low, high := 1, len(lines)
	for low < high {
		middle := (low + high) / 2
		var root yaml.Node
		err := yaml.Unmarshal(bytes.Join(lines[:middle], nil), &root)
		if err != nil && strings.HasSuffix(err.Error(), message) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}
