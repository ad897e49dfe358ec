package loadtest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// stopWithin is how long nGrinder may take to be told that a test is over.
const stopWithin = 5 * time.Second

// ngrinder is a performance test that nGrinder clones and runs.
type ngrinder struct {
	options        *Options
	server         *url.URL
	clone          int
	user, password string
	interval       time.Duration
}

// parseNGrinder reads what Flagger's load tester takes. passwd is base64; pollInterval is a duration.
func parseNGrinder(r *reader) job {
	n := &ngrinder{
		options:  r.options,
		server:   r.address("server"),
		user:     r.required("username"),
		interval: r.span(span{key: "pollInterval", or: time.Second, least: 100 * time.Millisecond, top: time.Hour}),
	}
	if r.required("clone") != "" {
		n.clone = r.integer(integer{key: "clone", least: 0, top: math.MaxInt32})
	}
	password, err := base64.StdEncoding.DecodeString(r.required("passwd"))
	if err != nil {
		r.addf("metadata.passwd is not base64") // its value is a secret
	}
	n.password = string(password)
	return n
}

// String describes it.
func (n *ngrinder) String() string {
	return fmt.Sprintf("ngrinder %s clone of %d", short(httpx.RedactURL(n.server.String())), n.clone)
}

// run starts the test and asks how it is going until it has ended. When ctx ends before, the test is stopped.
func (n *ngrinder) run(ctx context.Context) (outcome, error) {
	var started struct {
		ID      json.Number `json:"id"`
		Success *bool       `json:"success"`
	}
	path := "perftest/api/" + strconv.Itoa(n.clone) + "/clone_and_start"
	if err := n.ask(ctx, http.MethodPost, n.server.JoinPath(path), &started); err != nil {
		return outcome{}, fmt.Errorf("start the test: %w", err)
	}
	if (started.Success != nil && !*started.Success) || started.ID == "" {
		return outcome{}, errors.New("start the test: the server says that it has not")
	}
	test := n.server.JoinPath("perftest/api", started.ID.String())
	for {
		if err := sleep(ctx, n.interval); err != nil {
			return outcome{}, errors.Join(err, n.stop(ctx, test))
		}
		switch status := n.status(ctx, test); {
		case status == "FINISHED":
			return outcome{passed: true}, nil
		case slices.Contains([]string{"STOP_BY_ERROR", "CANCELED", "UNKNOWN"}, status):
			return outcome{message: fmt.Sprintf("test %s is %s", started.ID, status)}, nil
		}
	}
}

// status returns how a test is going, or "" when that is not known: the next time it may be.
func (n *ngrinder) status(ctx context.Context, test *url.URL) string {
	var answer struct {
		Status []struct {
			ID string `json:"status_id"`
		} `json:"status"`
	}
	if err := n.ask(ctx, http.MethodGet, test.JoinPath("status"), &answer); err != nil || len(answer.Status) == 0 {
		return ""
	}
	return answer.Status[0].ID
}

// stop ends a test that nobody waits for any more.
func (n *ngrinder) stop(ctx context.Context, test *url.URL) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	at := *test
	at.RawQuery = "action=stop"
	if err := n.ask(ctx, http.MethodPut, &at, &struct{}{}); err != nil {
		return fmt.Errorf("stop the test: %w", err)
	}
	return nil
}

func (n *ngrinder) ask(ctx context.Context, method string, at *url.URL, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, at.String(), nil)
	if err != nil {
		return err
	}
	request.SetBasicAuth(n.user, n.password)
	return n.options.askJSON(ctx, request, into)
}
