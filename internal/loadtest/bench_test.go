package loadtest

import (
	"bufio"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// asServer makes this test binary a server: load and server in one process would take from each other.
const asServer = "PENSTOCK_BENCHMARK_SERVER"

// TestServerOfBenchmarks is the server, in a process of its own. By itself it does nothing.
func TestServerOfBenchmarks(t *testing.T) {
	if os.Getenv(asServer) == "" {
		t.Skip("it is for benchmarks")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer server.Close()
	_, _ = io.WriteString(os.Stdout, server.URL+" "+startEcho(t, true).addr+"\n")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark ends
}

// answering returns the URL of a server that does nothing else, and the address of one of gRPC.
func answering(b *testing.B) (url, grpc string) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestServerOfBenchmarks$") //nolint:gosec // this very binary
	cmd.Env = append(os.Environ(), asServer+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	url, grpc, _ = strings.Cut(strings.TrimSpace(line), " ")
	return url, grpc
}

// The constant rate: 5000 requests a second for five seconds, and how far from that it was.
func BenchmarkConstantRate(b *testing.B) {
	url, _ := answering(b)
	tester, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	worst := 0.0
	for b.Loop() {
		result, err := tester.Run(b.Context(), payload("type", "rate", "url", url, "rate", "5000", "duration", "5s", "connections", "64"))
		if err != nil || !result.Passed || result.Load.Failed() > 0 {
			b.Fatalf("%+v %v", result, err)
		}
		worst = max(worst, 100*math.Abs(result.Load.Rate-5000)/5000)
	}
	b.ReportMetric(worst, "%deviation")
	if worst >= 1 {
		b.Errorf("the rate deviates by %.2f %%, want less than 1 %%", worst)
	}
}

// heyRate is the line of the summary of hey, and of ghz, with what it has reached.
var heyRate = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)

// hey in process and the hey that is installed (apt-get install hey), with the same flags against the same server, one after
// the other by turns, so that a busy machine is busy for both.
func BenchmarkHeyBesideTheBinary(b *testing.B) {
	url, _ := answering(b)
	for _, flags := range []string{"-n 20000 -c 16", "-n 20000 -c 50", "-n 20000 -c 200", "-z 3s -c 50", "-n 20000 -c 16 -disable-keepalive"} {
		besideTheBinary(b, "hey", flags, url)
	}
}

// ghz likewise (go install github.com/bojand/ghz/cmd/ghz@v0.121.0).
func BenchmarkGHZBesideTheBinary(b *testing.B) {
	_, addr := answering(b)
	const say = ` --call echo.v1.Echo.Say`
	for _, flags := range []string{
		"-n 20000 -c 16" + say, "-n 20000 -c 50 --connections 4" + say, "-z 3s -c 50" + say, "-n 20000 -c 50 -d {\"text\":\"{{.UUID}}\"}" + say,
	} {
		besideTheBinary(b, "ghz", "--insecure "+flags, addr)
	}
}

// besideTheBinary compares the rates of a load in process and of the installed program.
func besideTheBinary(b *testing.B, program, flags, target string) {
	path, err := exec.LookPath(program)
	if err != nil {
		b.Skipf("there is no %s here to compare with", program)
	}
	b.Run(strings.NewReplacer(" ", "_", "/", ".").Replace(flags), func(b *testing.B) {
		tester, err := New(Options{})
		if err != nil {
			b.Fatal(err)
		}
		inside, outside, n := 0.0, 0.0, 0.0
		for b.Loop() {
			result, err := tester.Run(b.Context(), payload("cmd", program+" '"+strings.Join(strings.Fields(flags), "' '")+"' "+target))
			if err != nil || !result.Passed || result.Load.Failed() > 0 {
				b.Fatalf("%+v %v", result, err)
			}
			inside, outside, n = inside+result.Load.Rate, outside+binaryRate(b, path, flags, target), n+1
		}
		b.ReportMetric(inside/n, "req/s-in-process")
		b.ReportMetric(outside/n, "req/s-binary")
		b.ReportMetric(inside/outside, "ratio")
	})
}

// binaryRate is the rate that an installed program says that it has reached.
func binaryRate(b *testing.B, path, flags, url string) float64 {
	b.Helper()
	out, err := exec.CommandContext(b.Context(), path, append(strings.Fields(flags), url)...).Output() //nolint:gosec // what this benchmark is for
	if err != nil {
		b.Fatal(err)
	}
	found := heyRate.FindSubmatch(out)
	if found == nil {
		b.Fatalf("no rate in %s", out)
	}
	rate, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return rate
}
