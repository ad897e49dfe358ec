package workload

import (
	"fmt"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
)

// primaryQuery rewrites a query about the canary into the same about the primary: names of the target and of the
// canary's Service become the primary's. Only whole names count: of "podinfo", neither "podinfo2" nor "podinfo-db" nor,
// outside of quotes, "podinfo_requests_total" is one, while "podinfo-.*" and, in quotes, "shop_podinfo_80" are.
//
// A query that names the primary already is left alone; one that names both is an error, for which of the two the
// primary's should keep cannot be known.
func primaryQuery(c *canary.Canary, query string) (string, error) {
	target := c.Spec.TargetRef.Name
	rewritten, names := rename(query, target, true)
	if service := c.ServiceName(); service != target {
		var more mentions
		rewritten, more = rename(rewritten, service, false)
		names.canary, names.primary = names.canary || more.canary, names.primary || more.primary
	}
	switch {
	case names.canary && names.primary:
		return query, fmt.Errorf("it names both %q and %q, so the primary's query cannot be derived", target, target+primarySuffix)
	case names.primary:
		return query, nil
	}
	return rewritten, nil
}

// mentions says which side a query names.
type mentions struct{ canary, primary bool }

// rename replaces "<name>-canary", and where bare is asked for "<name>" too, by "<name>-primary".
func rename(query, name string, bare bool) (string, mentions) {
	var out strings.Builder
	var found mentions
	var quote byte
	for i := 0; i < len(query); {
		rest, isName := strings.CutPrefix(query[i:], name)
		if !isName || !startsWord(query[:i], quote != 0) {
			out.WriteByte(query[i])
			if query[i] == '\\' && quote != 0 && quote != '`' && i+1 < len(query) {
				i++ // what is escaped ends no quote
				out.WriteByte(query[i])
			} else {
				quote = quoteAfter(quote, query[i])
			}
			i++
			continue
		}
		i += len(name)
		out.WriteString(name)
		primary, isPrimary := strings.CutPrefix(rest, primarySuffix)
		canary, isCanary := strings.CutPrefix(rest, canarySuffix)
		switch {
		case isPrimary && endsWord(primary, quote != 0):
			found.primary = true
		case isCanary && endsWord(canary, quote != 0):
			found.canary = true
			out.WriteString(primarySuffix)
			i += len(canarySuffix)
		case bare && endsWord(rest, quote != 0) && endsName(rest):
			found.canary = true
			out.WriteString(primarySuffix)
		}
	}
	return out.String(), found
}

// quoteAfter is the quote that is open after a character.
func quoteAfter(open, c byte) byte {
	switch {
	case open == 0 && (c == '"' || c == '\'' || c == '`'):
		return c
	case open == c:
		return 0
	}
	return open
}

func startsWord(before string, quoted bool) bool {
	if before == "" {
		return true
	}
	last := before[len(before)-1]
	return !alphanumeric(last) && last != '-' && (quoted || last != '_')
}

func endsWord(after string, quoted bool) bool {
	return after == "" || !alphanumeric(after[0]) && (quoted || after[0] != '_')
}

// endsName reports whether what follows a name is not the rest of a longer one, such as "-db".
func endsName(after string) bool {
	return len(after) < 2 || after[0] != '-' || !alphanumeric(after[1])
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
