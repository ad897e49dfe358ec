package rehearsal

import (
	"net/http"
	"strconv"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/traffic"
)

var shopServices = [2]string{Primary: "shop-primary", Canary: "shop-canary"}

func parsed(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}

// rendered returns the routing of a canary's route, as the router of that canary renders it.
func (b *bench) rendered(t testing.TB, spec string, want rollout.Route) Routing {
	t.Helper()
	c := &canary.Canary{}
	if err := yaml.UnmarshalStrict([]byte("{metadata: {name: shop, namespace: shop}, spec: "+spec+"}"), c); err != nil {
		t.Fatal(err)
	}
	router, err := traffic.For(c.Spec.Provider)
	if err != nil {
		t.Fatal(err)
	}
	live := canary.Objects{}
	if ref := c.Spec.IngressRef; ref != nil {
		live[router.Refs(c)[0]] = parsed(t, "{kind: Ingress, metadata: {name: shop, namespace: shop}, spec: {defaultBackend: {service: {name: shop, port: {number: 80}}}}}")
	}
	objects, err := router.Render(c, live, want)
	if err != nil {
		t.Fatal(err)
	}
	routing := b.routing(Split{Canary: int(want.Canary), Mirror: int(want.Mirror)})
	if c.Spec.IngressRef != nil {
		routing.obeyIngress(objects[0])
	} else {
		routing.obey(objects[0], shopServices)
	}
	return routing
}

const shopRoute = "{provider: gatewayapi:v1, targetRef: {kind: Deployment, name: shop}, service: {port: 80, gatewayRefs: [{name: public}]}, analysis: "

func TestUsersWithACookieStayOnTheCanary(t *testing.T) {
	t.Parallel()
	const users, rounds = 100, 6
	for name, c := range map[string]struct {
		affinity string
		wavered  bool // users are sent back
		most     int  // users on the canary, of a hundred
	}{
		"without a cookie":          {"", true, users},
		"with the canary's cookie":  {", sessionAffinity: {cookieName: c}", false, users},
		"with the primary's cookie": {", sessionAffinity: {cookieName: c, primaryCookieName: p}", false, 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, users)
			route := rollout.Route{Managed: true, Canary: 20, Session: "abcdefghij"}
			b.Route(b.rendered(t, shopRoute+"{stepWeight: 20"+c.affinity+"}}", route))
			jar := jar{users: map[int]map[string]heldCookie{}}
			for n := range users * rounds {
				b.getWithCookies(t, &jar, (n+n/users)*37%users) // in another order in each round
			}
			got := b.settled(t)
			if (got.Wavered > 0) != c.wavered || got.OnCanary > c.most || got.OnCanary < 20 || got.Users != users {
				t.Errorf("%d of %d users were on the canary and %d of these were sent back; want at least 20, at most %d, sent back: %t",
					got.OnCanary, got.Users, got.Wavered, c.most, c.wavered)
			}
		})
	}
}

// getWithCookies sends a request of a user who keeps cookies.
func (b *bench) getWithCookies(t testing.TB, jar *jar, user int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.URL()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(UserHeader, strconv.Itoa(user))
	now := b.options.Clock.Now()
	if cookies := jar.header(user, now); cookies != "" {
		r.Header.Set("Cookie", cookies)
	}
	response, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	jar.keep(user, response.Cookies(), now)
}

func TestACookieOfTheRolloutBeforeIsTakenBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	jar := jar{users: map[int]map[string]heldCookie{}}
	jar.keep(0, []*http.Cookie{{Name: "c", Value: "oldsession", MaxAge: 3600}}, b.options.Clock.Now())
	b.Route(b.rendered(t, shopRoute+"{stepWeight: 20, sessionAffinity: {cookieName: c}}}", rollout.Route{Managed: true, Previous: "oldsession"}))
	b.getWithCookies(t, &jar, 0)
	if left := jar.header(0, b.options.Clock.Now()); left != "" {
		t.Errorf("the user still has %q", left)
	}
	if got := b.settled(t); got.OnCanary != 0 || got.Primary.Requests != 1 {
		t.Errorf("%+v", got)
	}
}

