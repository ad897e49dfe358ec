package loadtest

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestGHZFlagsMeanWhatGHZSays(t *testing.T) {
	t.Parallel()
	for line, holds := range map[string]func(g *ghz) bool{
		"": func(g *ghz) bool {
			f := g.flags
			return f.requests == 200 && f.crew.constant == 50 && f.timeout == 20*time.Second && f.connections == 1 && f.connect == 10*time.Second &&
				f.load.constant == 0 && !f.insecure && !f.skipTLS && !f.async && f.stop == "close" && g.host == "podinfo.test:9898" && g.limit() == 0
		},
		"-n10 -c 3 -r=7": func(g *ghz) bool {
			return g.flags.requests == 10 && g.flags.crew.constant == 3 && g.flags.load.constant == 7
		},
		"--total 10 --concurrency=3 --rps 7": func(g *ghz) bool {
			return g.flags.requests == 10 && g.flags.crew.constant == 3 && g.flags.load.constant == 7
		},
		"-q 7":                     func(g *ghz) bool { return g.flags.load.constant == 7 },
		"-z 3m -n 1":               func(g *ghz) bool { return g.limit() == 3*time.Minute && g.info().Length == 3*time.Minute },
		"-z 3m -x 1m":              func(g *ghz) bool { return g.limit() == time.Minute },
		"--insecure --no-insecure": func(g *ghz) bool { return !g.flags.insecure && g.info().Targets[0] == "https://podinfo.test:9898" },
		"--insecure": func(g *ghz) bool {
			return g.flags.insecure && g.info().Targets[0] == "http://podinfo.test:9898" && g.info().GRPC
		},
		"--cpus 2 --debug /tmp/x --tags '{}'":                    func(g *ghz) bool { return len(g.notes) == 3 },
		"-d '{\"a\":1}' -m '{\"b\":\"c\"}'":                      func(g *ghz) bool { return g.data.raw == `{"a":1}` && g.metadata.template == nil },
		"-d '{\"a\":{{.RequestNumber}}}'":                        func(g *ghz) bool { return g.data.template != nil },
		"-d '{\"a\":\"{{\\\"b\\\"}}\"}' --disable-template-data": func(g *ghz) bool { return g.data.template == nil },
		"--reflect-metadata '{\"a\":\"b\"}'":                     func(g *ghz) bool { return g.reflectMetadata["a"] == "b" },
		"--keepalive 5s --lb-strategy round_robin -e --cname a": func(g *ghz) bool {
			return g.flags.keepalive == 5*time.Second && g.flags.balance == "round_robin" && g.flags.compress && g.flags.cname == "a"
		},
	} {
		for _, call := range []string{"echo.v1.Echo/Say", "echo.v1.Echo.Say", ".echo.v1.Echo/Say"} {
			g, err := parsed[*ghz](t, "ghz --call "+call+" "+line+" podinfo.test:9898")
			if err != nil {
				t.Errorf("%s: %v", line, err)
				continue
			}
			if service, method := g.flags.method(); !holds(g) || service != "echo.v1.Echo" || method != "Say" {
				t.Errorf("%s: %+v, call %s %s", line, g.flags, service, method)
			}
		}
	}
	if g, err := parsed[*ghz](t, "ghz podinfo.test --call a/b"); err != nil || g.host != "podinfo.test:443" {
		t.Errorf("%+v %v", g, err)
	}
	if g, err := parsed[*ghz](t, "ghz dns:///[::1]:80 --call a/b"); err != nil || g.host != "[::1]:80" {
		t.Errorf("%+v %v", g, err)
	}
}

func TestEveryProblemOfAGHZIsTold(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"ghz":                              {"--call is \"\"", "there are 0 hosts"},
		"ghz --insecure podinfo.test:9898": {"--call is \"\": allowed is package.Service/Method, such as grpc.health.v1.Health/Check"},
		"ghz --call Say a:1 b:2":           {`--call is "Say"`, "there are 2 hosts"},
		"ghz --call a/b/c a:1":             {`--call is "a/b/c"`},
		"ghz --call a/b unix:/tmp/x":       {`the host is "unix:/tmp/x": allowed is host:port`},
		"ghz --call a/b xds:///podinfo":    {`the host is "xds:///podinfo"`},
		"ghz --help":                       {"ghz: help requested: allowed are --async"},
		"ghz --call a/b a.b:grpc":          {`the host is "a.b:grpc": allowed is host:port, with the number of the port`},
		"ghz --call a/b http://a.b:80":     {`the host is "http://a.b:80"`},
		"ghz --bogus a:1":                  {"unknown flag: --bogus: allowed are --async, --authority"},
		"ghz -c 0 -n x -z 5 -t 1y a:1":     {`--total is "x": allowed is a number of 0 or more`, `--duration is "5": allowed is a duration`, `--timeout is "1y"`},
		"ghz --call a/b -c 0 -n 0 -z -5s --connections 0 --duration-stop now --lb-strategy best --cert x --authority y -b -o f --config c a:1": {
			"--concurrency is 0: allowed is 1 to 10000", "--total is 0: allowed is 1 to", "--duration is -5s", "--connections is 0", `--duration-stop is "now": allowed are close, ignore, wait`,
			`--lb-strategy is "best"`, "--cert and --key", "--authority: allowed with --insecure", "read the standard input", "-O and -o: allowed is the summary", "--config: allowed are flags",
		},
		"ghz --call a/b --proto x.txt --max-recv-message-size 9GB --max-send-message-size big a:1":                                         {`--proto is "x.txt"`, `--max-recv-message-size is "9GB"`, `--max-send-message-size is "big"`},
		"ghz --call a/b -d '{' -m '[1]' --reflect-metadata 7 a:1":                                                                          {"-d is no JSON", "-m: the metadata is no object", "--reflect-metadata is no object"},
		"ghz --call a/b -d '{{env \"HOME\"}}' -m '{{.x' a:1":                                                                               {`function "env" not defined`, "-m: template"},
		"ghz --call a/b -d '{{range 9223372036854775807}}{{end}}' -m '{{if true}}{{else}}{{with 1}}{{template \"-m\"}}{{end}}{{end}}' a:1": {"-d: range and template are not allowed", "-m: range and template"},
		"ghz --call a/b --load-schedule up --concurrency-schedule step a:1":                                                                {`--load-schedule is "up": allowed are const, line, step`, "--concurrency-step-duration is 0s", "--concurrency-start is 0"},
		"ghz --call a/b --load-schedule line --load-start 9 --load-step 1 --load-end 3 a:1":                                                {"--load-end is 3: by steps of 1 it is not reached from 9"},
		"ghz --call a/b --load-schedule line --load-start 9 a:1":                                                                           {"--load-step is 0"},
		"ghz --call a/b --rps 2000000 -c 20000 a:1":                                                                                        {"--rps is 2000000: allowed is 0 to 1000000", "--concurrency is 20000: allowed is 1 to 10000"},
	} {
		_, err := parsed[*ghz](t, line)
		problems, ok := errors.AsType[Problems](err)
		if !ok || len(problems) != len(want) {
			t.Errorf("%s: %d problems %v, want %d", line, len(problems), err, len(want))
			continue
		}
		mustContain(t, err.Error(), want...)
	}
	if _, err := parsed[*ghz](t, "ghz --call a/b -m '{\"token\":geheim}' a:1"); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("%v", err)
	}
}

