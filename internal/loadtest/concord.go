package loadtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// concord is a process of a Concord server, whose end is the verdict.
type concord struct {
	options  *Options
	server   *url.URL
	fields   map[string]string
	keyPath  string
	interval time.Duration
	timeout  time.Duration
}

// parseConcord reads what Flagger's load tester takes. pollInterval and pollTimeout are whole seconds.
func parseConcord(r *reader) job {
	const most = 24 * 60 * 60
	c := &concord{
		options: r.options,
		server:  r.address("server"),
		fields: map[string]string{
			"org": r.required("org"), "project": r.required("project"), "repo": r.required("repo"),
			"entryPoint": r.required("entrypoint"), "arguments.endpoint": r.required("endpoint"),
		},
		keyPath:  r.required("apiKeyPath"),
		interval: time.Duration(r.integer(integer{"pollInterval", 5, 1, most})) * time.Second,
		timeout:  time.Duration(r.integer(integer{"pollTimeout", 30, 1, most})) * time.Second,
	}
	for key, value := range r.metadata {
		if key == "arguments.endpoint" {
			r.addf("metadata.arguments.endpoint is set: use endpoint")
			continue
		}
		if strings.HasPrefix(key, "arguments.") {
			c.fields[key] = value
		}
	}
	return c
}

// String describes it.
func (c *concord) String() string {
	return fmt.Sprintf("concord %s %s/%s", short(httpx.RedactURL(c.server.String())), short(c.fields["org"]), short(c.fields["project"]))
}

// run starts the process and asks how it is going, until it has ended or the time is over.
func (c *concord) run(ctx context.Context) (outcome, error) {
	key, err := c.options.readFile(c.keyPath)
	if err != nil {
		return outcome{}, fmt.Errorf("read the key of concord: %w", err)
	}
	id, err := c.start(ctx, string(key))
	if err != nil {
		return outcome{}, fmt.Errorf("start the process: %w", err)
	}
	within, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	for {
		if err := sleep(within, c.interval); err != nil {
			if ctx.Err() != nil {
				return outcome{}, ctx.Err()
			}
			return outcome{message: fmt.Sprintf("process %s has not ended within %s", short(id), c.timeout)}, nil
		}
		status, err := c.status(within, string(key), id)
		switch {
		case err != nil && within.Err() == nil:
			return outcome{}, fmt.Errorf("ask for process %s: %w", short(id), err)
		case status == "FINISHED":
			return outcome{passed: true}, nil
		case slices.Contains([]string{"FAILED", "CANCELLED", "TIMED_OUT"}, status):
			return outcome{message: fmt.Sprintf("process %s is %s", short(id), status)}, nil
		}
	}
}

func (c *concord) start(ctx context.Context, key string) (id string, err error) {
	body := &bytes.Buffer{}
	form := multipart.NewWriter(body)
	for _, name := range slices.Sorted(maps.Keys(c.fields)) {
		if err := form.WriteField(name, c.fields[name]); err != nil {
			return "", err
		}
	}
	if err := form.Close(); err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.server.JoinPath("api/v1/process").String(), body)
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", form.FormDataContentType())
	var process struct {
		InstanceID string `json:"instanceId"`
	}
	if err := c.ask(ctx, request, key, &process); err != nil {
		return "", err
	}
	if process.InstanceID == "" {
		return "", errors.New("the answer has no instanceId")
	}
	return process.InstanceID, nil
}

func (c *concord) status(ctx context.Context, key, id string) (string, error) {
	at := c.server.JoinPath("api/v1/process", url.PathEscape(id)).String()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return "", err
	}
	var process struct {
		Status string `json:"status"`
	}
	err = c.ask(ctx, request, key, &process)
	return process.Status, err
}

// ask sends a request with the key. A file mostly ends with a new line, which no header may have.
func (c *concord) ask(ctx context.Context, request *http.Request, key string, into any) error {
	if key = strings.TrimSpace(key); key != "" {
		request.Header.Set("Authorization", key)
	}
	return c.options.askJSON(ctx, request, into)
}

// askWithin is how long a server may take for one answer.
const askWithin = time.Minute

// askJSON sends a request and reads JSON.
func (o *Options) askJSON(ctx context.Context, request *http.Request, into any) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	response, err := o.HTTP.Do(ctx, request)
	if err != nil {
		return err
	}
	if response.Status < 200 || response.Status > 299 {
		return fmt.Errorf("status is %d", response.Status)
	}
	if err := json.Unmarshal(response.Body, into); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}
