package canary

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// GateAsk is Flagger's question whether a gate is open, with what the metadata of the webhook say of the people who open it.
type GateAsk struct {
	Gate
	Checksum string // of the revision that Flagger analyses; at confirm-rollout still that of the one before
	Metadata map[string]string
}

// The metadata by which people open a gate of Flagger's by a comment.
const (
	AskRepository = "repository" // github:OWNER/NAME or gitlab:GROUP/PROJECT
	AskChange     = "change"     // the number of the pull or merge request; none: the one that the commit belongs to
	AskCommit     = "commit"     // the full number of the commit that is rolled out
	AskGate       = "gate"       // the type of the webhook, which Flagger does not say itself
)

// Approval is what the metadata say.
type Approval struct {
	Platform, Path string // such as github and acme/shop
	Change         int64  // 0: the one that the commit belongs to
	Commit         string
	Hook           HookType // rollback for the gate that asks for one
}

// ByPeople reports whether people open the gate.
func (a GateAsk) ByPeople() bool { return a.Metadata[AskRepository] != "" }

var (
	askPath   = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$`)
	askCommit = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
)

// Approval reads the metadata. The error lists every problem with them.
func (a GateAsk) Approval() (Approval, error) {
	var out Approval
	var problems []error
	add := func(field, allowed string) {
		problems = append(problems, fmt.Errorf("metadata %s is %.80q; want %s", field, a.Metadata[field], allowed))
	}
	var ok bool
	out.Platform, out.Path, ok = strings.Cut(a.Metadata[AskRepository], ":")
	if !ok || out.Platform != "github" && out.Platform != "gitlab" || !askPath.MatchString(out.Path) {
		add(AskRepository, "github:OWNER/NAME or gitlab:GROUP/PROJECT")
	}
	if text, given := a.Metadata[AskChange]; given {
		var err error
		if out.Change, err = strconv.ParseInt(text, 10, 64); err != nil || out.Change <= 0 {
			add(AskChange, "the number of the pull or merge request, as text, or no such field: it is the one that the commit belongs to then")
		}
	}
	if out.Commit = a.Metadata[AskCommit]; !askCommit.MatchString(out.Commit) {
		add(AskCommit, "the full number of the commit that is rolled out")
	}
	switch out.Hook = HookType(a.Metadata[AskGate]); {
	case a.Rollback:
		out.Hook = HookRollback
	case out.Hook != HookConfirmRollout && out.Hook != HookConfirmTrafficIncrease && out.Hook != HookConfirmPromotion:
		add(AskGate, "the type of the webhook: confirm-rollout, confirm-traffic-increase or confirm-promotion")
	}
	return out, errors.Join(problems...)
}
