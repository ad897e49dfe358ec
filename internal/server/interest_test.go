package server

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/approval"
)

// TestInterest says which deliveries are worth a look.
func TestInterest(t *testing.T) {
	t.Parallel()
	github := func(action, comment, before, user string) string {
		return fmt.Sprintf(`{"action":%q,"issue":{"number":3,"pull_request":{}},"comment":{"body":%q,"user":{"type":%q}},`+
			`"changes":{"body":{"from":%q}},"repository":{"id":77,"full_name":"shop/web"}}`, action, comment, user, before)
	}
	of := func(action, state, text, user string) string {
		return fmt.Sprintf(`{"action":%q,"pull_request":{"number":3},"review":{"state":%q,"body":%s,"user":{"type":%q}},`+
			`"repository":{"id":77,"full_name":"shop/web"}}`, action, state, text, user)
	}
	gitlab := func(attributes string) string {
		return `{"project":{"id":77,"path_with_namespace":"shop/web"},"merge_request":{"iid":3},"object_attributes":{"iid":3,` + attributes + `}}`
	}
	for name, c := range map[string]struct{ event, body, ignored string }{
		"a comment with a command":                 {issueComment, github("created", "Looks good.\n\n"+approve, "", "User"), ""},
		"a comment without":                        {issueComment, github("created", "we use /canary approve", "", "User"), "no command"},
		"a command in a quote":                     {issueComment, github("created", "> "+approve+"\n\nIndeed.", "", "User"), "no command"},
		"a command that is wrong gets help":        {issueComment, github("created", "/canary aprove", "", "User"), ""},
		"a command edited in":                      {issueComment, github("edited", approve, "hm", "User"), ""},
		"a command edited out":                     {issueComment, github("edited", "hm", approve, "User"), ""},
		"an edit of something else":                {issueComment, github("edited", "hm", "ehm", "User"), "no command"},
		"a command deleted":                        {issueComment, github("deleted", approve, "", "User"), ""},
		"a comment of a bot":                       {issueComment, github("created", approve, "", "Bot"), "bot"},
		"a comment pinned":                         {issueComment, github("pinned", approve, "", "User"), "action"},
		"a comment on an issue":                    {issueComment, strings.Replace(github("created", approve, "", "User"), `{}`, `null`, 1), "issue"},
		"a review that approves, without a text":   {review, of("submitted", "approved", "null", "User"), ""},
		"a review that asks for changes":           {review, of("submitted", "changes_requested", `"no"`, "User"), ""},
		"a review that comments":                   {review, of("submitted", "commented", `"hm"`, "User"), "no command"},
		"a review that comments with a command":    {review, of("submitted", "commented", `"/canary abort"`, "User"), ""},
		"a review of a bot":                        {review, of("submitted", "approved", "null", "Bot"), "bot"},
		"a review edited":                          {review, of("edited", "approved", `"ok"`, "User"), ""},
		"a review dismissed, of a bot too":         {review, of("dismissed", "dismissed", "null", "Bot"), ""},
		"a review requested":                       {review, of("requested", "", "null", "User"), "action"},
		"new commits":                              {pullRequest, of("synchronize", "", "null", "User"), ""},
		"closed":                                   {pullRequest, of("closed", "", "null", "User"), ""},
		"labeled":                                  {pullRequest, of("labeled", "", "null", "User"), "action"},
		"ping":                                     {ping, `{"zen":"Keep it logically awesome."}`, "event"},
		"push":                                     {"push", `{"ref":"x"}`, "event"},
		"a note with a command":                    {noteHook, note(3, approve), ""},
		"a note without":                           {noteHook, note(3, "hm"), "no command"},
		"a note of a GitLab that names no action":  {noteHook, gitlab(`"noteable_type":"MergeRequest","note":"/canary abort"`), ""},
		"a note updated: the old text is unknown":  {noteHook, gitlab(`"action":"update","noteable_type":"MergeRequest","note":"hm"`), ""},
		"a note of the system":                     {noteHook, gitlab(`"noteable_type":"MergeRequest","system":true,"note":"/canary abort"`), "system"},
		"a note on a commit":                       {noteHook, gitlab(`"noteable_type":"Commit","note":"/canary abort"`), "not of a merge request"},
		"an internal note":                         {"Confidential Note Hook", note(3, approve), "event"},
		"new commits of a merge request":           {mergeHook, gitlab(`"action":"update","oldrev":"abc"`), ""},
		"a merge request with another description": {mergeHook, gitlab(`"action":"update"`), "no new commits"},
		"merged":                          {mergeHook, gitlab(`"action":"merge"`), ""},
		"a merge request closed":          {mergeHook, gitlab(`"action":"close"`), ""},
		"a merge request opened":          {mergeHook, gitlab(`"action":"open"`), "action"},
		"a job of GitLab that is created": {jobHook, `{"project_id":77,"pipeline_id":5,"build_status":"created"}`, "status"},
		"a job of GitHub that is queued":  {workflowJob, `{"action":"queued","workflow_job":{"run_id":9},"repository":{"id":77,"full_name":"shop/web"}}`, "action"},
		"a run of GitHub that begins":     {workflowRun, `{"action":"requested","workflow_run":{"id":9},"repository":{"id":77,"full_name":"shop/web"}}`, "action"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, r, platform := newServer(t, sampleConfig()), fromGitHub(c.event, "d-1", c.body), approval.GitHub
			if strings.HasSuffix(c.event, "Hook") {
				r, platform = fromGitLab(c.event, "d-1", c.body), approval.GitLab
			}
			answer := send(s, r)
			n, _ := s.queue.length()
			if c.ignored == "" {
				if p, _, _ := s.queue.next(s.clock.Now()); answer.Code != http.StatusAccepted || p.Subject != subject(platform, 3) {
					t.Errorf("%d %s, %+v", answer.Code, answer.Body, p)
				}
			} else if answer.Code != http.StatusOK || answer.Body.String() != "ignored: "+c.ignored+"\n" || n != 0 {
				t.Errorf("%d %s, %d wait; want it ignored: %s", answer.Code, answer.Body, n, c.ignored)
			}
		})
	}
}

