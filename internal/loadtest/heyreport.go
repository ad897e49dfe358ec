package loadtest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// lot is what hey has measured in one go, as the template writes it. Times are in seconds.
type lot struct {
	Requests, Bytes int64
	Total           time.Duration // that the requests took, without what is written of them afterwards
	Status          map[int]int64
	Errors          map[string]int64
	Latencies       []float64
	Rows            *rows
}

// leastRow is the length of the shortest row of CSV.
const leastRow = len("0.0000,0.0000,0.0000,0.0000,0.0000,0.0000,0,0.0000\n")

// rows are the answers one by one, for CSV.
type rows struct {
	Time, Conn, DNS, Write, Delay, Read, Offset []float64
	Status                                      []int
}

// figuresTemplate returns what makes hey write a lot for a machine. There is no other way to its figures. Its averages are
// left out: they are no numbers when there was no answer.
func figuresTemplate(withRows bool) string {
	each := "null"
	if withRows {
		each = `{"time":{{jsonify .Lats}},"conn":{{jsonify .ConnLats}},"dns":{{jsonify .DnsLats}},"write":{{jsonify .ReqLats}},` +
			`"delay":{{jsonify .DelayLats}},"read":{{jsonify .ResLats}},"offset":{{jsonify .Offsets}},"status":{{jsonify .StatusCodes}}}`
	}
	return `{"requests":{{.NumRes}},"total":{{printf "%d" .Total}},"bytes":{{.SizeTotal}},"status":{{jsonify .StatusCodeDist}},"errors":{{jsonify .ErrorDist}},` +
		`"latencies":{{jsonify .Lats}},"rows":` + each + `}`
}

// add adds what hey has written of a lot that began at a time.
func (of *figures) add(written []byte, began time.Time) error {
	var one lot
	if err := json.Unmarshal(written, &one); err != nil {
		return fmt.Errorf("read the figures of hey: %w", err)
	}
	of.mu.Lock()
	defer of.mu.Unlock()
	if end := began.Add(one.Total); end.After(of.last) {
		of.last = end
	}
	of.requests += one.Requests
	of.bytes += one.Bytes
	for code, count := range one.Status {
		of.status[code] += count
	}
	for text, count := range one.Errors {
		of.errors[text] += count
	}
	for _, seconds := range one.Latencies {
		of.latencies.add(inSeconds(seconds))
	}
	if one.Rows != nil {
		of.rows.add(one.Rows, of.enough)
	}
	return nil
}

// outcome judges a load test that began at a time by its figures. That every request failed is no pass: then there was no load.
func (h *hey) outcome(ctx context.Context, of *figures, began time.Time) outcome {
	of.mu.Lock()
	defer of.mu.Unlock()
	if enough(ctx) {
		of.forgive()
	}
	elapsed := of.last.Sub(began) // as hey, which does not count the time that its report takes
	if of.last.IsZero() {
		elapsed = time.Since(began) // nothing was sent
	}
	load := of.load(elapsed)
	end := outcome{load: load, notes: slices.Clone(h.notes), output: cut(summary(load), h.options.MaxOutput)}
	if h.flags.output == "csv" {
		end.output = of.rows.csv(h.options.MaxOutput)
	}
	end.passed, end.message = load.verdict(ctx)
	return end
}

// add appends rows until there are enough.
func (r *rows) add(more *rows, enough int) {
	n := max(min(len(more.Time), enough-len(r.Time)), 0)
	for _, column := range [...]struct {
		to   *[]float64
		from []float64
	}{
		{&r.Time, more.Time}, {&r.Conn, more.Conn}, {&r.DNS, more.DNS}, {&r.Write, more.Write}, {&r.Delay, more.Delay},
		{&r.Read, more.Read}, {&r.Offset, more.Offset},
	} {
		*column.to = append(*column.to, column.from[:n]...)
	}
	r.Status = append(r.Status, more.Status[:n]...)
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
	order := make([]int, len(r.Time))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(r.Offset[a], r.Offset[b]) })
	for _, i := range order {
		_, _ = fmt.Fprintf(out, "%4.4f,%4.4f,%4.4f,%4.4f,%4.4f,%4.4f,%d,%4.4f\n", r.Time[i], r.Conn[i], r.DNS[i], r.Write[i],
			r.Delay[i], r.Read[i], r.Status[i], r.Offset[i]-start)
	}
	return out.String()
}
