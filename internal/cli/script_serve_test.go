package cli

import (
	"encoding/json"
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
//	asks CODE URL BODY [HEADER=VALUE]...  post the body and demand the code; the answer is in the file answer
//	opens URL BODY [HEADER=VALUE]...      post the body until the answer is 200, for at most 20 seconds
func serveCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){"serving": untilServing, "asks": asks, "opens": opens}
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

func asks(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: asks CODE URL BODY [HEADER=VALUE]...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got, body := ask(ts, args[1:]); got != want {
		ts.Fatalf("%s answers %d, want %d: %s", args[1], got, want, body)
	}
}

// opens asks again and again, as Flagger does.
func opens(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: opens URL BODY [HEADER=VALUE]...")
	}
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		code, body := ask(ts, args)
		if code == http.StatusOK {
			return
		}
		if time.Since(begin) > 20*time.Second {
			ts.Fatalf("%s still answers %d: %s", args[0], code, body)
		}
	}
}

// ask posts a body to an address, with headers.
func ask(ts *testscript.TestScript, args []string) (code int, body []byte) {
	request, err := http.NewRequest(http.MethodPost, args[0], strings.NewReader(args[1]))
	ts.Check(err)
	for _, header := range args[2:] {
		name, value, _ := strings.Cut(header, "=")
		request.Header.Set(name, value)
	}
	client := http.Client{Timeout: 20 * time.Second}
	response, err := client.Do(request)
	ts.Check(err)
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("answer"), body, 0o600))
	return response.StatusCode, body
}