// TestTheOfficialCommentsWithACommand sends the official payloads of comments with the text that matters here.
func TestTheOfficialCommentsWithACommand(t *testing.T) {
	t.Parallel()
	config := sampleConfig()
	config.AnyRepository, config.GitHub.Repositories, config.GitLab.Repositories = true, nil, nil
	s, sent := newServer(t, config), 0
	for i, e := range examples(t) {
		r := e.request(fmt.Sprint("d-", i))
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(body), "You are totally right! I'll get this fixed", "/canary abort I'll get this fixed")
		text = strings.ReplaceAll(text, "This MR needs work.", "/canary abort: it needs work")
		if text == string(body) {
			continue
		}
		text = strings.Replace(text, `"issue":{`, `"issue":{"pull_request":{"url":"x"},`, 1)
		again := fromGitHub("issue_comment", "again", text)
		if strings.HasPrefix(e.name, "gitlab") {
			again = fromGitLab(noteHook, "again", text)
		}
		sent++
		if answer := send(s, again); answer.Code != http.StatusAccepted {
			t.Errorf("%s: %d %s", e.name, answer.Code, answer.Body)
		}
	}
	if sent != 10 {
		t.Errorf("%d comments, want 10", sent)
	}
}

func TestAnotherPrefixAndTheAlias(t *testing.T) {
	t.Parallel()
	config := sampleConfig()
	config.Grammar = approval.Grammar{Prefix: "/roll", BareApprove: true}
	s := newServer(t, config)
	for text, status := range map[string]int{"/roll abort": 202, "/approve": 202, "/canary abort": 200} {
		if answer := send(s, fromGitHub(issueComment, "d", comment(3, text))); answer.Code != status {
			t.Errorf("%s: %d %s", text, answer.Code, answer.Body)
		}
	}
}

