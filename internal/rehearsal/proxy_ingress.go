package rehearsal

import (
	"net/http"
	"regexp"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The annotations by which ingress-nginx takes requests for a canary.
const (
	ingressCanary  = "nginx.ingress.kubernetes.io/canary"
	ingressHeader  = "nginx.ingress.kubernetes.io/canary-by-header"
	ingressValue   = "nginx.ingress.kubernetes.io/canary-by-header-value"
	ingressPattern = "nginx.ingress.kubernetes.io/canary-by-header-pattern"
	ingressCookie  = "nginx.ingress.kubernetes.io/canary-by-cookie"
)

// obeyIngress makes the proxy do what the annotations of a canary Ingress say of single requests. A header decides before
// a cookie, and both before the weight; "never" keeps a request from the canary.
func (r *Routing) obeyIngress(ingress *unstructured.Unstructured) {
	a := ingress.GetAnnotations()
	if a[ingressCanary] != "true" {
		return
	}
	if name := a[ingressHeader]; name != "" {
		value, pattern := a[ingressValue], a[ingressPattern]
		switch {
		case value != "":
			r.pin(100, func(request *http.Request) bool { return request.Header.Get(name) == value })
		case pattern != "":
			expression, err := regexp.Compile(pattern)
			r.pin(100, func(request *http.Request) bool {
				return err == nil && len(request.Header.Values(name)) > 0 && expression.MatchString(request.Header.Get(name))
			})
		default:
			r.pin(100, func(request *http.Request) bool { return request.Header.Get(name) == "always" })
			r.pin(0, func(request *http.Request) bool { return request.Header.Get(name) == "never" })
		}
	}
	if name := a[ingressCookie]; name != "" {
		is := func(value string) func(*http.Request) bool {
			return func(request *http.Request) bool {
				cookie, err := request.Cookie(name)
				return err == nil && cookie.Value == value
			}
		}
		r.pin(100, is("always"))
		r.pin(0, is("never"))
	}
}

// pin sends the requests that match to one side.
func (r *Routing) pin(canary int, match func(*http.Request) bool) {
	r.Rules = append(r.Rules, Rule{Split: Split{Canary: canary}, Match: match})
}
