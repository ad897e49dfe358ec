package cli

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/canary"
)

func TestTheVerdictOnSeveralCanariesIsTheWorst(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		codes []int
		want  int
	}{
		"all well":                           {[]int{0, 0}, 0},
		"superseded is worse than well":      {[]int{0, 4}, 4},
		"unfinished is worse":                {[]int{4, 3, 0}, 3},
		"rolled back is worse":               {[]int{3, 1, 4}, 1},
		"bad input is worse":                 {[]int{1, 2, 3}, 2},
		"a cancelled run is nothing but one": {[]int{2, 1, 130, 0}, 130},
		"a code that is not known":           {[]int{77}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := worst(c.codes...); got != c.want {
				t.Errorf("the verdict on %v is %d, want %d", c.codes, got, c.want)
			}
		})
	}
}

func TestAnImageIsForAllCanariesOrForOne(t *testing.T) {
	t.Parallel()
	named := func(namespace, name string) *canary.Canary {
		c := &canary.Canary{}
		c.Namespace, c.Name = namespace, name
		return c
	}
	canaries := []*canary.Canary{named("shop", "cart"), named("shop", "web"), named("bank", "web")}
	for name, c := range map[string]struct {
		pairs []string
		want  []map[string]string
		err   string
	}{
		"no image":           {nil, []map[string]string{{}, {}, {}}, ""},
		"one for all":        {[]string{"app=app:2"}, []map[string]string{{"app": "app:2"}, {"app": "app:2"}, {"app": "app:2"}}, ""},
		"one for a name":     {[]string{"web/app=app:2"}, []map[string]string{{}, {"app": "app:2"}, {"app": "app:2"}}, ""},
		"one for one canary": {[]string{"bank/web/app=r/app:2", "cart/app=app:3"}, []map[string]string{{"app": "app:3"}, {}, {"app": "r/app:2"}}, ""},
		"a name of nobody":   {[]string{"x/app=app:2"}, nil, `image: "x/app=app:2": no canary "x" is in this run`},
		"no image at all":    {[]string{"app"}, nil, `image: "app" is not container=reference`},
		"two for one":        {[]string{"app=app:2", "cart/app=app:3"}, nil, `container "app" is given two images`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseFleetImages(c.pairs, canaries)
			if c.err != "" {
				if err == nil || strings.Count(err.Error(), c.err) != 1 {
					t.Errorf("error %v, want %q once", err, c.err)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("error %v, images (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestMetricsThatNobodyWantsCostNothing(t *testing.T) {
	t.Parallel()
	m, err := (&App{}).openMetrics(t.Context(), metricsInputs{})
	if err != nil || len(m.reporters(&canary.Canary{})) != 0 {
		t.Errorf("error %v", err)
	}
	m.close()
}

func TestThePushgatewaysTroubleIsSaidOnceInARun(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	m, err := (&App{Stderr: w}).openMetrics(t.Context(), metricsInputs{MetricsAddress: "127.0.0.1:0", Pushgateway: "http://127.0.0.1:9"})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(m.reporters(&canary.Canary{})); n != 2 {
		t.Errorf("%d reporters, want one that serves and one that pushes", n)
	}
	m.notPushed(io.EOF)
	m.notPushed(io.ErrUnexpectedEOF)
	m.close()
	_ = w.Close()
	said, err := io.ReadAll(r)
	if want := "penstock: the Pushgateway did not take the metrics: EOF\n"; err != nil || string(said) != want {
		t.Errorf("said %q (%v), want %q", said, err, want)
	}
}
