package metric_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/teststorage"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/metric"
)

// small is a database for the few series of a test.
func small(o *tsdb.Options) { o.StripeSize, o.EnableExemplarStorage = 64, false }

// stored makes a database of series that have a sample each.
func stored(t *testing.T, at time.Time, series ...labels.Labels) storage.Storage {
	t.Helper()
	db := teststorage.New(t, small)
	t.Cleanup(func() { _ = db.Close() })
	app := db.Appender(t.Context())
	for _, l := range series {
		if _, err := app.Append(0, l, at.UnixMilli(), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	return db
}

// expression makes a query of few names, so that many have an answer and many have none.
func expression(r *rand.Rand, depth int) string {
	if depth == 0 {
		name := string("abc"[r.IntN(3)])
		if r.IntN(2) == 0 {
			return name
		}
		op := []string{"=", "=~", "!=", "!~"}[r.IntN(4)]
		value := []string{"1", "2", "", ".*", ".+"}[r.IntN(5)]
		return fmt.Sprintf(`%s{%c%s%q}`, name, "xy"[r.IntN(2)], op, value)
	}
	left, right := expression(r, depth-1), expression(r, r.IntN(depth))
	switch r.IntN(8) {
	case 0:
		return "sum(" + left + ")"
	case 1:
		return "absent(" + left + ")"
	case 2:
		return "max_over_time(" + expression(r, 0) + "[5m])"
	case 3:
		return "(" + left + " unless " + right + ")"
	case 4:
		return "(sum(" + left + ") / sum(" + right + "))"
	case 5:
		return "(" + left + " and " + right + ")"
	}
	return "(" + left + " or " + right + ")"
}

// A clue that raised a false alarm would stop a rollout whose checks work.
func TestAQueryThatHasAnAnswerHasNoMissingClue(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	at := time.Unix(1764000000, 0)
	engine := promqltest.NewTestEngine(t, false, 0, 1e6)
	answered := 0
	for range 12 {
		var series []labels.Labels
		for _, name := range []string{"a", "b", "c"} {
			if r.IntN(2) == 0 {
				l := map[string]string{"__name__": name}
				for _, label := range []string{"x", "y"} {
					if v := r.IntN(3); v > 0 {
						l[label] = fmt.Sprint(v)
					}
				}
				series = append(series, labels.FromMap(l))
			}
		}
		db := stored(t, at, series...)
		for range 100 {
			query := expression(r, 1+r.IntN(3))
			if evaluatedBy(t, engine, db, query, at).Outcome == metric.NoData {
				continue
			}
			answered++
			for _, clue := range prometheus(t).Clues(query) {
				for _, text := range []string{clue.Query, clue.Past} {
					if a := evaluatedBy(t, engine, db, text, at); a.Outcome != metric.Number {
						t.Errorf("%s has an answer and %s has none: %s, with %v", query, text, a.Message, series)
					}
				}
			}
		}
	}
	if answered < 200 {
		t.Errorf("only %d queries had an answer", answered)
	}
}

// builtinChecks are the builtin checks of a router, for the target podinfo in namespace test.
func builtinChecks(t *testing.T, provider string) []metric.Check {
	t.Helper()
	c := podinfo(
		canary.Metric{Name: metric.SuccessRate, Interval: "1m", ThresholdRange: atLeast(99)},
		canary.Metric{Name: metric.Duration, Interval: "1m", Threshold: ptr(500)},
	)
	c.Spec.Provider, c.Spec.Service.Name = provider, ""
	in := inputs()
	in.MinRequests = 20
	checks, err := metric.Plan(c, in)
	if err != nil {
		t.Fatal(err)
	}
	return checks
}

func TestTheBuiltinsCluesAreFoundBeforeTheCanaryHasTraffic(t *testing.T) {
	t.Parallel()
	for _, provider := range metric.Builtins() {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			db, at := traffic{provider: provider, target: "podinfo", took: 20 * time.Millisecond, primaryFails: together[provider]}.stored(t)
			var text strings.Builder
			for _, check := range builtinChecks(t, provider) {
				if a := evaluated(t, db, check.Query, at); a.Outcome != metric.NoData && !together[provider] {
					t.Errorf("%s has an answer: %+v", check.Name, a)
				}
				clues := prometheus(t).Clues(check.Query)
				if len(clues) < 2 {
					t.Errorf("%s has %d clues", check.Name, len(clues))
				}
				for _, clue := range clues {
					fmt.Fprintf(&text, "%s: %s\n", check.Name, clue.Query)
					for _, query := range []string{clue.Query, clue.Past} {
						if a := evaluated(t, db, query, at); a.Outcome != metric.Number {
							t.Errorf("%s: false alarm: %s: %s", check.Name, clue.Says, a.Message)
						}
					}
				}
			}
			golden(t, "builtin/"+strings.ReplaceAll(provider, ":", "-")+"-clues.golden", text.String())
		})
	}
}

// Each name in each builtin query is misspelt in turn: what the query then lacks is the first thing that is missing.
func TestATypoInABuiltinQueryIsFound(t *testing.T) {
	t.Parallel()
	for _, provider := range metric.Builtins() {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			db, at := traffic{provider: provider, target: "podinfo", took: 20 * time.Millisecond, canary: true}.stored(t)
			for _, check := range builtinChecks(t, provider) {
				for _, clue := range prometheus(t).Clues(check.Query) {
					word := clue.Metric
					if clue.Label != "" {
						word = clue.Label
					}
					typo := word[:3] + "z" + word[3:]
					query := regexp.MustCompile(`\b`+word+`\b`).ReplaceAllString(check.Query, typo)
					missing := slices.DeleteFunc(prometheus(t).Clues(query), func(c metric.Clue) bool {
						return evaluated(t, db, c.Query, at).Outcome == metric.Number
					})
					if len(missing) == 0 || !strings.Contains(missing[0].Says, `"`+typo) {
						t.Errorf("%s with %q: got %v", check.Name, typo, missing)
					}
				}
			}
		})
	}
}
