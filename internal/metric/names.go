package metric

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
)

// lookBack is how far the names are looked for.
const lookBack = 24 * time.Hour

// prometheusNames asks the index, which costs a server next to nothing: no samples are read. Servers that answer queries
// only have no names, and then nothing is suggested.
func prometheusNames(s Source, c Clue, now time.Time) (Request, error) {
	values := url.Values{"start": {strconv.FormatInt(now.Add(-lookBack).Unix(), 10)}, "end": {strconv.FormatInt(now.Unix(), 10)}}
	if c.Label == "" {
		return prometheusCall(s, values, "label", "__name__", "values")
	}
	values.Set("match[]", "{__name__="+strconv.Quote(c.Metric)+"}")
	return prometheusCall(s, values, "labels")
}

func prometheusParseNames(status int, body []byte) []string {
	var b struct {
		Status string   `json:"status"`
		Data   []string `json:"data"`
	}
	if status != 200 || json.Unmarshal(body, &b) != nil || b.Status != "success" {
		return nil
	}
	return slices.DeleteFunc(b.Data, func(name string) bool { return name == "__name__" || name == "" })
}

// maxNames is how many names are listed in a message.
const maxNames = 12

// Explain says what is missing, with the name that was probably meant among those that there are, or else with the
// labels.
func (c Clue) Explain(names []string) string {
	word := c.Metric
	if c.Label != "" {
		word = c.Label
	}
	if near := nearest(word, names); near != "" {
		return fmt.Sprintf("%s; did you mean %q?", c.Says, near)
	}
	if c.Label == "" || len(names) == 0 {
		return c.Says
	}
	names = slices.Sorted(slices.Values(names))
	more := ""
	if len(names) > maxNames {
		names, more = names[:maxNames], ", …"
	}
	return c.Says + "; its labels are " + Shown([]byte(strings.Join(names, ", "))) + more
}

// longestName is how long a name may be to be compared.
const longestName = 200

// nearest returns the name that was probably meant, or "": a few slips of the finger away, or with another ending such
// as _total.
func nearest(word string, names []string) string {
	if word == "" || len(word) > longestName {
		return ""
	}
	best, distance := "", min(3, max(1, len(word)/4))+1
	longer := ""
	for _, name := range slices.Sorted(slices.Values(names)) {
		if name == word || len(name) > longestName {
			continue
		}
		if d := max(len(name), len(word)) - min(len(name), len(word)); d < distance {
			if d = levenshtein.ComputeDistance(word, name); d < distance {
				best, distance = name, d
			}
		}
		if longer == "" && (strings.HasPrefix(name, word+"_") || strings.HasPrefix(word, name+"_")) {
			longer = name
		}
	}
	if best == "" {
		return longer
	}
	return best
}
