package loadtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// CallData is what the templates in the data and the metadata of a ghz know of a call, by the names of ghz.
type CallData struct {
	WorkerID           string
	RequestNumber      int64 // from 0
	FullyQualifiedName string
	MethodName         string
	ServiceName        string
	InputName          string
	OutputName         string
	IsClientStreaming  bool
	IsServerStreaming  bool
	Timestamp          string // RFC 3339
	TimestampUnix      int64
	TimestampUnixMilli int64
	TimestampUnixNano  int64
	UUID               string
}

// callData is what is known of a call that is made now.
func callData(method protoreflect.MethodDescriptor, worker string, number int64) *CallData {
	now := time.Now()
	return &CallData{
		WorkerID: worker, RequestNumber: number,
		FullyQualifiedName: string(method.FullName()), MethodName: string(method.Name()), ServiceName: string(method.Parent().Name()),
		InputName: string(method.Input().Name()), OutputName: string(method.Output().Name()),
		IsClientStreaming: method.IsStreamingClient(), IsServerStreaming: method.IsStreamingServer(),
		Timestamp: now.Format(time.RFC3339), TimestampUnix: now.Unix(), TimestampUnixMilli: now.UnixMilli(), TimestampUnixNano: now.UnixNano(),
		UUID: uuid.NewString(),
	}
}

// callFunctions are the functions of ghz's templates that are its own. Those of sprig are left out: one of them reads the
// environment, others make as much data as one likes.
var callFunctions = template.FuncMap{
	"newUUID":      uuid.NewString,
	"randomString": randomString,
	"randomInt":    randomInt,
}

// randomString returns so many random letters and digits; without a length it has 2 to 16, as in ghz.
func randomString(length int) (string, error) {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	if length > mostFile {
		return "", fmt.Errorf("randomString %d: allowed is up to %d", length, mostFile)
	}
	if length <= 0 {
		length = 2 + rand.IntN(15) //nolint:gosec // of test data
	}
	b := make([]byte, length)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))] //nolint:gosec // of test data
	}
	return string(b), nil
}

// randomInt returns a number from least up to most, without most itself.
func randomInt(least, most int) (int, error) {
	if least < 0 || most <= least {
		return 0, fmt.Errorf("randomInt %d %d: allowed are two numbers of 0 or more, the second above the first", least, most)
	}
	return least + rand.IntN(most-least), nil //nolint:gosec // of test data
}

// text is data or metadata as it was given, with the templates in it.
type text struct {
	raw      string
	template *template.Template // nil of a text that is always the same
}

// template reads a text with templates. name is that of its flag.
func (f *ghzFlags) template(name, raw string) (text, error) {
	if f.noTemplates || !strings.Contains(raw, "{{") {
		return text{raw: raw}, nil
	}
	parsed := template.New(name).Option("missingkey=error")
	if !f.noFunctions {
		parsed = parsed.Funcs(callFunctions)
	}
	parsed, err := parsed.Parse(raw)
	if err != nil {
		return text{}, fmt.Errorf("%w; the functions there are newUUID, randomString and randomInt", err)
	}
	for _, one := range parsed.Templates() {
		if endless(one.Root) {
			return text{}, errors.New("range and template are not allowed: they may have no end, and there is nothing to go through")
		}
	}
	for _, node := range parsed.Root.Nodes {
		if node.Type() != parse.NodeText {
			return text{raw: raw, template: parsed}, nil
		}
	}
	return text{raw: raw}, nil
}

// endless reports whether a template may go on for ever, which nothing could stop: range goes through numbers, too, and a
// template may call itself.
func endless(list *parse.ListNode) bool {
	if list == nil {
		return false
	}
	return slices.ContainsFunc(list.Nodes, func(node parse.Node) bool {
		switch node := node.(type) {
		case *parse.RangeNode, *parse.TemplateNode:
			return true
		case *parse.IfNode:
			return endless(node.List) || endless(node.ElseList)
		case *parse.WithNode:
			return endless(node.List) || endless(node.ElseList)
		}
		return false
	})
}

// of returns a text for a call.
func (t text) of(d *CallData) (string, error) {
	if t.template == nil {
		return t.raw, nil
	}
	b := &bytes.Buffer{}
	if err := t.template.Execute(&bounded{to: b, left: mostFile}, d); err != nil {
		return "", err
	}
	return b.String(), nil
}

// bounded is a writer that fails when it has got too much.
type bounded struct {
	to   io.Writer
	left int
}

// Write writes, or fails.
func (w *bounded) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, fmt.Errorf("a template has made more than %d bytes", mostFile)
	}
	return w.to.Write(p)
}

