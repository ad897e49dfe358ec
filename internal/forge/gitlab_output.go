package forge

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/penstock-dev/penstock/internal/report"
)

const (
	// gitlabDotenvMax is the size of a dotenv report in bytes from which GitLab refuses it, and with it the whole job.
	gitlabDotenvMax = 5 * 1024
	// gitlabDotenvValues is how many variables every instance takes; some take more.
	gitlabDotenvValues = 20
)

var dotenvName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// GitLabDotenv renders outputs as a dotenv report: "rollout-id" becomes PENSTOCK_ROLLOUT_ID in the jobs that follow. An
// output that GitLab would refuse or change is left out and named by the error; the text holds the others, so that one
// bad value does not take the verdict from the next job.
func GitLabDotenv(outputs map[string]string) (string, error) {
	var text strings.Builder
	var problems []error
	written := 0
	for _, output := range slices.Sorted(maps.Keys(outputs)) {
		name := "PENSTOCK_" + strings.ToUpper(strings.ReplaceAll(output, "-", "_"))
		line := name + "=" + outputs[output] + "\n"
		why := dotenvProblem(name, outputs[output])
		switch {
		case why != "":
		case written == gitlabDotenvValues:
			why = fmt.Sprintf("GitLab takes %d variables", gitlabDotenvValues)
		case text.Len()+len(line) >= gitlabDotenvMax:
			why = fmt.Sprintf("with its %d bytes the report would not be smaller than the %d bytes that GitLab takes", len(line), gitlabDotenvMax)
		}
		if why != "" {
			problems = append(problems, fmt.Errorf("output %q is left out: %s", report.Clean(output), why))
			continue
		}
		text.WriteString(line)
		written++
	}
	return text.String(), errors.Join(problems...)
}

// dotenvProblem says why GitLab would not hand on the value as it is. There is no quoting in its dotenv files.
func dotenvProblem(name, value string) string {
	switch {
	case !dotenvName.MatchString(name):
		return "its name may have letters, digits and dashes only"
	case strings.ContainsAny(value, "\r\n\x00\u0085\u2028\u2029"):
		return "its value has more than one line"
	case !utf8.ValidString(value):
		return "its value is not UTF-8"
	case strings.Contains(value, "$"):
		return "its value has a $, and the next job's runner would put a variable in its place"
	case strings.TrimSpace(value) != value:
		return "its value has blanks at an end, which GitLab drops"
	}
	return ""
}

const (
	gitlabLabelMax = 255
	gitlabURLMax   = 2048
)

// GitLabAnnotations renders links as an annotations report: GitLab shows them on the job's page. A link that it would
// refuse is left out and named by the error.
func GitLabAnnotations(links []Link) (string, error) {
	type annotation struct {
		Link struct {
			Label string `json:"label"`
			URL   string `json:"url"`
		} `json:"external_link"`
	}
	section := []annotation{} // not nil: GitLab's schema wants a list
	var problems []error
	for _, link := range links {
		label := gitlabCut(report.Clean(link.Name), gitlabLabelMax)
		switch {
		case label == "":
			problems = append(problems, errors.New("a link is left out: it has no label"))
		case !gitlabLink(link.URL):
			problems = append(problems, fmt.Errorf("link %q is left out: its URL is not an http or https URL", label))
		case len(link.URL) > gitlabURLMax:
			problems = append(problems, fmt.Errorf("link %q is left out: its URL is longer than %d bytes", label, gitlabURLMax))
		default:
			var one annotation
			one.Link.Label, one.Link.URL = label, link.URL
			section = append(section, one)
		}
	}
	text, err := json.MarshalIndent(map[string][]annotation{"penstock": section}, "", "  ")
	if err != nil {
		problems = append(problems, fmt.Errorf("render the annotations: %w", err))
	}
	return string(text) + "\n", errors.Join(problems...)
}
