package loadtest

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/encoding/protowire"
)

// Both lines are those of Flagger's documentation for load tests of gRPC; the first has the method that it needs.
func TestGHZRunsAsInFlaggersDocumentation(t *testing.T) {
	t.Parallel()
	e := startEcho(t, false)
	o := Options{Address: atEcho(e)}
	for _, line := range []string{
		"-z 200ms -q 50 -c 2 --call=grpc.health.v1.Health/Check podinfo.test:9898",
		"--insecure --proto=/tmp/ghz/health.proto --call=grpc.health.v1.Health/Check podinfo.test:9898",
	} {
		result := ghzOf(t, o, line)
		load := result.Load
		if !result.Passed || load.Codes["OK"] != load.Requests || load.Requests < 5 || load.Failed() != 0 || load.Rate <= 0 {
			t.Errorf("%s: %+v, load %+v", line, result, load)
		}
		if p99, known := load.Percentile(99); !known || p99 > load.Slowest || load.Mean < load.Fastest || load.Bytes == 0 {
			t.Errorf("%s: load %+v", line, load)
		}
		mustContain(t, result.Output, "Requests/sec:", "[OK]\t", "99% in")
	}
}

func TestGHZSendsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	e := startEcho(t, true)
	result := ghzOf(t, Options{}, `-n 6 -c 2 --connections 2 --call echo.v1.Echo.Say --name night -d '[{"text":"{{.WorkerID}} {{.MethodName}}","number":7},{"text":"second"}]' `+
		`-m '{"x-number":"{{.RequestNumber}}","x-id":"{{newUUID}}"}' -e `+e.addr)
	if !result.Passed || result.Load.Codes["OK"] != 6 {
		t.Fatalf("%+v, load %+v", result, result.Load)
	}
	_, texts := e.seen()
	if second := len(slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return s != "second" })); second != 3 {
		t.Errorf("texts %q", texts)
	}
	for _, text := range texts {
		if text != "second" && text != "night:g0c0 Say" && text != "night:g1c1 Say" {
			t.Errorf("text %q", text)
		}
	}
	var numbers []string
	for _, header := range e.headers {
		numbers = append(numbers, header.Get("x-number")...)
		if id := header.Get("x-id"); len(id) != 1 || len(id[0]) != 36 {
			t.Errorf("header %v", header)
		}
	}
	if slices.Sort(numbers); strings.Join(numbers, "") != "012345" {
		t.Errorf("numbers %q", numbers)
	}
}

func TestACodeIsAnAnswer(t *testing.T) {
	t.Parallel()
	e := startEcho(t, true)
	e.fail = every(4, codes.Internal, "no space left")
	result := ghzOf(t, Options{}, "-n 20 -c 2 --call echo.v1.Echo/Say "+e.addr)
	load := result.Load
	if !result.Passed || load.Requests != 20 || load.Failed() != 0 || load.Codes["OK"] != 15 || load.Codes["Internal"] != 5 {
		t.Errorf("%+v, load %+v", result, load)
	}
	mustContain(t, strings.Join(result.Notes, " "), "Internal: no space left")
	mustContain(t, result.Output, "[Internal]\t5 responses", "[OK]\t15 responses")
}

func TestFirstCallsAreSkippedAndErrorsHaveALatencyWhenAsked(t *testing.T) {
	t.Parallel()
	e := startEcho(t, true)
	e.fail = every(1, codes.NotFound, "nobody")
	line := "-n 10 -c 1 --skipFirst 4 --call echo.v1.Echo/Say "
	if load := ghzOf(t, Options{}, line+e.addr).Load; load.Requests != 6 || load.Codes["NotFound"] != 6 || len(load.Percentiles) != 0 {
		t.Errorf("load %+v", load)
	}
	if load := ghzOf(t, Options{}, line+"--count-errors "+e.addr).Load; load.Requests != 6 || len(load.Percentiles) != 7 {
		t.Errorf("load %+v", load)
	}
}

