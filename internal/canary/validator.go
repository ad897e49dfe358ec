package canary

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

// validator reports what is wrong with the values of one object. Every method takes the path of the field.
type validator struct {
	src *source
	out *problems
}

func (d *decoder) validator() *validator { return &validator{src: d.src, out: d.out} }

// bad reports a field's value, unless the field is already known to be wrong.
func (v *validator) bad(path, value, message string) {
	if v.src.excused(path) {
		return
	}
	at := v.src.find(path)
	v.out.add(Problem{
		File: v.src.file, Line: at.line, Column: at.column, Object: v.src.object,
		Path: path, Value: short(value), Message: message,
	})
}

func (v *validator) missing(path, what string) { v.bad(path, "", "missing; it needs "+what) }

// required reports a text that is empty.
func (v *validator) required(path, value, what string) bool {
	if value == "" {
		v.missing(path, what)
	}
	return value != ""
}

// within reports a number that is not between low and high, both included.
func (v *validator) within(path string, value, low, high int) {
	if value < low || value > high {
		v.bad(path, strconv.Itoa(value), fmt.Sprintf("%d is not between %d and %d", value, low, high))
	}
}

// atLeast reports a number that is below low.
func (v *validator) atLeast(path string, value, low int) {
	if value < low {
		v.bad(path, strconv.Itoa(value), fmt.Sprintf("%d is too small; the lowest allowed is %d", value, low))
	}
}

// oneOf reports a text that is not empty and not one of the allowed ones.
func (v *validator) oneOf(path, value string, allowed []string) {
	if value == "" || slices.Contains(allowed, value) {
		return
	}
	if len(allowed) == 1 {
		v.bad(path, value, fmt.Sprintf("%q is not allowed; write %s", short(value), allowed[0]))
		return
	}
	v.bad(path, value, fmt.Sprintf("%q is not one of %s%s", short(value), strings.Join(allowed, ", "), didYouMean(value, allowed)))
}

// duration reports a text that is not empty and not a duration above zero.
func (v *validator) duration(path, value string) {
	if value == "" {
		return
	}
	switch d, err := time.ParseDuration(value); {
	case err != nil && isDigits(value):
		v.bad(path, value, fmt.Sprintf("%q has no unit; did you mean %q?", short(value), value+"s"))
	case err != nil:
		v.bad(path, value, fmt.Sprintf("%q is not a duration; write a number and its unit, such as 30s, 1m or 1h", short(value)))
	case d <= 0:
		v.bad(path, value, fmt.Sprintf("%q is not above zero; write a duration such as 30s, 1m or 1h", value))
	}
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// url reports a text that is not empty and not an absolute http or https URL. A secret URL is not repeated.
func (v *validator) url(path, value string, secret bool) {
	if value == "" {
		return
	}
	u, err := url.Parse(value)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		return
	}
	hint := ""
	if err != nil && strings.Contains(err.Error(), "invalid port") {
		hint = "; a port is a number, and one of a Service by its name is written before the host: _NAME._tcp.SERVICE.NAMESPACE"
	}
	if secret {
		v.bad(path, masked, "this is not an http:// or https:// URL (the value is not shown, it may be a secret)"+hint)
		return
	}
	value = shownURL(value)
	v.bad(path, value, fmt.Sprintf("%q is not an http:// or https:// URL%s", value, hint))
}

// name reports a text that is not empty and not a name that Kubernetes allows for most objects.
func (v *validator) name(path, value string) {
	if value != "" && len(validation.IsDNS1123Subdomain(value)) > 0 {
		v.bad(path, value, fmt.Sprintf("%q is not a name that Kubernetes allows: %s, up to 253", short(value),
			`lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit`))
	}
}

// label reports a text that is not empty and not a DNS label, which namespaces are.
func (v *validator) label(path, value string) {
	if value != "" && len(validation.IsDNS1123Label(value)) > 0 {
		v.bad(path, value, fmt.Sprintf("%q is not a name that Kubernetes allows here: %s, up to 63", short(value),
			`lower-case letters, digits and "-", beginning and ending with a letter or digit`))
	}
}

// at returns the path of an element of a list.
func at(path string, index int) string { return path + "[" + strconv.Itoa(index) + "]" }

// key returns the path of an entry of a map.
func key(path, name string) string { return fmt.Sprintf("%s[%q]", path, name) }
