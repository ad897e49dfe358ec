package notify_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/notify"
	"github.com/penstock-dev/penstock/internal/race"
)

// longest is an alert in which everything is too long, made of one text over and over.
func longest(of string, times int) notify.Alert {
	text := strings.Repeat(of, times)
	a := notify.Alert{
		Severity: canary.SeverityError, Title: text, Text: strings.Repeat(text, 8), Cluster: text, Namespace: text, Canary: text, Target: text,
		Phase: text, Username: text, Channel: text, Thread: text,
	}
	for i := range 30 {
		a.Fields = append(a.Fields, notify.Field{Name: fmt.Sprint(i, text), Value: text})
		a.Links = append(a.Links, notify.Link{Name: text, URL: "https://ci.example.com/" + strings.Repeat("&", 1900)})
	}
	return a
}

// sizes are what a platform takes: characters by name of the JSON field, length of lists, and bytes.
type sizes struct {
	texts map[string]int
	lists map[string]int
	bytes int
}

var limits = map[string]sizes{
	"slack": {texts: map[string]int{"text": 3000, "title": 300, "value": 3000, "fallback": 300, "author_name": 300, "username": 150, "channel": 150},
		lists: map[string]int{"attachments": 1, "fields": 11}, bytes: 100_000},
	"rocket": {texts: map[string]int{"text": 5000, "title": 300, "value": 5000, "fallback": 300, "author_name": 300},
		lists: map[string]int{"attachments": 1, "fields": 11}, bytes: 100_000},
	"discord": {texts: map[string]int{"title": 256, "description": 2000, "name": 256, "value": 1024, "username": 80},
		lists: map[string]int{"embeds": 1, "fields": 25}, bytes: 50_000},
	"msteams": {texts: map[string]int{"title": 100}, lists: map[string]int{"actions": 6, "potentialAction": 4, "sections": 10}, bytes: 28_000},
	"webhook": {texts: map[string]int{"title": 200, "subject": 200, "text": 16_000}, lists: map[string]int{"fields": 30, "links": 10}, bytes: 64 << 10},
	"gchat":   {texts: map[string]int{"title": 200, "topLabel": 100, "threadKey": 4000}, lists: map[string]int{"widgets": 100, "buttons": 6, "cardsV2": 1}, bytes: 32_000},
}

func TestNothingIsLongerThanThePlatformTakes(t *testing.T) {
	t.Parallel()
	race.Skip(t)
	for _, name := range notify.List() {
		for form, to := range addresses[name] {
			for _, of := range []string{"a", "漢", "😀", `"`, `\`, "&", "<", "a\n", "*", "@", "word ", "e\u0301"} {
				for _, times := range []int{1, 45, 260, 1100} {
					checkSizes(t, fmt.Sprintf("%s/%s/%q×%d", name, form, of, times), limits[name], render(t, name, to, longest(of, times)).Body)
				}
			}
		}
	}
}

func checkSizes(t *testing.T, what string, limit sizes, body []byte) {
	t.Helper()
	if len(body) > limit.bytes {
		t.Errorf("%s: the body has %d bytes, more than %d", what, len(body), limit.bytes)
	}
	var message any
	if err := json.Unmarshal(body, &message); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	walk(message, "", func(key string, value any) {
		switch v := value.(type) {
		case string:
			n := len(utf16.Encode([]rune(v)))
			if most, ok := limit.texts[key]; ok && (n > most || n == 0) {
				t.Errorf("%s: %s has %d characters, of 1 to %d", what, key, n, most)
			}
		case []any:
			if most, ok := limit.lists[key]; ok && len(v) > most {
				t.Errorf("%s: %s has %d elements, more than %d", what, key, len(v), most)
			}
		}
	})
}

func walk(value any, key string, visit func(string, any)) {
	visit(key, value)
	switch v := value.(type) {
	case map[string]any:
		for k, e := range v {
			walk(e, k, visit)
		}
	case []any:
		for _, e := range v {
			walk(e, "", visit)
		}
	}
}

func TestAnEmbedOfDiscordHasSixThousandCharactersInAll(t *testing.T) {
	t.Parallel()
	for _, of := range []string{"a", "*", "😀", "漢"} {
		for _, times := range []int{1, 20, 100, 300, 3000} {
			var message struct {
				Embeds []struct {
					Title, Description string
					Author             struct{ Name string }
					Fields             []struct{ Name, Value string }
				}
			}
			if err := json.Unmarshal(render(t, "discord", addresses["discord"]["webhook"], longest(of, times)).Body, &message); err != nil {
				t.Fatal(err)
			}
			embed, total := message.Embeds[0], 0
			texts := []string{embed.Title, embed.Description, embed.Author.Name}
			for _, f := range embed.Fields {
				texts = append(texts, f.Name, f.Value)
			}
			for _, text := range texts {
				total += len(utf16.Encode([]rune(text)))
			}
			if total > 6000 {
				t.Errorf("%q×%d: %d characters", of, times, total)
			}
			if more := embed.Fields[len(embed.Fields)-1]; more.Name == "Links" {
				more = embed.Fields[len(embed.Fields)-2]
				if more.Name != "More" || !strings.HasSuffix(more.Value, "fields are left out") {
					t.Errorf("%q×%d: the last field is %q, and does not tell how many are missing", of, times, more)
				}
			}
		}
	}
}

func TestTheLastFieldTellsHowManyAreMissing(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"slack": "54 fields are left out", "discord": "40 fields are left out", "msteams": "44 fields are left out"} {
		alert := notify.Alert{Title: "Halt", Phase: "Failed", Canary: "podinfo"}
		for i := range 62 {
			alert.Fields = append(alert.Fields, notify.Field{Name: "name", Value: fmt.Sprint(i)})
		}
		for form, to := range addresses[name] {
			if body := string(render(t, name, to, alert).Body); !strings.Contains(body, want) {
				t.Errorf("%s/%s: %q is not in %s", name, form, want, body)
			}
		}
	}
}

func TestATextIsCutNoMoreThanItMust(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gchat", "msteams"} {
		for form, to := range addresses[name] {
			alert := notify.Alert{Title: "Halt", Text: strings.Repeat("漢", 20_000)}
			for range 10 {
				alert.Fields = append(alert.Fields, notify.Field{Name: "reason", Value: strings.Repeat("漢", 500)})
			}
			size := len(render(t, name, to, alert).Body)
			if size < 16_000 {
				t.Errorf("%s/%s: %d of %d bytes are used for a text that is too long", name, form, size, limits[name].bytes)
			}
		}
	}
}
