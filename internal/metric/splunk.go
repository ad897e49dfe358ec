package metric

import (
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// splunk runs a SignalFlow program over the window: https://dev.splunk.com/observability/reference/api/signalflow/latest
var splunk = Provider{Needs: splunkNeeds, Request: splunkRequest, Parse: splunkParse, Lint: lintSignalFlow}

var splunkNeeds = Needs{Example: "https://api.us1.signalfx.com", Keys: []string{"sf_token_key"}, Stream: true}

func splunkRequest(s Source, q Query) (Request, error) {
	u, r, err := call(s, splunkNeeds)
	if err != nil {
		return Request{}, err
	}
	if rest, api := strings.CutPrefix(u.Host, "api."); api {
		u.Host = "stream." + rest // programs have a host of their own; the users of Flagger give either
	}
	r.Method, r.Body = "POST", q.Text
	r.Header["X-Sf-Token"] = []string{s.Credentials.Get("sf_token_key")}
	r.Header["Content-Type"] = []string{"text/plain"}
	r.Header["Accept"] = []string{"text/event-stream"}
	u = u.JoinPath("v2", "signalflow", "execute")
	ask(u, url.Values{
		"start": {strconv.FormatInt(q.from().UnixMilli(), 10)}, "stop": {strconv.FormatInt(q.Now.UnixMilli(), 10)},
		"immediate": {"true"}, // do not wait for what may still arrive
	})
	r.URL = u.String()
	return r, nil
}

func lintSignalFlow(query string) error {
	if err := lintText(query); err != nil {
		return err
	}
	if !strings.Contains(query, "publish(") {
		return errUnpublished
	}
	return nil
}

func splunkParse(q Query, status int, body []byte) Answer {
	if a, is := refused(status, body); is {
		return a
	}
	var job splunkJob
	if job.read(string(body)) != nil {
		return foreign("Splunk", body)
	}
	switch {
	case job.failure != "":
		return Answer{Message: "the program failed: " + Shown([]byte(job.failure))}.with(body)
	case !job.ended:
		return Answer{Message: "the answer is cut off: it has no end of the channel"}.with(body)
	case job.limited:
		return Answer{Message: "the answer is not complete: more series match than a program may read; add a filter"}.with(body)
	case len(job.series) == 0:
		return noData("the program publishes no values").with(body)
	case len(job.series) > 1:
		return several(len(job.series), "use sum() or another aggregation, and publish() once").with(body)
	}
	for _, values := range job.series {
		if job.resolution <= 0 {
			return Answer{Message: "the answer does not tell its resolution"}.with(body)
		}
		return newest(q, values.points(job.resolution)).with(body)
	}
	return Answer{}
}

var (
	errNoEvents    = errors.New("not the events of a job")
	errUnpublished = errors.New("query: it publishes nothing; end it with .publish()")
)

type splunkValue struct {
	at    time.Time
	value *float64
}

type splunkValues []splunkValue

// points takes a value for one of the time on either side of its stamp: the stamp is the start for some rollups and the
// end for others, and both lie within the window only when all of that does.
func (v splunkValues) points(resolution time.Duration) []point {
	points := make([]point, len(v))
	for i, one := range v {
		points[i] = point{one.at.Add(-resolution), one.at.Add(resolution), orNaN(one.value)}
	}
	return points
}

// splunkJob is what the events of an answer tell.
type splunkJob struct {
	series     map[string]splunkValues // by the id of the series
	resolution time.Duration
	failure    string
	limited    bool // more series matched than the program was given
	ended      bool
}

// read reads server-sent events.
func (j *splunkJob) read(stream string) error {
	stream = strings.ReplaceAll(stream, "\r\n", "\n")
	for event := range strings.SplitSeq(stream, "\n\n") {
		kind, data := "", ""
		for line := range strings.SplitSeq(event, "\n") {
			if text, ok := strings.CutPrefix(line, "event:"); ok {
				kind = strings.TrimSpace(text)
			} else if text, ok := strings.CutPrefix(line, "data:"); ok {
				data += text + "\n"
			}
		}
		if kind == "" {
			continue
		}
		if err := j.add(kind, []byte(data)); err != nil {
			return err
		}
	}
	if j.series == nil && !j.ended && j.failure == "" {
		return errNoEvents
	}
	return nil
}

type splunkEvent struct {
	Event      string `json:"event"`
	Properties struct {
		Resolution int64 `json:"sf_resolutionMs"`
	} `json:"properties"`
	Message struct {
		Code     string `json:"messageCode"`
		Contents struct {
			Resolution int64 `json:"resolutionMs"`
		} `json:"contents"`
	} `json:"message"`
	At   *int64 `json:"logicalTimestampMs"`
	Data []struct {
		ID    string   `json:"tsId"`
		Value *float64 `json:"value"`
	} `json:"data"`
}

func (j *splunkJob) add(kind string, data []byte) error {
	if kind == "error" {
		j.failure = reason(data)
		return nil
	}
	var e splunkEvent
	if err := json.Unmarshal(data, &e); err != nil {
		return err
	}
	switch kind {
	case "control-message":
		j.ended = j.ended || e.Event == "END_OF_CHANNEL"
		if e.Event == "CHANNEL_ABORT" {
			j.failure = "the channel was aborted"
		}
	case "metadata", "message": // the coarsest counts: it is the longest time that a value can be of
		j.limited = j.limited || e.Message.Code == "FIND_LIMITED_RESULT_SET"
		j.resolution = max(j.resolution, ms(e.Properties.Resolution), ms(e.Message.Contents.Resolution))
	case "data":
		if e.At == nil {
			return errNoEvents
		}
		if j.series == nil {
			j.series = map[string]splunkValues{}
		}
		for _, d := range e.Data {
			j.series[d.ID] = append(j.series[d.ID], splunkValue{time.UnixMilli(*e.At), d.Value})
		}
	}
	return nil
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