func TestAServerThatIsNotThereHasAnsweredNothing(t *testing.T) {
	t.Parallel()
	o := Options{Address: func(context.Context, string) (string, error) { return "127.0.0.1:1", nil }}
	for _, call := range []string{healthCheck, "echo.v1.Echo/Say"} { // the first is known, of the second the server is asked
		result := ghzOf(t, o, "-n 4 -c 2 --connect-timeout 5s --call "+call+" podinfo.test:9898")
		if result.Passed || result.Load.Failed() == 0 || result.Load.Failed() != result.Load.Requests || len(result.Load.Codes) != 0 {
			t.Errorf("%s: %+v, load %+v", call, result, result.Load)
		}
		mustContain(t, result.Message, "no request was answered", "refused")
	}
}

func TestEachKindOfMethod(t *testing.T) {
	t.Parallel()
	const array = ` -d '[{"text":"a"},{"text":"b"}]' `
	for _, one := range []struct {
		line  string
		texts string // of the two calls, in order
	}{
		{"--call echo.v1.Echo/Gather" + array, "a a b b"},
		{"--call echo.v1.Echo/Gather --stream-call-count 3" + array, "a a a a b b"},
		{"--call echo.v1.Echo/Gather --stream-interval 1ms" + array, "a a b b"},
		{"--call echo.v1.Echo/Gather --stream-call-count 100000 --stream-interval 1h --stream-call-duration 20ms" + array, "a a"},
		{"--call echo.v1.Echo/Gather --stream-call-count 2 --stream-dynamic-messages -d '{\"text\":\"{{randomString 1}}\"}' ", ""},
		{"--call echo.v1.Echo/Talk" + array, "a a b b"},
		{"--call echo.v1.Echo/Talk --stream-call-count 1" + array, "a a"},
		{"--call echo.v1.Echo/Count --stream-call-count 5" + array, "a b"},
		{"--call echo.v1.Echo/Count --stream-call-duration 20ms" + array, "a b"},
	} {
		t.Run(one.line, func(t *testing.T) {
			t.Parallel()
			e := startEcho(t, true)
			result := ghzOf(t, Options{}, "-n 2 -c 1 "+one.line+e.addr)
			if !result.Passed || result.Load.Codes["OK"] != 2 || result.Load.Requests != 2 || len(result.Load.Errors) != 0 {
				t.Fatalf("%+v, load %+v", result, result.Load)
			}
			calls, texts := e.seen()
			slices.Sort(texts)
			if got := strings.Join(texts, " "); calls != 2 || one.texts != "" && got != one.texts {
				t.Errorf("%d calls, %q, want %q", calls, got, one.texts)
			}
		})
	}
}

