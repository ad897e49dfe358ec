package loadtest

import (
	"math"
	"time"
)

// ramp is how the rate of ghz, or the number of its workers, changes in the course of a load: not at all, by a step each
// time that some time has passed (step), or by a step each second (line).
type ramp struct {
	schedule   string
	constant   uint
	start, end uint // the end is not set when it is 0
	step       int
	each       time.Duration // of a step
	most       time.Duration // after which it stays as it is; 0 is never

	least, top uint // which it does not leave
}

// schedules are the ways of a ramp.
var schedules = []string{"const", "line", "step"}

// check refuses what is no ramp. prefix is that of its flags, constant the name of the flag without a schedule.
func (m *ramp) check(r *reader, prefix, constant string) {
	top := m.top
	if m.constant < m.least || m.constant > top {
		r.addf("ghz: --%s is %d: allowed is %d to %d", constant, m.constant, m.least, top)
	}
	switch m.schedule {
	case "const":
		return
	case "line":
		m.each = time.Second
	case "step":
		if m.each < time.Millisecond || m.each > mostSpan {
			r.addf("ghz: --%s-step-duration is %s: allowed is 1ms to %s", prefix, m.each, mostSpan)
		}
	default:
		r.addf("ghz: --%s-schedule is %q: allowed are %s", prefix, short(m.schedule), listed(schedules))
		return
	}
	if m.start < 1 || m.start > top {
		r.addf("ghz: --%s-start is %d: allowed is 1 to %d", prefix, m.start, top)
	}
	if m.end > top {
		r.addf("ghz: --%s-end is %d: allowed is up to %d", prefix, m.end, top)
	}
	if m.step == 0 || m.step > int(top) || m.step < -int(top) {
		r.addf("ghz: --%s-step is %d: allowed is %d to %d, and not 0", prefix, m.step, -int(top), top)
	}
	if m.end > 0 && (m.step > 0) != (m.end > m.start) {
		r.addf("ghz: --%s-end is %d: by steps of %d it is not reached from %d", prefix, m.end, m.step, m.start)
	}
	if m.most < 0 || m.most > mostSpan {
		r.addf("ghz: --%s-max-duration is %s: allowed is 0 to %s", prefix, m.most, mostSpan)
	}
}

// forever is the time at which nothing happens any more.
const forever = time.Duration(math.MaxInt64)

// at returns the value of a ramp some time after its start, and until when it is that.
func (m *ramp) at(elapsed time.Duration) (value float64, until time.Duration) {
	if m.schedule == "const" {
		return float64(m.constant), forever
	}
	last := forever
	if m.most > 0 {
		last = m.most
	}
	if elapsed >= last {
		if m.end > 0 {
			return float64(m.end), forever
		}
		return m.after(last), forever
	}
	value = m.after(elapsed)
	if until = min((elapsed/m.each+1)*m.each, last); m.after(until) == value && last == forever {
		until = forever // it has come to its end
	}
	return value, until
}

// after is the value after so many whole steps as there were.
func (m *ramp) after(elapsed time.Duration) float64 {
	value := float64(m.start) + float64(m.step)*float64(elapsed/m.each)
	least, top := float64(m.least), float64(m.top)
	switch {
	case m.step < 0:
		least = float64(max(m.end, m.least))
	case m.end > 0:
		top = float64(m.end)
	}
	return min(max(value, least), top)
}

// pace says when each request of a ramp of rates is due. Its zero rate is none: then a request is due whenever somebody is
// free to make it.
type pace struct {
	ramp *ramp
	last float64 // in seconds, when the last request was due
}

// next returns when the next request is due, counted from the start; false when there is none any more.
func (p *pace) next() (due time.Duration, more bool) {
	if p.ramp.schedule == "const" && p.ramp.constant == 0 {
		return 0, true
	}
	for left := 1.0; ; {
		rate, until := p.ramp.at(time.Duration(math.Round(p.last * float64(time.Second))))
		if until == forever && rate <= 0 {
			return 0, false
		}
		room := rate * (until.Seconds() - p.last)
		if until == forever || room >= left {
			p.last += left / rate
			return time.Duration(p.last * float64(time.Second)), true
		}
		left -= max(room, 0)
		p.last = until.Seconds()
	}
}
