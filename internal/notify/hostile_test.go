package notify_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/notify"
)

// commands are what text from outside must not contain on each platform. What the codec itself writes, such as links, is
// taken out first.
var commands = map[string]struct{ own, forbidden *regexp.Regexp }{
	"slack":   {regexp.MustCompile(`<https://ci\.example\.com/[^|<>]*\|[^<>]*>`), regexp.MustCompile(`[<>]|&[^agl]`)},
	"rocket":  {regexp.MustCompile(`\]\(https://ci\.example\.com/[^()]*\)`), regexp.MustCompile("(^|[^\\pL\\pN])@[a-zA-Z]|<[a-zA-Z!@/]|\\][(\\[:]|(^|[^\\\\])[*_~`#]|(^|\n)>")},
	"discord": {regexp.MustCompile(`\]\(https://ci\.example\.com/[^()]*\)`), regexp.MustCompile("(^|[^\\pL\\pN])@[a-zA-Z]|(^|[^\\\\])[<>*_~`|#:()]|\\](\\[|\\()|(^|\n)-")},
	"gchat":   {nil, regexp.MustCompile(`<[^b]|<b[^r]|<br[^>]`)},
	"msteams": {nil, regexp.MustCompile(`\{\{DATE`)},
}

// plainly are the JSON fields that a platform shows as they are, or never reads as text.
var plainly = map[string][]string{
	"slack":   {"username", "channel"},
	"rocket":  {"username", "channel", "icon_emoji", "color"},
	"discord": {"username"},
	"gchat":   {"threadKey"},
}

func TestTextFromOutsideCommandsNothing(t *testing.T) {
	t.Parallel()
	for name, rule := range commands {
		for form, to := range addresses[name] {
			if form == "connector" {
				continue // reads HTML: see below
			}
			var message any
			if err := json.Unmarshal(render(t, name, to, alerts["hostile"]).Body, &message); err != nil {
				t.Fatal(err)
			}
			seen := 0
			walk(message, "", func(key string, value any) {
				text, ok := value.(string)
				if !ok || strings.Contains(","+strings.Join(plainly[name], ",")+",", ","+key+",") || key == "url" {
					return
				}
				if key == "name" && strings.Contains(text, ".<!channel>") {
					return // Discord's author, which has no markup; it calls nobody all the same
				}
				seen++
				if rule.own != nil {
					text = rule.own.ReplaceAllString(text, "")
				}
				if found := rule.forbidden.FindString(text); found != "" {
					t.Errorf("%s/%s: %s holds %q: %s", name, form, key, found, text)
				}
			})
			if seen < 10 {
				t.Errorf("%s/%s: looked at %d texts only", name, form, seen)
			}
		}
	}
}

func TestAConnectorOfTeamsIsGivenNoTagsButLineBreaks(t *testing.T) {
	t.Parallel()
	body := string(render(t, "msteams", addresses["msteams"]["connector"], alerts["hostile"]).Body)
	if rest := strings.ReplaceAll(body, "<br>", ""); strings.ContainsAny(rest, "<>") {
		t.Errorf("there are tags in %s", rest)
	}
	if !strings.Contains(body, `"markdown":false`) {
		t.Error("markdown is not turned off")
	}
}

func TestDiscordIsToldToCallNobody(t *testing.T) {
	t.Parallel()
	body := string(render(t, "discord", addresses["discord"]["webhook"], alerts["hostile"]).Body)
	if !strings.Contains(body, `"allowed_mentions":{"parse":[]}`) {
		t.Errorf("mentions are allowed in %s", body)
	}
	if strings.Contains(body, "@everyone") || strings.Contains(body, "@here") {
		t.Errorf("there is a mention in %s", body)
	}
}

func TestAThreadIsAskedForOnceAndOnlyWhenThereIsOne(t *testing.T) {
	t.Parallel()
	const base = "https://chat.googleapis.com/v1/spaces/A/messages?key=k"
	const option = "&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
	for _, test := range []struct{ address, thread, want, key string }{
		{base, "", base, ""},
		{base, "run 7", base + option, "run 7"},
		{base + "&threadKey=ours", "run 7", base + "&threadKey=ours" + option, ""},
		{base + "&messageReplyOption=REPLY_MESSAGE_OR_FAIL", "run 7", base + "&messageReplyOption=REPLY_MESSAGE_OR_FAIL", "run 7"},
		{strings.TrimSuffix(base, "?key=k"), "run 7", strings.TrimSuffix(base, "?key=k") + "?" + option[1:], "run 7"},
	} {
		alert := alerts["promoted"]
		alert.Thread = test.thread
		request := render(t, "gchat", notify.Credentials{Address: notify.Secret(test.address)}, alert)
		var message struct{ Thread struct{ ThreadKey string } }
		if err := json.Unmarshal(request.Body, &message); err != nil {
			t.Fatal(err)
		}
		if request.URL != test.want || message.Thread.ThreadKey != test.key {
			t.Errorf("%s, thread %q: got %s, key %q", test.address, test.thread, request.URL, message.Thread.ThreadKey)
		}
	}
}