func TestARampGoesAsItIsScheduled(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		ramp ramp
		want []float64 // at each half of a second
		ends time.Duration
	}{
		"const":                {ramp{schedule: "const", constant: 5}, []float64{5, 5, 5}, 0},
		"up to an end":         {ramp{schedule: "step", start: 5, step: 10, end: 22, each: time.Second}, []float64{5, 5, 15, 15, 22, 22, 22}, 2 * time.Second},
		"up for a time":        {ramp{schedule: "step", start: 5, step: 10, most: 1500 * time.Millisecond, each: time.Second}, []float64{5, 5, 15, 15, 15}, 1500 * time.Millisecond},
		"up and then the end":  {ramp{schedule: "step", start: 5, step: 10, end: 50, most: time.Second, each: time.Second}, []float64{5, 5, 50, 50}, time.Second},
		"up to the top":        {ramp{schedule: "step", start: 95, step: 10, each: time.Second, top: 100}, []float64{95, 95, 100, 100}, time.Second},
		"down to an end":       {ramp{schedule: "step", start: 20, step: -15, end: 3, each: time.Second}, []float64{20, 20, 5, 5, 3, 3}, 2 * time.Second},
		"down to what is left": {ramp{schedule: "step", start: 20, step: -15, each: time.Second, least: 1}, []float64{20, 20, 5, 5, 1, 1}, 2 * time.Second},
	} {
		if one.ramp.top == 0 {
			one.ramp.top = 1000
		}
		for i, want := range one.want {
			at := time.Duration(i) * time.Second / 2
			got, until := one.ramp.at(at)
			if got != want || until <= at || (at >= one.ends) != (until == forever) {
				t.Errorf("%s at %s: %g until %s, want %g", name, at, got, until, want)
			}
		}
	}
}

// The pace is that of the ramp: as many requests are due until some time as the rates until then add up to.
func TestRequestsAreDueAsTheRampSays(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		ramp ramp
		want map[time.Duration]int
	}{
		"const":          {ramp{schedule: "const", constant: 3}, map[time.Duration]int{time.Second: 3, time.Hour: 10800}},
		"line":           {ramp{schedule: "line", start: 10, step: 10, end: 30, each: time.Second, top: 1000}, map[time.Duration]int{time.Second: 10, 2 * time.Second: 30, 3 * time.Second: 60, 5 * time.Second: 120}},
		"odd steps":      {ramp{schedule: "step", start: 10, step: 7, each: 300 * time.Millisecond, most: time.Second, top: 1000}, map[time.Duration]int{300 * time.Millisecond: 3, time.Second: 18, 2 * time.Second: 49}},
		"down to a halt": {ramp{schedule: "step", start: 10, step: -5, each: time.Second, top: 1000}, map[time.Duration]int{time.Second: 10, 2 * time.Second: 15, time.Hour: 15}},
	} {
		for until, want := range one.want {
			p, n := &pace{ramp: &one.ramp}, 0
			for due, more := p.next(); more && due <= until+time.Microsecond; due, more = p.next() {
				n++
			}
			if n != want {
				t.Errorf("%s: %d are due until %s, want %d", name, n, until, want)
			}
		}
	}
	if due, more := (&pace{ramp: &ramp{schedule: "const"}}).next(); due != 0 || !more {
		t.Error("without a rate not every request is due at once")
	}
}

func TestSizesOfMessagesAreThoseOfGHZ(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": 0, "4MB": 4_000_000, "512KiB": 512 << 10, "1 GiB": 1 << 30, "100": 100, "2kb": 2000, "3mib": 3 << 20, "10B": 10} {
		if got, err := messageSize(text); err != nil || got != want {
			t.Errorf("%q: %d %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"0", "-1", "2GiB", "x"} {
		if got, err := messageSize(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}
