package rehearsal

import (
	"net/http"
	"regexp"
	"strconv"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
)

// nginxRouter is ingress-nginx.
var nginxRouter = router{standIn: standInIngress, obey: obeyNginx}

func standInIngress(s *Stage, c *canary.Canary) error {
	if c.Spec.IngressRef == nil {
		c.Spec.IngressRef = &canary.ObjectRef{APIVersion: "networking.k8s.io/v1", Kind: "Ingress", Name: c.ServiceName()}
		s.say("spec.ingressRef is not given: Ingress %q", c.ServiceName())
	}
	if s.find("Ingress", c.Spec.IngressRef.Name) != nil {
		return nil
	}
	s.say("Ingress %q: one that sends everything to Service %q", c.Spec.IngressRef.Name, c.ServiceName())
	return s.add(ingress(c), networkingv1.SchemeGroupVersion.WithKind("Ingress"))
}

func ingress(c *canary.Canary) *networkingv1.Ingress {
	exact := networkingv1.PathTypePrefix
	return &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: c.Spec.IngressRef.Name, Namespace: c.Namespace},
		Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{
			Host: "app.example.com",
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
				Paths: []networkingv1.HTTPIngressPath{{
					Path: "/", PathType: &exact,
					Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
						Name: c.ServiceName(), Port: networkingv1.ServiceBackendPort{Number: c.Spec.Service.Port},
					}},
				}},
			}},
		}}},
	}
}

func obeyNginx(r *Routing, seen routed) {
	for ref, object := range seen.objects {
		if ref.Kind == "Ingress" && ref.Name != seen.canary.Spec.IngressRef.Name {
			r.obeyIngress(object)
		}
	}
}

// The annotations by which ingress-nginx takes requests for a canary.
const (
	ingressCanary  = "nginx.ingress.kubernetes.io/canary"
	ingressHeader  = "nginx.ingress.kubernetes.io/canary-by-header"
	ingressValue   = "nginx.ingress.kubernetes.io/canary-by-header-value"
	ingressPattern = "nginx.ingress.kubernetes.io/canary-by-header-pattern"
	ingressCookie  = "nginx.ingress.kubernetes.io/canary-by-cookie"
	ingressWeight  = "nginx.ingress.kubernetes.io/canary-weight"
	ingressTotal   = "nginx.ingress.kubernetes.io/canary-weight-total"
)

// obeyIngress makes the proxy do what the annotations of a canary Ingress say. A header decides before a cookie, and both
// before the weight; "never" keeps a request from the canary.
func (r *Routing) obeyIngress(ingress *unstructured.Unstructured) {
	a := ingress.GetAnnotations()
	if a[ingressCanary] != "true" {
		return
	}
	weight, _ := strconv.Atoi(a[ingressWeight])
	if total, err := strconv.Atoi(a[ingressTotal]); err == nil && total > 0 {
		weight = weight * 100 / total
	}
	r.Split.Canary = min(max(weight, 0), 100)
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
