package exporter

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func get(t *testing.T, url string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

func TestMetricsAndHealthAreServedUntilTheRunEnds(t *testing.T) {
	t.Parallel()
	listener, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := New("1.2.3")
	feed := e.Add(podinfo)
	stop := e.Serve(t.Context(), listener)
	url := "http://" + listener.Addr().String()
	var reporting sync.WaitGroup
	reporting.Go(func() {
		for _, u := range promoted() {
			feed.Report(t.Context(), u)
		}
	})
	for range 5 { // while the metrics change
		get(t, url+"/metrics")
	}
	reporting.Wait()
	status, body, header := get(t, url+"/metrics")
	if status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Type"), "text/plain") {
		t.Errorf("answered %d, %q", status, header.Get("Content-Type"))
	}
	if want := `flagger_canary_weight{namespace="shop",workload="podinfo-primary"} 100`; !strings.Contains(body, want) {
		t.Errorf("%s is missing in\n%s", want, body)
	}
	if status, body, _ := get(t, url+"/healthz"); status != http.StatusOK || body != "OK\n" {
		t.Errorf("/healthz answered %d %q", status, body)
	}
	if status, _, _ := get(t, url+"/"); status != http.StatusNotFound {
		t.Errorf("/ answered %d", status)
	}
	stop()
	again, err := Listen(t.Context(), listener.Addr().String())
	if err != nil {
		t.Fatalf("the address is not free after the end: %v", err)
	}
	_ = again.Close()
}

func TestAnAddressThatCannotBeHadIsNamedOnce(t *testing.T) {
	t.Parallel()
	listener, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().String()
	for address, want := range map[string]string{
		taken:             `cannot listen on "` + taken + `": bind: address already in use`,
		"8080":            `"8080" is not an address such as :8080 or 127.0.0.1:8080`,
		"127.0.0.1:http2": `cannot listen on "127.0.0.1:http2": `,
	} {
		_, err := Listen(t.Context(), address)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", address, err, want)
		}
	}
}
