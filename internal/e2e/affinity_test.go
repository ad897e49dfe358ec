package e2e

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	onCanary  = `header cookie RegularExpression ^(.*; *)?canary-session=`
	onPrimary = `header cookie RegularExpression ^(.*; *)?primary-session=`
	attribute = "; Domain=example.com; HttpOnly; Partitioned; Path=/; SameSite=None; Secure"
	whole     = "primary 100, canary 0"
)

func affinity(spec map[string]any) {
	a := spec["analysis"].(map[string]any)
	a["stepWeight"], a["maxWeight"] = 20, 40
	a["sessionAffinity"] = map[string]any{
		"cookieName": "canary-session", "primaryCookieName": "primary-session", "maxAge": 3600, "domain": "example.com", "path": "/",
		"httpOnly": true, "secure": true, "partitioned": true, "sameSite": "None",
	}
}

// kept are the rules while the canary has a weight and its session is named so.
func kept(session string, weights string, previous ...string) []string {
	set := ", primary sets Set-Cookie: primary-session=" + session + "; Max-Age=1" + attribute +
		", canary sets Set-Cookie: canary-session=" + session + "; Max-Age=3600" + attribute
	rules := []string{onCanary + session + "(;.*)?$, primary 0, canary 100", onPrimary + session + "(;.*)?$, primary 100, canary 0"}
	for _, p := range previous {
		rules = append(rules, onCanary+p+"(;.*)?$, "+weights+", primary sets Set-Cookie: canary-session="+p+"; Max-Age=-1"+attribute+
			", canary sets Set-Cookie: canary-session="+session+"; Max-Age=3600"+attribute)
	}
	return append(rules, weights+set)
}

func released(session string) []string {
	return []string{onCanary + session + "(;.*)?$, " + whole + ", primary sets Set-Cookie: canary-session=" + session + "; Max-Age=-1" + attribute, whole}
}

func TestUsersAreKeptOnTheirSideByCookies(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", affinity)
	s.initialise()
	s.end(s.rollOut(v2), 0)
	s.wantPromoted(v2)
	s.end(s.rollOut(v3), 0)
	s.wantPromoted(v3)
	s.wantWeights(0, 20, 40, 0, 20, 40, 0)
	s.wantSafe()
	want := [][]string{
		{whole}, kept("A", "primary 80, canary 20"), kept("A", "primary 60, canary 40"), {whole},
		released("A"), kept("B", "primary 80, canary 20", "A"), kept("B", "primary 60, canary 40", "A"), released("A"),
	}
	if diff := cmp.Diff(want, s.rules()); diff != "" {
		t.Errorf("the rules (-want +got):\n%s", diff)
	}
}

func TestNobodyIsKeptOnACanaryThatIsRolledBack(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", affinity, analysis("threshold", 1))
	s.initialise()
	run := s.rollOut(v2)
	s.awaitWeight(20)
	s.prometheus.Script("", Value(1))
	s.end(run, 1)
	s.wantRolledBack(v1)
	s.wantSafe()
	rules := s.rules()
	if diff := cmp.Diff([]string{whole}, rules[len(rules)-1]); diff != "" {
		t.Errorf("the rules at the end (-want +got):\n%s", diff)
	}
	s.prometheus.Script("", Value(100))
	s.prometheus.Script("histogram_quantile", Value(50))
	s.end(s.run(), 0) // again: who was kept by the first attempt is let go
	s.wantPromoted(v2)
	rules = s.rules()
	if diff := cmp.Diff(released("A"), rules[len(rules)-1]); diff != "" {
		t.Errorf("the rules after the second attempt (-want +got):\n%s", diff)
	}
}
