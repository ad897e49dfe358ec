package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"
	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/rehearsal"
)

// scriptCluster is the cluster of one script: the embedded API and its controllers, and a Prometheus that answers what
// the script tells it to.
type scriptCluster struct {
	api *rehearsal.API

	mu     sync.Mutex
	answer string
	denied map[string]bool
	seen   map[string]int // requests up to the last look
}

type clusterKey struct{}

func clusterOf(ts *testscript.TestScript) *scriptCluster {
	return ts.Value(clusterKey{}).(*scriptCluster)
}

// clusterCommands are what a script can do with its cluster:
//
//	cluster FILE...           start it with the objects of the files; sets $KUBECONFIG and $PROMETHEUS
//	prometheus VALUE          what Prometheus answers: a number, NaN, none, two, garbage or down
//	deny VERB RESOURCE        forbid it
//	wrote [VERB RESOURCE]...  demand that just these writes came since the last look, in any number
//	object RESOURCE NAME FILE write an object of the cluster to a file
//	cost ROW                  hold docs/operations.md to the requests since the last look
func clusterCommands() map[string]func(*testscript.TestScript, bool, []string) {
	command := func(least int, run func(*scriptCluster, *testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
		return func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || len(args) < least {
				ts.Fatalf("usage: see clusterCommands")
			}
			run(clusterOf(ts), ts, args)
		}
	}
	return map[string]func(*testscript.TestScript, bool, []string){
		"cluster":    command(1, (*scriptCluster).start),
		"prometheus": command(1, (*scriptCluster).say),
		"deny":       command(2, (*scriptCluster).deny),
		"wrote":      command(0, (*scriptCluster).wrote),
		"object":     command(3, (*scriptCluster).object),
		"cost":       command(1, (*scriptCluster).cost),
	}
}

func (c *scriptCluster) start(ts *testscript.TestScript, files []string) {
	ctx, cancel := context.WithCancel(context.Background())
	c.answer, c.denied = "100", map[string]bool{}
	c.api = rehearsal.NewAPI(clock.RealClock{}, append(slices.Concat(rehearsal.DefaultKinds(), rehearsal.RouterKinds()), rehearsal.FlaggerKinds()...)...)
	c.api.Deny(func(r rehearsal.APIRequest) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.denied[requestName(r.Verb, r)]
	})
	for _, file := range files {
		for _, o := range documents(ts, ts.ReadFile(file)) {
			_, err := c.api.Create(o, "script")
			ts.Check(err)
		}
	}
	server, err := c.api.Listen(ctx)
	ts.Check(err)
	control := rehearsal.NewControllers(c.api, clock.RealClock{}, rehearsal.ControllerOptions{ReadyAfter: 20 * time.Millisecond})
	var running sync.WaitGroup
	running.Go(func() { control.Run(ctx) })
	prometheus := httptest.NewServer(http.HandlerFunc(c.query))
	ts.Defer(func() {
		cancel()
		running.Wait()
		server.Wait()
		prometheus.Close()
	})
	config, err := server.Kubeconfig("shop")
	ts.Check(err)
	path := ts.MkAbs("kubeconfig")
	ts.Check(os.WriteFile(path, config, 0o600))
	ts.Setenv("KUBECONFIG", path)
	ts.Setenv("PROMETHEUS", prometheus.URL)
}

func requestName(verb string, r rehearsal.APIRequest) string {
	resource := r.Resource.Resource
	if r.Subresource != "" {
		resource += "/" + r.Subresource
	}
	return verb + " " + resource
}

func documents(ts *testscript.TestScript, text string) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for _, part := range strings.Split(text, "\n---\n") {
		data, err := yaml.YAMLToJSON([]byte(part))
		ts.Check(err)
		o := &unstructured.Unstructured{}
		ts.Check(o.UnmarshalJSON(data))
		all = append(all, o)
	}
	return all
}

// query answers as Prometheus does.
func (c *scriptCluster) query(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	answer := c.answer
	c.mu.Unlock()
	sample := func(labels, value string) string {
		return fmt.Sprintf(`{"metric":{%s},"value":[%d,%q]}`, labels, time.Now().Unix(), value)
	}
	result := ""
	if answer == "NaN" && strings.HasPrefix(r.FormValue("query"), "count(") {
		answer = "1" // how many series there are is a number
	}
	switch answer {
	case "none":
	case "two":
		result = sample(`"pod":"a"`, "1") + "," + sample(`"pod":"b"`, "2")
	case "garbage":
		_, _ = w.Write([]byte("<html>a login page</html>"))
		return
	case "down":
		panic(http.ErrAbortHandler)
	default:
		result = sample("", answer)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, result)
}

func (c *scriptCluster) say(_ *testscript.TestScript, args []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = args[0]
}

func (c *scriptCluster) deny(_ *testscript.TestScript, args []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.denied[args[0]+" "+args[1]] = true
}

func (c *scriptCluster) wrote(ts *testscript.TestScript, want []string) {
	now := c.api.Requests()
	c.mu.Lock()
	before := c.seen
	c.seen = now
	c.mu.Unlock()
	var got []string
	for request, n := range now {
		verb, resource, _ := strings.Cut(request, " ")
		reads := slices.Contains([]string{"get", "list", "watch"}, verb) || strings.HasPrefix(resource, "selfsubject")
		if !reads && n > before[request] {
			got = append(got, request)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		ts.Fatalf("the cluster was written to by %q, want %q", got, want)
	}
}

func (c *scriptCluster) object(ts *testscript.TestScript, args []string) {
	for _, kind := range append(slices.Concat(rehearsal.DefaultKinds(), rehearsal.RouterKinds()), rehearsal.FlaggerKinds()...) {
		if kind.GVR().Resource != args[0] {
			continue
		}
		o, err := c.api.Get(kind.GVR(), "shop", args[1])
		ts.Check(err)
		text, err := yaml.Marshal(o.Object)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[2]), text, 0o600))
		return
	}
	ts.Fatalf("no resource %q is served", args[0])
}