func FuzzPayload(f *testing.F) {
	for _, body := range []string{comment(3, approve), note(3, approve), `{}`, `[]`, `{"issue":{"pull_request":null}}`} {
		f.Add(0, []byte(body))
		f.Add(4, []byte(body))
	}
	f.Fuzz(func(t *testing.T, which int, body []byte) {
		events := append(append([]string{other}, githubEvents...), gitlabEvents...)
		event := events[max(which, -which-1)%len(events)]
		parse := ParseGitHub
		if strings.HasSuffix(event, "Hook") {
			parse = ParseGitLab
		}
		notice, err := parse(event, body, approval.Grammar{})
		switch s := notice.Subject; {
		case err != nil && notice.Wanted, err == nil && !notice.Wanted && notice.Ignored == "":
			t.Errorf("%+v %v", notice, err)
		case notice.Wanted && (s.Repository <= 0 || s.Change <= 0 && s.Run <= 0 || len(s.Path) > 512 || strings.Contains(s.Path, "..") && dots.MatchString(s.Path)):
			t.Errorf("a change that cannot be: %+v", s)
		case notice.Wanted && strings.ContainsAny(s.Path, "?#%@:\\ \n"):
			t.Errorf("a path that changes an address: %q", s.Path)
		}
	})
}

func TestWhatIsSaidOfRunsIsAboutTheRun(t *testing.T) {
	t.Parallel()
	of := func(rest string) string { return `{"repository":{"id":77,"full_name":"shop/web"},` + rest + `}` }
	rule := func(url string) string {
		return of(`"action":"requested","environment":"prod","deployment_callback_url":"` + url + `"`)
	}
	const ours = "https://api.github.com/repos/shop/web/actions/runs/9/deployment_protection_rule"
	for name, c := range map[string]struct {
		event, body string
		run         int64 // 0: it is refused
	}{
		"a run that is over":        {workflowRun, of(`"action":"completed","workflow_run":{"id":9}`), 9},
		"a job that is over":        {workflowJob, of(`"action":"completed","workflow_job":{"id":3,"run_id":9}`), 9},
		"a rule that is asked":      {ruleAsked, rule(ours), 9},
		"a job of GitLab":           {jobHook, `{"project_id":77,"pipeline_id":9,"build_status":"canceled"}`, 9},
		"a run without a number":    {workflowRun, of(`"action":"completed"`), 0},
		"a rule of another server":  {ruleAsked, rule("https://evil.test/repos/shop/web/actions/runs/9/deployment_protection_rule"), 0},
		"a rule of a longer name":   {ruleAsked, rule("https://api.github.com.evil.test/repos/shop/web/actions/runs/9/deployment_protection_rule"), 0},
		"a rule with a user":        {ruleAsked, rule("https://api.github.com@evil.test/repos/shop/web/actions/runs/9/deployment_protection_rule"), 0},
		"a rule of another project": {ruleAsked, rule("https://api.github.com/repos/bank/web/actions/runs/9/deployment_protection_rule"), 0},
		"a rule of no run":          {ruleAsked, rule("https://api.github.com/repos/shop/web/actions/runs/../deployment_protection_rule"), 0},
		"a rule of plain HTTP":      {ruleAsked, rule("http://169.254.169.254/repos/shop/web/actions/runs/9/deployment_protection_rule"), 0},
		"a rule without an address": {ruleAsked, rule(""), 0},
	} {
		config := sampleConfig()
		config.GitHub.API = "https://api.github.com"
		s, r, want := newServer(t, config), fromGitHub(c.event, "d-1", c.body), Subject{Platform: approval.GitHub, Repository: repoID, Path: repoPath, Run: c.run}
		if c.event == jobHook {
			r, want.Platform, want.Path = fromGitLab(c.event, "d-1", c.body), approval.GitLab, ""
		}
		answer := send(s, r)
		p, _, _ := s.queue.next(s.clock.Now())
		switch {
		case c.run == 0 && answer.Code != http.StatusBadRequest:
			t.Errorf("%s: %d %s", name, answer.Code, answer.Body)
		case c.run != 0 && (answer.Code != http.StatusAccepted || p.Subject != want):
			t.Errorf("%s: %d %s, %+v", name, answer.Code, answer.Body, p)
		}
	}
}
