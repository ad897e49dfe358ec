package fleet

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestAPlanNamesEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	names := []string{"shop/a", "shop/b", "shop/c", "shop/twin", "bank/twin"}
	for name, c := range map[string]struct {
		orders []string
		limit  int
		want   []string
	}{
		"an order between two":            {orders: []string{"a=b"}},
		"the same order twice":            {orders: []string{"a=b", "shop/a=shop/b"}},
		"a namespace tells twins apart":   {orders: []string{"a=bank/twin", "shop/twin=bank/twin"}},
		"a diamond is no circle":          {orders: []string{"a=b", "a=c", "b=twin", "c=bank/twin"}, want: []string{`after: "b=twin": "twin" may be shop/twin or bank/twin; name its namespace too`}},
		"an order without an equals sign": {orders: []string{"a"}, want: []string{`after: "a" is not LATER=EARLIER, such as frontend=backend`}},
		"half an order":                   {orders: []string{"=b", "a="}, want: []string{`after: "=b" is not`, `after: "a=" is not`}},
		"names that are not there": {orders: []string{"x=y", "z=z"}, want: []string{
			`after: "x=y": no canary "x" is in this run; there are shop/a, shop/b, shop/c, shop/twin, bank/twin`,
			`after: "x=y": no canary "y"`, `after: "z=z": no canary "z"`,
		}},
		"one that waits for itself":    {orders: []string{"shop/a=a"}, want: []string{`after: "shop/a=a": shop/a cannot wait for itself`}},
		"two that wait for each other": {orders: []string{"a=b", "b=a"}, want: []string{"after: shop/a, shop/b wait for each other in a circle"}},
		"a longer circle":              {orders: []string{"a=x", "a=b", "b=c", "c=a"}, want: []string{`no canary "x"`, "after: shop/a, shop/b, shop/c wait for each other"}},
		"a limit below zero":           {limit: -1, want: []string{"max-parallel: -1 is below 0; 0 runs all at once"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewPlan(names, c.orders, c.limit)
			var got []string
			if err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if len(got) != len(c.want) {
				t.Fatalf("%d problems, want %d:\n%v", len(got), len(c.want), err)
			}
			for i := range got {
				if !strings.Contains(got[i], c.want[i]) {
					t.Errorf("problem %d is %q, want %q", i, got[i], c.want[i])
				}
			}
		})
	}
}

func mustPlan(t testing.TB, n, limit int, orders ...string) Plan {
	t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("shop/%d", i)
	}
	p, err := NewPlan(names, orders, limit)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatStartsNextFollowsFromWhatHasEnded(t *testing.T) {
	t.Parallel()
	none := map[int]int{}
	for name, c := range map[string]struct {
		limit  int
		orders []string
		at     []Stage
		start  []int
		skip   map[int]int
	}{
		"all start at once":                      {0, nil, []Stage{0, 0, 0}, []int{0, 1, 2}, none},
		"no more than the limit":                 {2, nil, []Stage{0, 0, 0}, []int{0, 1}, none},
		"those that run count":                   {2, nil, []Stage{Running, 0, 0}, []int{1}, none},
		"those that ended make room":             {2, nil, []Stage{Failed, Running, 0}, []int{2}, none},
		"one that waits does not block the next": {1, []string{"0=2"}, []Stage{0, 0, 0}, []int{1}, none},
		"one that waits starts after the other":  {0, []string{"0=1"}, []Stage{0, Passed, Running}, []int{0}, none},
		"one of two is not enough":               {0, []string{"0=1", "0=2"}, []Stage{0, Passed, Running}, nil, none},
		"a failure skips who waits for it":       {0, []string{"0=1"}, []Stage{0, Failed, Running}, nil, map[int]int{0: 1}},
		"and who waits for the skipped":          {0, []string{"0=1", "2=0"}, []Stage{0, Failed, 0}, nil, map[int]int{0: 1, 2: 0}},
		"a failure skips no other":               {0, []string{"0=1"}, []Stage{0, Failed, 0}, []int{2}, map[int]int{0: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := mustPlan(t, 3, c.limit, c.orders...)
			start, skip := p.Next(c.at)
			if diff := cmp.Diff(c.start, start); diff != "" {
				t.Errorf("starts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.skip, skip); diff != "" {
				t.Errorf("skips (-want +got):\n%s", diff)
			}
		})
	}
}

// drawPlan draws a plan without circles, on which every canary waits only for ones of a lower rank.
func drawPlan(t *rapid.T) Plan {
	n := rapid.IntRange(1, 12).Draw(t, "canaries")
	rank := rapid.Permutation(sequence(n)).Draw(t, "rank")
	var orders []string
	for i := range n {
		for j := range n {
			if rank[j] < rank[i] && rapid.IntRange(0, 3).Draw(t, "edge") == 0 {
				orders = append(orders, fmt.Sprintf("%d=%d", i, j))
			}
		}
	}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("shop/%d", i)
	}
	p, err := NewPlan(names, orders, rapid.IntRange(0, n).Draw(t, "limit"))
	if err != nil {
		t.Fatalf("a plan without circles is refused: %v", err)
	}
	return p
}

