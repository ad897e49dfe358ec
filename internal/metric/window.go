package metric

import (
	"fmt"
	"math"
	"time"
)

// point is one value of a series over time.
type point struct {
	from, to time.Time // what it is a value of; the same moment for a reading
	value    float64   // NaN when there was nothing in that time
}

// newest returns the newest point that lies wholly within the window. One that began before it counts requests from
// before the step had its traffic; one that is not over yet is still growing, and a rate of it too low.
func newest(q Query, points []point) Answer {
	from, latest, best := q.from(), -1, -1
	for i, p := range points {
		if math.IsNaN(p.value) {
			continue
		}
		if latest < 0 || p.to.After(points[latest].to) {
			latest = i
		}
		if !p.from.Before(from) && !p.to.After(q.Now) && (best < 0 || p.to.After(points[best].to)) {
			best = i
		}
	}
	switch {
	case best >= 0:
		return number(points[best].value)
	case latest >= 0:
		p := points[latest]
		return noData("none of the points lies wholly within the window from %s to %s; the newest is of %s%s",
			clock(from), clock(q.Now), p.span(), p.advice(q))
	case len(points) > 0:
		return noData("all points in the answer are empty")
	}
	return noData("the query answers no points")
}

func (p point) span() string {
	if p.from.Equal(p.to) {
		return clock(p.to)
	}
	return clock(p.from) + " to " + clock(p.to)
}

// advice says what to change when points are so long that a window need not hold a whole one.
func (p point) advice(q Query) string {
	if length := p.to.Sub(p.from); 2*length > q.Interval {
		return fmt.Sprintf(": with points of %s, the metric's interval must be at least %s", length, 2*length)
	}
	return ""
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05") }

func noData(format string, args ...any) Answer {
	return Answer{Outcome: NoData, Message: "no data: " + fmt.Sprintf(format, args...)}
}
