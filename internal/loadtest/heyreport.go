package loadtest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/rakyll/hey/requester"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// keptByHey is how many answers hey remembers one by one; it counts only the time and the size of the rest.
const keptByHey = 1_000_000

// fewLatencies is how many latencies are taken one by one; of more, hey's own percentiles are as good.
const fewLatencies = 100_000

// figures are what hey has measured, as the template writes it. Times are in seconds, except Total.
type figures struct {
	Requests, Total, Bytes int64
	Sum, Fastest, Slowest  float64
	Answers                int64 // that hey remembers
	Status                 map[int]int64
	Errors                 map[string]int64
	Percentiles            []requester.LatencyDistribution
	Latencies              []float64
	Rows                   *rows
}

// rows are the answers one by one, for CSV.
type rows struct {
	Time, Conn, DNS, Write, Delay, Read, Offset []float64
	Status                                      []int
}

// figuresTemplate returns what makes hey write its figures for a machine. There is no other way to them. Its averages are
// left out: they are no numbers when there was no answer, and wrong when there were more than it remembers.
func figuresTemplate(withRows bool) string {
	latencies := fmt.Sprintf(`{{if le (len .Lats) %d}}{{jsonify .Lats}}{{else}}null{{end}}`, fewLatencies)
	each := "null"
	if withRows {
		each = `{"time":{{jsonify .Lats}},"conn":{{jsonify .ConnLats}},"dns":{{jsonify .DnsLats}},"write":{{jsonify .ReqLats}},` +
			`"delay":{{jsonify .DelayLats}},"read":{{jsonify .ResLats}},"offset":{{jsonify .Offsets}},"status":{{jsonify .StatusCodes}}}`
	}
	return `{"requests":{{.NumRes}},"total":{{.Total.Nanoseconds}},"bytes":{{.SizeTotal}},"sum":{{printf "%g" .AvgTotal}},` +
		`"fastest":{{printf "%g" .Fastest}},"slowest":{{printf "%g" .Slowest}},"answers":{{len .Lats}},` +
		`"status":{{jsonify .StatusCodeDist}},"errors":{{jsonify .ErrorDist}},"percentiles":{{jsonify .LatencyDistribution}},` +
		`"latencies":` + latencies + `,"rows":` + each + `}`
}

// outcome judges a load test by what hey has written. That every request failed is no pass: then there was no load.
func (h *hey) outcome(ctx context.Context, written []byte) (outcome, error) {
	var of figures
	if err := json.Unmarshal(written, &of); err != nil {
		return outcome{}, fmt.Errorf("read the figures of hey: %w", err)
	}
	if enough(ctx) {
		of.forgive()
	}
	load := of.load()
	end := outcome{load: load, notes: slices.Clone(h.notes)}
	if of.Answers >= keptByHey {
		end.notes = append(end.notes, fmt.Sprintf("percentiles and status codes are those of the first %d answers", keptByHey))
	}
	end.output = cut(summary(load), h.options.MaxOutput)
	if of.Rows != nil {
		end.output = of.Rows.csv(h.options.MaxOutput)
	}
	failed := load.Failed()
	switch {
	case ctx.Err() != nil && !enough(ctx):
		end.message = "stopped before its end"
	case load.Requests == 0:
		end.message = "no request was made"
	case failed == load.Requests:
		end.message = "no request was answered: " + mostFrequent(load.Errors)
	default:
		end.passed = true
	}
	return end, nil
}

func (of *figures) load() *Load {
	l := &Load{
		Requests: of.Requests, Elapsed: inSeconds(float64(of.Total) / 1e9), Bytes: of.Bytes, Status: of.Status,
		Fastest: inSeconds(of.Fastest), Slowest: inSeconds(of.Slowest), Errors: gather(of.Errors),
	}
	if of.Total > 0 {
		l.Rate = float64(of.Requests) / (float64(of.Total) / 1e9)
	}
	if answers := of.Requests - l.Failed(); answers > 0 {
		l.Mean = inSeconds(of.Sum / float64(answers))
	}
	l.Percentiles = percentiles(of.Latencies)
	if l.Percentiles == nil {
		for _, p := range of.Percentiles {
			l.Percentiles = append(l.Percentiles, Percentile{p.Percentage, inSeconds(p.Latency)})
		}
	}
	return l
}

// localPort is the part of an error by which the same one is another on every connection.
var localPort = regexp.MustCompile(`(\S+):\d+->`)

const (
	mostErrors  = 10
	otherErrors = "other errors"
)

// gather puts errors together that say the same, without the secrets in their URLs.
func gather(raw map[string]int64) map[string]int64 {
	same := map[string]int64{}
	for text, count := range raw {
		same[clip(localPort.ReplaceAllString(httpx.Redact(text), "$1->"), 240)] += count
	}
	names := slices.SortedFunc(maps.Keys(same), func(a, b string) int {
		if same[a] != same[b] {
			return int(min(max(same[b]-same[a], -1), 1))
		}
		return strings.Compare(a, b)
	})
	for _, rare := range names[min(mostErrors, len(names)):] {
		count := same[rare]
		delete(same, rare)
		same[otherErrors] += count
	}
	return same
}

func mostFrequent(errs map[string]int64) string {
	var most string
	for _, text := range slices.Sorted(maps.Keys(errs)) {
		if errs[text] > errs[most] {
			most = text
		}
	}
	return most
}

// csv renders answers in hey's columns, at most limit bytes of them.
func (r *rows) csv(limit int) string {
	out := &capped{limit: limit}
	_, _ = fmt.Fprint(out, "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset\n")
	if len(r.Time) == 0 {
		return out.String()
	}
	// hey counts from the start of its process, which is not that of this load test.
	start := slices.Min(r.Offset)
	for i := range r.Time {
		_, _ = fmt.Fprintf(out, "%4.4f,%4.4f,%4.4f,%4.4f,%4.4f,%4.4f,%d,%4.4f\n", r.Time[i], r.Conn[i], r.DNS[i], r.Write[i],
			r.Delay[i], r.Read[i], r.Status[i], r.Offset[i]-start)
	}
	return out.String()
}
