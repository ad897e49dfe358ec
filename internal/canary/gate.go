package canary

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Gate names a gate that is kept for a canary, which somebody opens and closes. One that nobody has opened is closed.
type Gate struct {
	Namespace, Name string // of the canary
	Rollback        bool   // open asks for a rollback, instead of letting the rollout go on
}

// gateNameLimit leaves room for a prefix in the name of whatever keeps the gate, of which Kubernetes allows 253 characters.
const gateNameLimit = 240

// String is how people are told of it.
func (g Gate) String() string {
	if g.Rollback {
		return "rollback gate of " + g.Namespace + "/" + g.Name
	}
	return "gate of " + g.Namespace + "/" + g.Name
}

// Check returns everything because of which no canary can have that gate. It comes from outside and becomes a key: one
// with a slash or a dot in the wrong place would be the gate of another canary.
func (g Gate) Check() error {
	var problems []string
	if len(validation.IsDNS1123Subdomain(g.Name)) > 0 || len(g.Name) > gateNameLimit {
		problems = append(problems, fmt.Sprintf("name is %.80q: it must be that of a canary, in lower case and of at most %d characters", g.Name, gateNameLimit))
	}
	if len(validation.IsDNS1123Label(g.Namespace)) > 0 {
		problems = append(problems, fmt.Sprintf("namespace is %.80q: it must be that of the canary", g.Namespace))
	}
	if len(problems) > 0 {
		return fmt.Errorf("%s", strings.Join(problems, "; "))
	}
	return nil
}