func TestWhatDescribesAServiceMayBeAFile(t *testing.T) {
	t.Parallel()
	e := startEcho(t, false)
	dir := t.TempDir()
	length := protowire.AppendBytes(protowire.AppendBytes(nil, e.words(t, `{"text":"one"}`)), e.words(t, `{"text":"two"}`))
	for name, content := range map[string][]byte{
		"protos/echo.proto":       []byte(`syntax = "proto3"; import "shared/words.proto"; package echo.v1; service Echo { rpc Say(Words) returns (Words); }`),
		"more/shared/words.proto": []byte(`syntax = "proto3"; package echo.v1; message Words { string text = 1; int64 number = 2; }`),
		"echo.protoset":           e.protoset(t), "one.bin": e.words(t, `{"text":"alone"}`), "two.bin": length,
		"data.json": []byte(`{"text":"from {{.ServiceName}}"}`), "md.json": []byte(`{"x-from":"{{.InputName}}"}`), "broken.protoset": []byte("\x0a\x05"),
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	const call = "-n 2 -c 1 --call echo.v1.Echo/Say "
	for line, want := range map[string]string{
		"--proto protos/echo.proto -i more -D data.json -M md.json ":                  "from Echo,from Echo",
		"--proto " + dir + "/protos/echo.proto -i " + dir + "/more -B one.bin ":       "alone,alone",
		"--protoset echo.protoset -B two.bin ":                                        "one,two",
		"--protoset echo.protoset --disable-template-data -d '{\"text\":\"{{x}}\"}' ": "{{x}},{{x}}",
	} {
		before, _ := e.seen()
		result := ghzOf(t, Options{Files: dir}, call+line+e.addr)
		if _, texts := e.seen(); !result.Passed || strings.Join(texts[before:], ",") != want {
			t.Errorf("%s: %+v, load %+v, texts %q", line, result, result.Load, texts[before:])
		}
	}
	var from []string
	for _, header := range e.headers {
		from = append(from, header.Get("x-from")...)
	}
	if strings.Join(from, ",") != "Words,Words" {
		t.Errorf("the metadata of the file is %q", from)
	}
	before, _ := e.seen()
	for line, want := range map[string]string{
		"--proto ../echo.proto ":                                      "escapes",
		"--proto none.proto ":                                         "none.proto",
		"--protoset broken.protoset ":                                 "no set of file descriptors",
		"--protoset echo.protoset -B md.json ":                        "the file of -B is no echo.v1.Words",
		"--protoset echo.protoset -d '{\"wrong\":1}' ":                "the data is no echo.v1.Words",
		"--protoset echo.protoset -M one.bin ":                        "the metadata is no object",
		"--protoset echo.protoset --cacert md.json --insecure=false ": "has no certificate",
		"--protoset echo.protoset --call echo.v1.Echo/Shout ":         "it has Count, Gather, Say, Talk",
		"--protoset echo.protoset --call echo.v2.Echo/Say ":           "echo.v2.Echo",
	} {
		_, err := newTester(t, Options{Files: dir}).Run(t.Context(), payload("cmd", "ghz --insecure "+call+line+e.addr))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
	if _, err := newTester(t, Options{}).Run(t.Context(), payload("cmd", "ghz "+call+"--protoset "+dir+"/echo.protoset "+e.addr)); err == nil {
		t.Error("a file is read where none may be")
	}
	if after, _ := e.seen(); after != before {
		t.Errorf("%d calls were made nevertheless", after-before)
	}
}

func TestAServerWithoutReflectionIsToldFromOneThatDoesNotKnowTheService(t *testing.T) {
	t.Parallel()
	for reflecting, want := range map[bool]string{
		false: "no reflection: give a file by --proto",
		true:  "the server does not know the service \"shop.v1.Cart\" of --call: it has echo.v1.Echo, grpc.health.v1.Health",
	} {
		e := startEcho(t, reflecting)
		_, err := newTester(t, Options{}).Run(t.Context(), payload("cmd", "ghz --insecure --call shop.v1.Cart/Add "+e.addr))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestGHZEndsAtItsTime(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		line        string
		least, most int64
	}{
		{"-z 100ms -n 1 -r 100", 5, 10},
		{"-x 1m -n 7", 7, 7},
		{"-x 100ms -r 100", 5, 10},
		{"-n 40 --load-schedule step --load-start 200 --load-step 200 --load-step-duration 20ms --load-end 1000", 40, 40},
		{"-n 40 --concurrency-schedule step --concurrency-start 1 --concurrency-step 2 --concurrency-step-duration 1ms --concurrency-end 5", 40, 40},
		{"-n 300 --async -r 3000", 300, 300},
	} {
		t.Run(one.line, func(t *testing.T) {
			t.Parallel()
			e := startEcho(t, false)
			result := ghzOf(t, Options{}, "-c 4 --connections 2 --call "+healthCheck+" "+one.line+" "+e.addr)
			if n := result.Load.Requests; !result.Passed || n < one.least || n > one.most || result.Load.Codes["OK"] != n {
				t.Errorf("%+v, load %+v", result, result.Load)
			}
			if e.accepted < 1 || e.accepted > 2 {
				t.Errorf("%d connections, want 1 or 2", e.accepted)
			}
		})
	}
}

func TestCallsOfADeadCanaryAreBrokenOffAndNoPass(t *testing.T) {
	t.Parallel()
	e := startEcho(t, true)
	hold := make(chan struct{})
	defer close(hold)
	e.fail = func(int) error { <-hold; return nil }
	o := Options{grace: 10 * time.Millisecond}
	result := ghzOf(t, o, "-z 50ms -c 3 --call echo.v1.Echo/Say "+e.addr)
	if result.Passed || result.Load.Requests != 0 {
		t.Errorf("%+v, load %+v", result, result.Load)
	}
	mustContain(t, result.Message, "none was answered before the load was over")
	result = ghzOf(t, o, "-z 50ms -t 100ms --duration-stop wait -c 3 --call echo.v1.Echo/Say "+e.addr)
	if result.Passed || result.Load.Requests != 3 || result.Load.Failed() != 3 {
		t.Errorf("%+v, load %+v", result, result.Load)
	}
	mustContain(t, result.Message, "no request was answered", "DeadlineExceeded")
}

func TestTheWindowEndsGHZAndItsFiguresCount(t *testing.T) {
	t.Parallel()
	e := startEcho(t, true)
	many := make(chan struct{})
	e.fail = func(n int) error {
		if n == 20 {
			close(many)
		}
		return nil
	}
	w := NewWindows(newTester(t, Options{}))
	if err := w.Begin(t.Context(), "load", payload("cmd", "ghz --insecure -z 1h -c 2 --call echo.v1.Echo/Say "+e.addr)); err != nil {
		t.Fatal(err)
	}
	<-many
	all, err := w.End(t.Context())
	if err != nil || len(all) != 1 || !all[0].Passed || all[0].Load.Requests < 19 || all[0].Load.Codes["OK"] != all[0].Load.Requests {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestTheEndOfTheContextEndsCallsUnderWay(t *testing.T) {
	t.Parallel()
	e := startEcho(t, true)
	ctx, cancel := context.WithCancel(t.Context())
	hold := make(chan struct{})
	defer close(hold)
	e.fail = func(int) error { cancel(); <-hold; return nil }
	tester := newTester(t, Options{})
	_, err := tester.Run(ctx, payload("cmd", "ghz --insecure -n 4 -c 2 -t 0 --call echo.v1.Echo/Say "+e.addr))
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	tester.Wait()
}

func TestTheNameOfTheServiceIsKeptWhereItIsForwarded(t *testing.T) {
	t.Parallel()
	e := startEcho(t, true)
	var asked string
	o := Options{Address: func(_ context.Context, hostport string) (string, error) {
		if asked = hostport; hostport == "podinfo.test:9898" {
			return e.addr, nil
		}
		return "", errors.New("no such service")
	}}
	result := ghzOf(t, o, "-n 1 -c 1 --call echo.v1.Echo/Say dns:///podinfo.test:9898")
	if authority := e.headers[0].Get(":authority"); !result.Passed || asked != "podinfo.test:9898" || len(authority) != 1 || authority[0] != asked {
		t.Errorf("%+v, asked %q, authority %q", result, asked, authority)
	}
	_ = ghzOf(t, o, "-n 1 -c 1 --authority shop.example --call echo.v1.Echo/Say podinfo.test:9898")
	if authority := e.headers[1].Get(":authority"); len(authority) != 1 || authority[0] != "shop.example" {
		t.Errorf("authority %q", authority)
	}
	if _, err := newTester(t, o).Run(t.Context(), payload("cmd", "ghz --call "+healthCheck+" other.test")); err == nil {
		t.Error("no error")
	} else {
		mustContain(t, err.Error(), "reach other.test:443: no such service")
	}
}

func TestGHZByTLS(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil) // which has a certificate of example.com
	defer web.Close()
	e := startEcho(t, true, grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: web.TLS.Certificates, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12})))
	dir := t.TempDir()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), authority, 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Files: dir, Address: atEcho(e)}
	for line, why := range map[string]string{
		"example.com:443": "certificate", "--skipTLS podinfo.test:443": "", "--cacert ca.pem example.com:443": "",
		"--cacert ca.pem --cname example.com podinfo.test:443": "", "--cacert ca.pem podinfo.test:443": "certificate", "--insecure example.com:443": "",
	} {
		result := mustRun(t, newTester(t, o), payload("cmd", "ghz -n 2 -c 1 --call echo.v1.Echo/Say "+line))
		if fails := why != "" || strings.Contains(line, "--insecure"); result.Passed == fails || !strings.Contains(result.Message, why) {
			t.Errorf("%s: %+v", line, result)
		}
	}
}