func TestWhoIsSelectedByATestIsOnTheCanary(t *testing.T) {
	t.Parallel()
	const nginx = "{provider: nginx, ingressRef: {name: shop}, targetRef: {kind: Deployment, name: shop}, service: {port: 80}, analysis: "
	for name, c := range map[string]struct {
		spec  string
		match string // of the analysis
	}{
		"an exact header":              {shopRoute, "{headers: {x-canary: {exact: insider}}}"},
		"the prefix of a header":       {shopRoute, "{headers: {x-canary: {prefix: 'in.'}}}"},
		"the suffix of a header":       {shopRoute, "{headers: {x-canary: {suffix: '.er'}}}"},
		"a browser":                    {shopRoute, "{headers: {user-agent: {regex: '.*Chrome.*'}}}"},
		"a cookie":                     {shopRoute, "{headers: {cookie: {regex: '^(.*?;)?(type=insider)(;.*)?$'}}}"},
		"two headers at once":          {shopRoute, "{headers: {x-a: {regex: '[0-9]{3}'}, x-b: {exact: b}}}"},
		"a parameter":                  {shopRoute, "{queryParams: {beta: {exact: 'yes'}}}"},
		"a path and a method":          {shopRoute, "{uri: {prefix: /new}, method: {exact: POST}}"},
		"a header with nginx":          {nginx, "{headers: {x-canary: {exact: insider}}}"},
		"the prefix of one with nginx": {nginx, "{headers: {x-canary: {prefix: 'in.'}}}"},
		"the suffix of one with nginx": {nginx, "{headers: {x-canary: {suffix: '.er'}}}"},
		"a browser with nginx":         {nginx, "{headers: {user-agent: {regex: '.*Chrome.*'}}}"},
		"a cookie with nginx":          {nginx, "{headers: {cookie: {exact: insider}}}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := c.spec + "{iterations: 2, match: [" + c.match + "]}}"
			b := newBench(t, 20)
			b.Route(b.rendered(t, spec, rollout.Route{Managed: true, Match: true}))
			cn := &canary.Canary{}
			if err := yaml.UnmarshalStrict([]byte("{spec: "+spec+"}"), cn); err != nil {
				t.Fatal(err)
			}
			visit, problems := visits(cn)
			if len(problems) > 0 {
				t.Fatalf("no request for %v", problems)
			}
			g, err := NewGenerator(Load{URL: b.URL(), Users: 20, Visit: visit, Transport: b.client.Transport})
			if err != nil {
				t.Fatal(err)
			}
			for user := range 20 {
				response, err := g.transport.RoundTrip(g.request(user).WithContext(t.Context()))
				if err != nil {
					t.Fatal(err)
				}
				if err := response.Body.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if got := b.settled(t); got.Canary.Requests != 2 || got.Primary.Requests != 18 || got.OnCanary != 2 {
				t.Errorf("%d requests on the canary and %d on the primary, want 2 and 18", got.Canary.Requests, got.Primary.Requests)
			}
		})
	}
}

func TestAShareOfTheRequestsIsCopiedAsTheRouteSays(t *testing.T) {
	t.Parallel()
	b := newBench(t, 10)
	b.Route(b.rendered(t, shopRoute+"{stepWeight: 50, mirror: true, mirrorWeight: 30}}", rollout.Route{Managed: true, Mirror: 30}))
	for n := range 100 {
		b.get(t, n%10)
	}
	if got := b.settled(t); got.Mirrored.Requests+got.Mirrored.Cancelled != 30 || got.Canary.Requests != 0 || got.Primary.Requests != 100 {
		t.Errorf("%+v", got)
	}
}
