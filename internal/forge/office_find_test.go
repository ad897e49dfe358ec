package forge

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/approval"
)

// ofNumber9 is a pull request of our repository, whose number is 9.
func ofNumber9(number int, state, head string) fakePull {
	p := pull(number, state, head)
	p.Base = map[string]any{"repo": map[string]any{"full_name": "o/r", "id": 9}}
	return p
}

func TestAnOfficeFindsThePullRequestsOfACommit(t *testing.T) {
	t.Parallel()
	merged := ofNumber9(4, "merged", otherSHA)
	merged.MergeCommitSHA = headSHA
	var many []fakePull
	for i := range 150 { // a branch that all were cut from
		many = append(many, ofNumber9(1000+i, "open", otherSHA))
	}
	for name, tt := range map[string]struct {
		pulls []fakePull
		want  []int64
	}{
		"none":                            {nil, nil},
		"the head of one, among newer":    {[]fakePull{ofNumber9(9, "open", otherSHA), ofNumber9(3, "open", headSHA)}, []int64{3}},
		"merged as it":                    {[]fakePull{ofNumber9(9, "merged", otherSHA), merged}, []int64{4}},
		"not one that is closed":          {[]fakePull{ofNumber9(3, "closed", headSHA)}, nil},
		"each that it is, by its number":  {[]fakePull{ofNumber9(9, "open", headSHA), merged}, []int64{4, 9}},
		"one that comes on a second page": {append(many, merged), []int64{4}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeGitHub(t)
			f.pulls[headSHA] = tt.pulls
			got, err := f.office().Find(t.Context(), Sought{Platform: approval.GitHub, Repository: "o/r", Commit: headSHA})
			var want []approval.Source
			for _, n := range tt.want {
				want = append(want, approval.Source{Platform: approval.GitHub, Repository: 9, Change: n})
			}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

func TestAnOfficeSaysWhyACommitCannotBeLookedFor(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	status := http.StatusUnprocessableEntity
	f.trouble = func(w http.ResponseWriter, _ *http.Request) bool {
		refuse(w, status, "No commit found for SHA")
		return true
	}
	sought := Sought{Platform: approval.GitHub, Repository: "o/r", Commit: headSHA}
	if got, err := f.office().Find(t.Context(), sought); err != nil || got != nil {
		t.Errorf("an unknown commit: %v %v", got, err)
	}
	status = http.StatusNotFound
	if _, err := f.office().Find(t.Context(), sought); err == nil || !strings.Contains(err.Error(), "look for the pull request of the commit") {
		t.Errorf("a repository that the token cannot see: %v", err)
	}
	sought.Repository = "o"
	if _, err := f.office().Find(t.Context(), sought); err == nil || !strings.Contains(err.Error(), "is not the path of a repository") {
		t.Errorf("a path of none: %v", err)
	}
}

// office is one with a token.
func (f *fakeGitHub) office() *Office {
	f.t.Helper()
	cfg := f.config()
	o, err := NewOffice(OfficeConfig{GitHubAPI: cfg.CI.API, GitHubToken: cfg.Token, Client: cfg.Client})
	if err != nil {
		f.t.Fatal(err)
	}
	return o
}

func TestAnOfficeReadsAFileOfTheDefaultBranch(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	f.handle("GET /repos/o/r/contents/{path...}", "", func(w http.ResponseWriter, r *http.Request) {
		if ref := r.URL.Query().Get("ref"); ref != "" {
			t.Errorf("of the branch %q", ref)
		}
		switch r.PathValue("path") {
		case ".penstock/approvals.yaml":
			answer(w, http.StatusOK, map[string]any{"type": "file", "encoding": "base64", "content": "Z3Jv\ndXBz\n"})
		case ".penstock":
			answer(w, http.StatusOK, []any{map[string]any{"type": "file"}})
		case "secret":
			refuse(w, http.StatusForbidden, "Resource not accessible by integration")
		default:
			refuse(w, http.StatusNotFound, "Not Found")
		}
	})
	o := f.office()
	for path, tt := range map[string]struct {
		text  string
		there bool
		err   string
	}{
		".penstock/approvals.yaml": {"groups", true, ""},
		"none":                     {"", false, ""},
		".penstock":                {"", false, "it is no file"},
		"secret":                   {"", false, "read secret of the default branch"},
	} {
		text, there, err := o.File(t.Context(), Sheet{Platform: approval.GitHub, Repository: "o/r", Path: path})
		if string(text) != tt.text || there != tt.there || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %q %v %v", path, text, there, err)
		}
	}
}
