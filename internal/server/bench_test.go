//go:build unix

package server

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// BenchmarkDeliveries verifies, stores and queues official payloads, 128 at once, with a file that is written through.
// Run it with -cpu 1. How many take a second of one core is told apart from how many came through in a second, which
// depends on what else the machine does.
func BenchmarkDeliveries(b *testing.B) {
	bodies := map[string]string{}
	for _, e := range examples(b) {
		r := e.request("x")
		body, err := io.ReadAll(r.Body)
		if err != nil {
			b.Fatal(err)
		}
		switch text := string(body); e.name {
		case "github issue_comment created":
			text = strings.Replace(text, "You are totally right!", "/canary abort", 1)
			bodies[issueComment] = strings.Replace(text, `"issue":{`, `"issue":{"pull_request":{"url":"x"},`, 1)
		case "github pull_request synchronize":
			bodies[pullRequest] = text
		}
	}
	for event, body := range bodies {
		b.Run(fmt.Sprintf("%s/%dKiB", event, len(body)>>10), func(b *testing.B) {
			file := openFile(b, filepath.Join(b.TempDir(), "deliveries.db"))
			defer file.Close()
			config := sampleConfig()
			config.Store, config.AnyRepository, config.GitHub.Repositories, config.GitLab = file, true, nil, GitLab{}
			benchmark(b, newServer(b, config), event, body)
		})
	}
}

func benchmark(b *testing.B, s *Server, event, body string) {
	signature := fromGitHub(event, "x", body).Header.Get("X-Hub-Signature-256")
	var number atomic.Int64
	b.SetParallelism(128)
	before := cpuTime(b)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := unsigned(event, fmt.Sprint("d-", number.Add(1)), body)
			r.Header.Set("X-Hub-Signature-256", signature)
			if answer := send(s, r); answer.Code != http.StatusAccepted {
				b.Errorf("%d %s", answer.Code, answer.Body)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
	b.ReportMetric(float64(b.N)/(cpuTime(b)-before).Seconds(), "deliveries/core-s")
}

// cpuTime is what this process has used of all cores.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
