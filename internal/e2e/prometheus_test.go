package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"
)

func TestPrometheusAnswersAsScripted(t *testing.T) {
	t.Parallel()
	p := NewPrometheus(t)
	p.Script("errors", Value(1), Empty(), NaN(), Series(1, 2), Garbage(), Fail(503, "down"), Refuse("bad"))
	ask := func(query string) string {
		response, err := http.PostForm(p.URL+"/api/v1/query", url.Values{"query": {query}})
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var got struct {
			Status, Error string
			Data          struct {
				Result []struct{ Value []any }
			}
		}
		if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
			return fmt.Sprint(response.StatusCode, " not json")
		}
		answer := fmt.Sprint(response.StatusCode, " ", got.Status, got.Error)
		for _, series := range got.Data.Result {
			answer += fmt.Sprint(" ", series.Value[1])
		}
		return answer
	}
	for _, c := range []struct{ query, want string }{
		{"sum(rate(requests[1m]))", "200 success 100"}, {"histogram_quantile(0.99, x)", "200 success 50"},
		{"errors", "200 success 1"}, {"errors", "200 success"}, {"errors", "200 success NaN"}, {"errors", "200 success 1 2"},
		{"errors", "200 not json"}, {"errors", "503 not json"}, {"errors", "422 errorbad"}, {"errors", "422 errorbad"},
	} {
		if got := ask(c.query); got != c.want {
			t.Errorf("%s: got %q, want %q", c.query, got, c.want)
		}
	}
	p.Script("", Hang())
	impatient := http.Client{Timeout: 50 * time.Millisecond}
	if _, err := impatient.Get(p.URL + "/api/v1/query?query=up"); err == nil {
		t.Error("the hanging query was answered")
	}
	if got := len(p.Queries()); got != 11 {
		t.Errorf("recorded %d queries, want 11", got)
	}
}
