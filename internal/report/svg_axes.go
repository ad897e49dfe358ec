package report

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// What fits beside the plot, and into it, in characters: a unit can be any text.
const tickRoom, labelRoom = 7, 40

// axes map times and values to the plot.
type axes struct {
	from, to time.Time
	lo, hi   float64
}

func (a axes) x(t time.Time) float64 {
	span := a.to.Sub(a.from)
	if span <= 0 {
		return plotLeft
	}
	part := float64(t.Sub(a.from)) / float64(span)
	return plotLeft + min(max(part, 0), 1)*(plotRight-plotLeft)
}

func (a axes) y(v float64) float64 {
	if a.hi <= a.lo {
		return (plotTop + plotBottom) / 2
	}
	return plotBottom - min(max((v-a.lo)/(a.hi-a.lo), 0), 1)*(plotBottom-plotTop)
}

func unit(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

func point(x, y float64) string { return unit(x) + "," + unit(y) }

func (a axes) bounds(c *rollout.CheckResult) []bound {
	var out []bound
	if c.Min != nil && finiteValue(*c.Min) {
		y := a.y(*c.Min)
		out = append(out, bound{
			Y: unit(y), LabelY: unit(y - 4), Label: short("at least "+boundText(*c.Min, c.Unit), labelRoom), Top: unit(y), Height: unit(plotBottom - y),
		})
	}
	if c.Max != nil && finiteValue(*c.Max) {
		y := a.y(*c.Max)
		out = append(out, bound{
			Y: unit(y), LabelY: unit(y + 13), Label: short("at most "+boundText(*c.Max, c.Unit), labelRoom), Top: unit(plotTop), Height: unit(y - plotTop),
		})
	}
	return out
}

// times are ticks at the time since the beginning.
func (a axes) times() []tick {
	const parts = 4
	span := a.to.Sub(a.from)
	if span <= 0 {
		return []tick{{At: unit(plotLeft), Text: "0s", Anchor: "start"}}
	}
	ticks := make([]tick, 0, parts+1)
	for i := 0; i <= parts; i++ {
		d := span * time.Duration(i) / parts
		anchor := "middle"
		switch i {
		case 0:
			anchor = "start"
		case parts:
			anchor = "end"
		}
		ticks = append(ticks, tick{At: unit(a.x(a.from.Add(d))), Text: seconds(d), Anchor: anchor})
	}
	return ticks
}

// values are ticks at round numbers.
func (a axes) values(unitName string) []tick {
	step := math.Pow(10, math.Floor(math.Log10((a.hi-a.lo)/2)))
	for _, factor := range []float64{5, 2, 1} {
		if (a.hi-a.lo)/(step*factor) >= 3 {
			step *= factor
			break
		}
	}
	var ticks []tick
	for i := math.Ceil(a.lo / step); i*step <= a.hi && len(ticks) < 12; i++ {
		number := shortNumber(i*step, step)
		text := withUnit(number, unitName)
		if utf8.RuneCountInString(text) > tickRoom {
			text = short(number, tickRoom) // the thresholds and the table have the unit
		}
		ticks = append(ticks, tick{At: unit(a.y(i * step)), Text: text})
	}
	return ticks
}

// shortNumber has as many decimals as the step between two ticks.
func shortNumber(v, step float64) string {
	if size := math.Abs(v); size >= 1e6 || size > 0 && size < 1e-3 {
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', min(max(0, -int(math.Floor(math.Log10(step)))), 4), 64)
}
