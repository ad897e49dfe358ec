package httpx_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/httpx"
)

func TestASecretPrintsAsStars(t *testing.T) {
	t.Parallel()
	s := struct{ Token httpx.Secret }{"hunter2"}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+"\n", s, s.Token)
	}
	text, err := json.Marshal(map[string]any{"in": s, "alone": s.Token})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	slog.New(slog.NewTextHandler(&out, nil)).Info("", "in", s, "alone", s.Token)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("", "in", s, "alone", s.Token)
	for _, shown := range []string{"hunter2", fmt.Sprintf("%x", "hunter2")} {
		if strings.Contains(out.String(), shown) {
			t.Errorf("%q is shown:\n%s", shown, out.String())
		}
	}
	if string(s.Token) != "hunter2" {
		t.Error("the secret itself is lost")
	}
}