// messages are what the calls of a load send.
type messages struct {
	method protoreflect.MethodDescriptor
	text   text
	fixed  [][]byte // of a load whose calls send the same
}

// messages prepares what is sent, and makes it once: data that does not fit the method is found before the load begins.
func (g *ghz) messages(method protoreflect.MethodDescriptor) (*messages, error) {
	m := &messages{method: method}
	if g.flags.binaryFile != "" {
		content, err := g.options.readFile(g.flags.binaryFile)
		if err != nil {
			return nil, fmt.Errorf("read the file of -B: %w", err)
		}
		m.fixed, err = binaryMessages(method.Input(), content)
		return m, err
	}
	m.text = g.data
	if g.flags.dataFile != "" {
		content, err := g.options.readFile(g.flags.dataFile)
		if err != nil {
			return nil, fmt.Errorf("read the file of -D: %w", err)
		}
		if m.text, err = g.flags.template("-D", string(content)); err != nil {
			return nil, fmt.Errorf("the templates of -D: %w", err)
		}
	}
	first, err := m.made(callData(method, "", 0))
	if err != nil {
		return nil, err
	}
	if m.text.template == nil {
		m.fixed = first
	}
	return m, nil
}

// of returns what a call sends: all of the messages when it streams, and otherwise one of them, by turns.
func (m *messages) of(d *CallData) ([][]byte, error) {
	all, err := m.fixed, error(nil)
	if all == nil {
		if all, err = m.made(d); err != nil {
			return nil, err
		}
	}
	if m.method.IsStreamingClient() {
		return all, nil
	}
	one := int(d.RequestNumber % int64(len(all)))
	return all[one : one+1], nil
}

// made makes the messages of a call: one of an object, several of an array, an empty one of nothing.
func (m *messages) made(d *CallData) ([][]byte, error) {
	raw, err := m.text.of(d)
	if err != nil {
		return nil, fmt.Errorf("the templates of the data: %w", err)
	}
	objects := []json.RawMessage{[]byte("{}")}
	switch raw = strings.TrimSpace(raw); {
	case strings.HasPrefix(raw, "["):
		if err := json.Unmarshal([]byte(raw), &objects); err != nil {
			return nil, fmt.Errorf("the data is no array of JSON: %w", err)
		}
		if len(objects) == 0 {
			return nil, errors.New("the data is an empty array: allowed is one message or more")
		}
	case raw != "" && raw != "null":
		objects[0] = []byte(raw)
	}
	all := make([][]byte, len(objects))
	for i, object := range objects {
		message := dynamicpb.NewMessage(m.method.Input())
		if err := protojson.Unmarshal(object, message); err != nil {
			return nil, fmt.Errorf("the data is no %s: %w", m.method.Input().FullName(), err)
		}
		if all[i], err = proto.Marshal(message); err != nil {
			return nil, fmt.Errorf("the data is no %s: %w", m.method.Input().FullName(), err)
		}
	}
	return all, nil
}

// binaryMessages takes messages apart that have their length before them, or takes all for a single one, as ghz does.
func binaryMessages(of protoreflect.MessageDescriptor, content []byte) ([][]byte, error) {
	fits := func(one []byte) error { return proto.Unmarshal(one, dynamicpb.NewMessage(of)) }
	var all [][]byte
	for rest := content; ; {
		one, n := protowire.ConsumeBytes(rest)
		if n < 0 || fits(one) != nil {
			break
		}
		all = append(all, one)
		if rest = rest[n:]; len(rest) == 0 {
			return all, nil
		}
	}
	if err := fits(content); err != nil {
		return nil, fmt.Errorf("the file of -B is no %s: %w", of.FullName(), err)
	}
	return [][]byte{content}, nil
}

// header returns the metadata of a call.
func (g *ghz) header(d *CallData) (metadata.MD, error) {
	raw, err := g.metadata.of(d)
	if err != nil {
		return nil, fmt.Errorf("the templates of the metadata: %w", err)
	}
	return metadataOf(raw)
}

// metadataOf reads metadata as an object of strings.
func metadataOf(raw string) (metadata.MD, error) {
	if strings.TrimSpace(raw) == "" {
		return metadata.MD{}, nil
	}
	var pairs map[string]string
	if err := json.Unmarshal([]byte(raw), &pairs); err != nil {
		return nil, errors.New(`the metadata is no object of strings in JSON, like {"name":"value"}`) // its values may be secrets
	}
	return metadata.New(pairs), nil
}
