package metric

import (
	"encoding/json"
	"math"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
)

// prometheusRange asks for one sample of each part of the window. The parts do not overlap: samples that shared requests
// would not be independent of each other, and every difference would look more certain than it is.
func prometheusRange(s Source, q Query) (Request, error) {
	parts := max(1, q.Interval/q.Every)
	return prometheusCall(s, url.Values{
		"query": {q.Text}, "start": {stamp(q.Now.Add(-(parts - 1) * q.Every))}, "end": {stamp(q.Now)},
		"step": {strconv.FormatFloat(q.Every.Seconds(), 'f', 3, 64)},
	}, "query_range")
}

func stamp(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

// prometheusRow reads the samples of one series. Those that are NaN, as a rate of no requests is, are left out.
func prometheusRow(kind model.ValueType, result json.RawMessage) Answer {
	if kind != model.ValMatrix {
		return Answer{Message: "the answer is a " + Shown([]byte(kind.String())) + " where samples over time were asked for"}
	}
	var series []struct {
		Metric     model.Metric      `json:"metric"`
		Values     []json.RawMessage `json:"values"`
		Histograms []json.RawMessage `json:"histograms"`
	}
	if json.Unmarshal(result, &series) != nil {
		return Answer{}
	}
	switch {
	case len(series) == 0:
		return Answer{Outcome: NoData, Message: "no data: the query answers no series"}
	case len(series) > 1:
		several := make(model.Vector, len(series))
		for i := range series {
			several[i] = &model.Sample{Metric: series[i].Metric}
		}
		return vector(several)
	case len(series[0].Histograms) > 0:
		return vector(model.Vector{{Histogram: &model.SampleHistogram{}}})
	}
	a := Answer{Outcome: Row}
	for _, raw := range series[0].Values {
		var v model.SamplePair
		if !pair(raw) || json.Unmarshal(raw, &v) != nil {
			return Answer{}
		}
		value := float64(v.Value)
		if math.IsInf(value, 0) {
			return number(value)
		}
		if !math.IsNaN(value) {
			a.Row = append(a.Row, value)
		}
	}
	if len(a.Row) == 0 {
		return Answer{Outcome: NoData, Message: "no data: the query answers NaN, as a division by zero requests does"}
	}
	return a
}
