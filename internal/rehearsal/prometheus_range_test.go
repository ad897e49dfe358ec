package rehearsal

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

func TestPrometheusAnswersRangesOfTime(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for range 4 {
		s.Record(counter("a_total", 5))
		s.scrape(t, time.Second)
	}
	now := s.clock.Now()
	got, _, _, err := s.api.QueryRange(t.Context(), "sum(a_total)", promv1.Range{Start: now.Add(-1500 * time.Millisecond), End: now, Step: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	at := func(before time.Duration) model.Time { return model.TimeFromUnixNano(now.Add(-before).UnixNano()) }
	want := model.Matrix{{Metric: model.Metric{}, Values: []model.SamplePair{
		{Timestamp: at(1500 * time.Millisecond), Value: 10}, {Timestamp: at(time.Second), Value: 15}, {Timestamp: at(500 * time.Millisecond), Value: 15}, {Timestamp: at(0), Value: 20},
	}}}
	if diff := cmp.Diff(model.Value(want), got); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		query string
		span  promv1.Range
		want  string
	}{
		{"sum(", promv1.Range{Start: now, End: now, Step: time.Second}, `invalid parameter "query"`},
		{"x", promv1.Range{Start: now, End: now}, `invalid parameter "step"`},
		{"x", promv1.Range{Start: now, End: now.Add(-time.Second), Step: time.Second}, `invalid parameter "end"`},
		{"x", promv1.Range{Start: now.Add(-24 * time.Hour), End: now, Step: time.Second}, "exceeded maximum resolution"},
	} {
		_, _, _, err := s.api.QueryRange(t.Context(), c.query, c.span)
		var refused *promv1.Error
		if !errors.As(err, &refused) || refused.Type != promv1.ErrBadData || !strings.Contains(refused.Msg, c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}
