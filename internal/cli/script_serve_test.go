package cli

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// serveCommands are what a script can do with a server that it has started in the background, its log in a file:
//
//	serving LOG NAME                      wait until it serves, and set $NAME to its address
//	key FILE                              make the private key of a GitHub App
//	asks CODE URL BODY [HEADER=VALUE]...  post the body and demand the code; the answer is in the file answer
//	opens URL BODY [HEADER=VALUE]...      post the body until the answer is 200, for at most 20 seconds
//	looks CODE URL [HEADER=VALUE]...      the same with a GET
//	notes CODE URL SECRET PROJECT TEXT [AGE]   deliver GitLab's webhook of a note, signed that long ago; the answer is in the file answer
//	hears URL TEXT [HEADER=VALUE]...      listen to server-sent events until the text comes
func serveCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){"serving": untilServing, "asks": asks, "opens": opens, "looks": looks, "hears": hearsEvent, "key": appKey, "notes": notes}
}

func untilServing(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: serving LOG NAME")
	}
	eventually(ts, false, []string{args[0], `"msg":"serving"`})
	text, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	for line := range strings.Lines(string(text)) {
		var entry struct{ Msg, Address string }
		ts.Check(json.Unmarshal([]byte(line), &entry))
		if entry.Msg == "serving" {
			ts.Setenv(args[1], entry.Address)
		}
	}
}

func appKey(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: key FILE")
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	ts.Check(err)
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), pem.EncodeToMemory(block), 0o600))
}

func asks(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: asks CODE URL BODY [HEADER=VALUE]...")
	}
	request, err := http.NewRequest(http.MethodPost, args[1], strings.NewReader(args[2]))
	ts.Check(err)
	answered(ts, request, args[0], args[3:])
}

func looks(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: looks CODE URL [HEADER=VALUE]...")
	}
	request, err := http.NewRequest(http.MethodGet, args[1], nil)
	ts.Check(err)
	answered(ts, request, args[0], args[2:])
}

// answered sends a request with headers, keeps the answer and demands its code.
func answered(ts *testscript.TestScript, request *http.Request, code string, headers []string) {
	want, err := strconv.Atoi(code)
	ts.Check(err)
	if got, body := read(ts, request, headers); got != want {
		ts.Fatalf("%s answers %d, want %d: %s", request.URL, got, want, body)
	}
}

func notes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 5 {
		ts.Fatalf("usage: notes CODE URL SECRET PROJECT TEXT [AGE]")
	}
	project, err := strconv.Atoi(args[3])
	ts.Check(err)
	d := scriptDelivery{url: args[1], secret: args[2], number: 900_000, at: time.Now(), body: scriptNoteHook(project, args[4])}
	if len(args) > 5 {
		age, err := time.ParseDuration(args[5])
		ts.Check(err)
		d.at = d.at.Add(-age)
	}
	code, text := d.send()
	ts.Check(os.WriteFile(ts.MkAbs("answer"), []byte(text), 0o600))
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%s answers %d, want %s: %s", args[1], code, args[0], text)
	}
}

// opens asks again and again, as Flagger does.
func opens(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: opens URL BODY [HEADER=VALUE]...")
	}
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		request, err := http.NewRequest(http.MethodPost, args[0], strings.NewReader(args[1]))
		ts.Check(err)
		code, body := read(ts, request, args[2:])
		if code == http.StatusOK {
			return
		}
		if time.Since(begin) > 20*time.Second {
			ts.Fatalf("%s still answers %d: %s", args[0], code, body)
		}
	}
}

// read sends a request with headers, and keeps the answer in the file answer.
func read(ts *testscript.TestScript, request *http.Request, headers []string) (code int, body []byte) {
	response := sent(ts, request, headers)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("answer"), body, 0o600))
	return response.StatusCode, body
}

func sent(ts *testscript.TestScript, request *http.Request, headers []string) *http.Response {
	for _, header := range headers {
		name, value, _ := strings.Cut(header, "=")
		request.Header.Set(name, value)
	}
	client := http.Client{Timeout: 20 * time.Second}
	response, err := client.Do(request)
	ts.Check(err)
	return response
}

func hearsEvent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: hears URL TEXT [HEADER=VALUE]...")
	}
	request, err := http.NewRequest(http.MethodGet, args[0], nil)
	ts.Check(err)
	response := sent(ts, request, args[2:])
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data: ") && strings.Contains(lines.Text(), args[1]) {
			return
		}
	}
	ts.Fatalf("%s answers %d and ends without %q: %v", args[0], response.StatusCode, args[1], lines.Err())
}
