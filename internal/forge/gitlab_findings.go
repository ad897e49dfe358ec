package forge

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
)

// codeQuality is a problem in GitLab's form: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
type codeQuality struct {
	Description string              `json:"description"`
	CheckName   string              `json:"check_name"`
	Fingerprint string              `json:"fingerprint"`
	Severity    string              `json:"severity"`
	Location    codeQualityLocation `json:"location"`
}

type codeQualityLocation struct {
	Path  string `json:"path"`
	Lines struct {
		Begin int `json:"begin"`
	} `json:"lines"`
}

// CodeQuality writes problems as a code quality report of GitLab, which shows them in the merge request. A problem keeps its
// fingerprint when lines are added above it, so that GitLab knows an old one from a new one; of several with one text in a
// file each has its own, since GitLab would show the first alone.
func CodeQuality(findings []Finding) ([]byte, error) {
	report := []codeQuality{} // none is an empty list: the problems of before are solved
	times := map[Finding]int{}
	for _, f := range findings {
		at := Finding{File: path.Clean(f.File), Message: f.Message}
		times[at]++
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d", at.File, at.Message, times[at]))
		problem := codeQuality{
			Description: f.Message, CheckName: "penstock", Fingerprint: hex.EncodeToString(sum[:16]), Severity: "major",
			Location: codeQualityLocation{Path: at.File},
		}
		problem.Location.Lines.Begin = max(f.Line, 1)
		report = append(report, problem)
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the code quality report: %w", err)
	}
	return append(text, '\n'), nil
}
