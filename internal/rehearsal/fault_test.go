package rehearsal

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseFaults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		values []string
		want   Faults
		text   string // when it is written differently
	}{
		"nothing is no faults":            {},
		"errors are the canary's":         {values: []string{"errors=5%"}, want: Faults{{Version: Canary, Kind: faultErrors, Percent: 5}}},
		"a fraction of a percent":         {values: []string{"errors=0.25%"}, want: Faults{{Version: Canary, Kind: faultErrors, Percent: 0.25}}},
		"the canary can be named":         {values: []string{"canary:crash"}, want: Faults{{Version: Canary, Kind: faultCrash}}, text: "crash"},
		"the primary has to be":           {values: []string{"primary:latency=1s"}, want: Faults{{Version: Primary, Kind: faultLatency, Latency: time.Second}}},
		"from a weight on":                {values: []string{"latency=800ms@30"}, want: Faults{{Version: Canary, Kind: faultLatency, Latency: 800 * time.Millisecond, From: 30}}},
		"metrics-down from a weight on":   {values: []string{"metrics-down@20"}, want: Faults{{Version: Canary, Kind: faultMetricsDown, From: 20}}},
		"several with commas and spaces":  {values: []string{"crash@50, no-traffic"}, want: Faults{{Version: Canary, Kind: faultCrash, From: 50}, {Version: Canary, Kind: faultNoTraffic}}, text: "crash@50,no-traffic"},
		"several flags, one kind twice":   {values: []string{"errors=1%", "errors=9%@40"}, want: Faults{{Version: Canary, Kind: faultErrors, Percent: 1}, {Version: Canary, Kind: faultErrors, Percent: 9, From: 40}}},
		"weight zero is from the start":   {values: []string{"crash@0"}, want: Faults{{Version: Canary, Kind: faultCrash}}, text: "crash"},
		"the same fault of both versions": {values: []string{"crash,primary:crash"}, want: Faults{{Version: Canary, Kind: faultCrash}, {Version: Primary, Kind: faultCrash}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseFaults(tt.values)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			text := tt.text
			if text == "" {
				text = strings.Join(tt.values, ",")
			}
			if got.String() != text {
				t.Errorf("written as %q, want %q", got.String(), text)
			}
		})
	}
}

func TestParseFaultsNamesEveryProblem(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		values []string
		want   []string // a part of each line
	}{
		"an empty flag":               {[]string{""}, []string{`fault "": it is empty; allowed are errors=5%, latency=800ms, crash, no-traffic and metrics-down`}},
		"an empty place in a list":    {[]string{"crash,,no-traffic"}, []string{`fault ""`}},
		"an unknown kind":             {[]string{"error=5%"}, []string{`kind "error" is not known; allowed are errors=5%`}},
		"an unknown version":          {[]string{"baseline:crash"}, []string{`version "baseline" is not known; allowed are canary and primary`}},
		"errors without a share":      {[]string{"errors"}, []string{`share "" is not a percentage above 0 and up to 100, such as errors=5%`}},
		"a share without its sign":    {[]string{"errors=5"}, []string{`share "5"`}},
		"shares out of range":         {[]string{"errors=0%,errors=101%,errors=NaN%"}, []string{`"0%"`, `"101%"`, `"NaN%"`}},
		"latency without a unit":      {[]string{"latency=800"}, []string{`latency "800" is not a duration above 0 and up to 10s, such as latency=800ms`}},
		"latency out of range":        {[]string{"latency=0s,latency=-1s,latency=11s"}, []string{`"0s"`, `"-1s"`, `"11s"`}},
		"a value where none belongs":  {[]string{"crash=now"}, []string{`crash takes no value, and was given "now"`}},
		"a weight out of range":       {[]string{"crash@101,no-traffic@-1,metrics-down@"}, []string{`weight "101" is not a whole number from 0 to 100`, `"-1"`, `""`}},
		"metrics-down of one version": {[]string{"primary:metrics-down"}, []string{`metrics-down concerns both versions; leave out "primary:"`}},
		"a fault given twice":         {[]string{"crash", "canary:crash"}, []string{`fault "canary:crash": it is given twice`}},
		"no traffic anywhere":         {[]string{"no-traffic@50,primary:no-traffic"}, []string{"for both versions"}},
		"several in one fault":        {[]string{"x:errors=2@200"}, []string{`version "x" is not known; allowed are canary and primary; weight "200" is not a whole number from 0 to 100, such as @30; share "2" is not`}},
		"several faults at once":      {[]string{"boom", "crash", "errors=x"}, []string{`"boom"`, `"errors=x"`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseFaults(tt.values)
			if err == nil {
				t.Fatalf("no error, but %v", got)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tt.want) {
				t.Fatalf("%d problems, want %d:\n%v", len(lines), len(tt.want), err)
			}
			for i, part := range tt.want {
				if !strings.Contains(lines[i], part) {
					t.Errorf("problem %d is\n%s\nwhich lacks\n%s", i, lines[i], part)
				}
			}
		})
	}
}

func FuzzParseFaults(f *testing.F) {
	for _, seed := range []string{"errors=5%", "primary:latency=800ms@30,crash", "metrics-down@", "a:b:c=d@e", ",", "errors=1e-300%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		all, err := ParseFaults([]string{value})
		if err != nil {
			return
		}
		again, err := ParseFaults([]string{all.String()})
		if err != nil {
			t.Fatalf("%q was read, and written as %q, which is not: %v", value, all, err)
		}
		if diff := cmp.Diff(all, again); diff != "" {
			t.Errorf("%q does not survive: %s", value, diff)
		}
	})
}

func TestInjectorFollowsTheWeight(t *testing.T) {
	t.Parallel()
	all, err := ParseFaults([]string{"errors=1%,errors=9%@40,latency=1s@20,crash@50", "primary:errors=2%@10", "metrics-down@30", "no-traffic@60"})
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		why    string
		weight int
		want   Drill
	}{
		{"before the first step, only what has no weight", 0, Drill{Canary: Behaviour{ErrorPercent: 1}}},
		{"the primary's errors begin", 10, Drill{Primary: Behaviour{ErrorPercent: 2}, Canary: Behaviour{ErrorPercent: 1}}},
		{"everything up to 40", 40, Drill{Primary: Behaviour{ErrorPercent: 2}, Canary: Behaviour{ErrorPercent: 9, Latency: time.Second}, MetricsDown: true}},
		{"everything", 60, Drill{Primary: Behaviour{ErrorPercent: 2}, Canary: Behaviour{ErrorPercent: 9, Latency: time.Second, Crash: true, NoTraffic: true}, MetricsDown: true}},
		{"rolled back: what crashed stays down", 0, Drill{Canary: Behaviour{ErrorPercent: 1, Crash: true}}},
	}
	injector := NewInjector(all)
	for _, step := range steps {
		if diff := cmp.Diff(step.want, injector.At(step.weight)); diff != "" {
			t.Errorf("%s: at weight %d: %s", step.why, step.weight, diff)
		}
	}
}
