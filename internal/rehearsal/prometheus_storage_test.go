package rehearsal

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// read returns the times and values of the samples within the chunks that a query gets.
func read(t *testing.T, s *Samples, from, to int64) (stamps []int64, values []float64) {
	t.Helper()
	q, err := s.Querier(from, to)
	if err != nil {
		t.Fatal(err)
	}
	set := q.Select(t.Context(), true, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", "m"))
	for set.Next() {
		it := set.At().Iterator(nil)
		for it.Next() != chunkenc.ValNone {
			stamp, value := it.At()
			stamps, values = append(stamps, stamp), append(values, value)
		}
		if it.Err() != nil {
			t.Fatal(it.Err())
		}
	}
	return stamps, values
}

func TestSamplesOutliveTheEndOfAChunkAndGoWithTheRetention(t *testing.T) {
	t.Parallel()
	s := &Samples{}
	const second, n = int64(1000), 1000
	var series *storedSeries
	add := func(from, to int64) {
		t.Helper()
		err := s.write(func() error {
			if series == nil {
				series = s.add(labels.FromStrings("__name__", "m"))
			}
			for i := from; i < to; i++ {
				if err := series.append(i*second, math.Sqrt(float64(i))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	add(0, n)
	stamps, values := read(t, s, 0, n*second)
	if len(stamps) != n {
		t.Fatalf("%d samples of %d", len(stamps), n)
	}
	for i := range stamps {
		if stamps[i] != int64(i)*second || values[i] != math.Sqrt(float64(i)) {
			t.Fatalf("sample %d is %v at %d", i, values[i], stamps[i])
		}
	}
	if stamps, _ = read(t, s, 500*second, 600*second); stamps[0] > 500*second || stamps[len(stamps)-1] < 600*second {
		t.Errorf("from 500 s to 600 s there are samples from %d to %d", stamps[0], stamps[len(stamps)-1])
	}
	retention := int64(metricsRetention / time.Second)
	add(retention+n, retention+n+chunkLength)
	if stamps, _ = read(t, s, 0, math.MaxInt64); stamps[0] < (n-chunkLength)*second {
		t.Errorf("there is still a sample of %d ms", stamps[0])
	}
}

func TestAQueryKeepsWhatItHasGotWhileSamplesAreWritten(t *testing.T) {
	t.Parallel()
	s := &Samples{}
	var series *storedSeries
	write := func(stamp int64) {
		t.Helper()
		if err := s.write(func() error { return series.append(stamp, 1) }); err != nil {
			t.Fatal(err)
		}
	}
	series = s.add(labels.FromStrings("__name__", "m"))
	for i := range int64(10) {
		write(i)
	}
	window := series.within(0, 100)
	for i := int64(10); i < 50; i++ {
		write(i)
	}
	it, n := seriesWindow{chunks: window}.Iterator(nil), 0
	for it.Next() != chunkenc.ValNone {
		n++
	}
	if n != 10 || it.Err() != nil {
		t.Errorf("%d samples, %v", n, it.Err())
	}
}