func sequence(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// Whatever ends in whatever order: nobody starts before all that it waits for have ended well, the limit holds, and in the
// end everybody has run or was skipped because of one that did not end well.
func TestEveryCanaryRunsOrIsSkippedForAReason(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		at := make([]Stage, len(p.names))
		for {
			start, skip := p.Next(at)
			for i, because := range skip {
				if !slices.Contains(p.after[i], because) || at[i] != Waiting {
					t.Fatalf("%d was skipped because of %d", i, because)
				}
			}
			for i := range skip {
				at[i] = Skipped
			}
			for _, i := range start {
				for _, j := range p.after[i] {
					if at[j] != Passed {
						t.Fatalf("%d started while %d was at %d", i, j, at[j])
					}
				}
				at[i] = Running
			}
			var running []int
			for i, s := range at {
				if s == Running {
					running = append(running, i)
				}
			}
			if p.limit > 0 && len(running) > p.limit {
				t.Fatalf("%d run at once, the limit is %d", len(running), p.limit)
			}
			if len(running) == 0 {
				break
			}
			i := rapid.SampledFrom(running).Draw(t, "ends")
			if at[i] = Passed; rapid.IntRange(0, 3).Draw(t, "badly") == 0 {
				at[i] = Failed
			}
		}
		for i, s := range at {
			bad := slices.ContainsFunc(p.after[i], func(j int) bool { return at[j] != Passed })
			if s == Waiting || s == Running || (s == Skipped) != bad {
				t.Fatalf("%d is at %d in the end; one that it waits for ended badly: %v", i, s, bad)
			}
		}
	})
}

// A drawn set of orders is refused exactly when following them leads back to where one started.
func TestCirclesAreRefusedAndNothingElse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 8).Draw(t, "canaries")
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("shop/%d", i)
		}
		reach := make([][]bool, n)
		for i := range reach {
			reach[i] = make([]bool, n)
		}
		var orders []string
		for range rapid.IntRange(0, 2*n).Draw(t, "orders") {
			i, j := rapid.IntRange(0, n-1).Draw(t, "later"), rapid.IntRange(0, n-1).Draw(t, "earlier")
			if i != j {
				orders, reach[i][j] = append(orders, fmt.Sprintf("%d=%d", i, j)), true
			}
		}
		for k := range n {
			for i := range n {
				for j := range n {
					reach[i][j] = reach[i][j] || reach[i][k] && reach[k][j]
				}
			}
		}
		circle := false
		for i := range n {
			circle = circle || reach[i][i]
		}
		if _, err := NewPlan(names, orders, 0); (err != nil) != circle {
			t.Fatalf("a circle: %v, refused: %v", circle, err)
		}
	})
}
