package forge

import (
	"fmt"
	"regexp"
	"strings"
)

// Means is how a forge starts the run that takes up a suspended rollout. The zero value is by nothing: a person starts it.
type Means struct {
	Kind MeansKind
	Name string // of the job, the workflow's file, the event or the environment
	Ref  string // branch or tag, where one can be said
}

// MeansKind is one of the forges' ways of starting a job.
type MeansKind string

// The kinds, as --resume has them.
const (
	Rerun          MeansKind = "rerun"           // GitHub: the job runs again
	Workflow       MeansKind = "workflow"        // GitHub: workflow_dispatch
	Dispatch       MeansKind = "dispatch"        // GitHub: repository_dispatch
	ProtectionRule MeansKind = "protection-rule" // GitHub: a later job waits for a custom deployment protection rule
	Play           MeansKind = "play"            // GitLab: a manual job of the same pipeline
	Trigger        MeansKind = "trigger"         // GitLab: a pipeline trigger
)

// meansForm is what a kind is written with.
type meansForm struct {
	kind     MeansKind
	platform Platform
	name     string // what follows the colon; empty: a ref does
	needed   bool
	ref      bool // "@REF" may follow
}

var meansForms = []meansForm{
	{kind: Rerun, platform: PlatformGitHub, name: "JOB"},
	{kind: Workflow, platform: PlatformGitHub, name: "FILE", needed: true, ref: true},
	{kind: Dispatch, platform: PlatformGitHub, name: "EVENT", needed: true},
	{kind: ProtectionRule, platform: PlatformGitHub, name: "ENVIRONMENT", needed: true},
	{kind: Play, platform: PlatformGitLab, name: "JOB", needed: true},
	{kind: Trigger, platform: PlatformGitLab},
}

// String writes the form as ParseMeans reads it.
func (f meansForm) String() string {
	text, rest := string(f.kind), "REF"
	if f.name != "" {
		rest = f.name
	}
	if f.ref {
		rest += "[@REF]"
	}
	if f.needed {
		return text + ":" + rest
	}
	return text + "[:" + rest + "]"
}

// MeansForms lists what ParseMeans reads, such as "workflow:FILE[@REF]".
func MeansForms() []string {
	var all []string
	for _, f := range meansForms {
		all = append(all, f.String())
	}
	return all
}

// The limits are those of the platforms: an event of GitHub has at most 100 characters, names of jobs and environments 255.
var (
	workflowFile = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.ya?ml$`)
	meansRef     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./+-]{0,199}$`)
	meansName    = regexp.MustCompile(`^[^\x00-\x1f\x7f]{1,255}$`)
)

// ParseMeans reads a means; nothing and "none" are no means. The error says what is allowed.
func ParseMeans(text string) (Means, error) {
	if text == "" || text == "none" {
		return Means{}, nil
	}
	kind, rest, named := strings.Cut(text, ":")
	for _, f := range meansForms {
		if string(f.kind) != kind {
			continue
		}
		m := Means{Kind: f.kind, Name: rest}
		if f.name == "" {
			m.Name, m.Ref = "", rest
		} else if f.ref {
			m.Name, m.Ref, _ = strings.Cut(rest, "@")
		}
		if f.needed && m.Name == "" || named && rest == "" || !m.fits() {
			return Means{}, fmt.Errorf("%q is not %s", text, f)
		}
		return m, nil
	}
	return Means{}, fmt.Errorf("%q is not known; allowed are none, %s", text, strings.Join(MeansForms(), ", "))
}

// fits reports whether the texts can be what they are meant to be.
func (m Means) fits() bool {
	switch {
	case m.Ref != "" && (!meansRef.MatchString(m.Ref) || strings.Contains(m.Ref, "..")):
		return false
	case m.Kind == Workflow:
		return workflowFile.MatchString(m.Name)
	case m.Kind == Dispatch && len([]rune(m.Name)) > 100:
		return false
	}
	return m.Name == "" || meansName.MatchString(m.Name)
}

// Platform is whose means it is.
func (m Means) Platform() Platform {
	for _, f := range meansForms {
		if f.kind == m.Kind {
			return f.platform
		}
	}
	return ""
}

// String writes the means as ParseMeans reads it; "none" when there is none.
func (m Means) String() string {
	switch {
	case m.Kind == "":
		return "none"
	case m.Kind == Trigger && m.Ref != "":
		return string(m.Kind) + ":" + m.Ref
	case m.Name == "":
		return string(m.Kind)
	case m.Ref != "":
		return string(m.Kind) + ":" + m.Name + "@" + m.Ref
	}
	return string(m.Kind) + ":" + m.Name
}
