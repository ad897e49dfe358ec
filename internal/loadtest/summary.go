package loadtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// summary renders figures for people, under the headings of hey, by which scripts look for them.
func summary(l *Load) string {
	b := &strings.Builder{}
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(b, format+"\n", args...) }
	line("Summary:")
	line("  Total:\t%4.4f secs", l.Elapsed.Seconds())
	line("  Slowest:\t%4.4f secs", l.Slowest.Seconds())
	line("  Fastest:\t%4.4f secs", l.Fastest.Seconds())
	line("  Average:\t%4.4f secs", l.Mean.Seconds())
	line("  Requests/sec:\t%4.4f", l.Rate)
	if l.Bytes > 0 {
		line("  Total data:\t%d bytes", l.Bytes)
	}
	if len(l.Percentiles) > 0 {
		line("\nLatency distribution:")
		for _, p := range l.Percentiles {
			line("  %d%% in %4.4f secs", p.Percent, p.Latency.Seconds())
		}
	}
	if len(l.Status)+len(l.Codes) > 0 {
		line("\nStatus code distribution:")
		for _, code := range slices.Sorted(maps.Keys(l.Codes)) {
			line("  [%s]\t%d responses", code, l.Codes[code])
		}
		for _, code := range slices.Sorted(maps.Keys(l.Status)) {
			line("  [%d]\t%d responses", code, l.Status[code])
		}
	}
	if len(l.Errors) > 0 {
		line("\nError distribution:")
		for _, text := range slices.Sorted(maps.Keys(l.Errors)) {
			line("  [%d]\t%s", l.Errors[text], text)
		}
	}
	return b.String()
}
