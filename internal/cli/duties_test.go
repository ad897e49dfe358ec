package cli

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/kube"
)

func TestWhatAServerDoesIsWhatARunAsksFor(t *testing.T) {
	t.Parallel()
	secrets := []string{"0123456789"}
	app := hooks{github: secrets, githubIDs: []int64{7, 8}, access: forgeAccess{appID: 42}}
	token := hooks{github: secrets, githubIDs: []int64{7}, access: forgeAccess{githubToken: "t"}}
	gitlab := hooks{gitlab: secrets, anyRepository: true, access: forgeAccess{gitlabToken: "t", triggers: map[int64]string{7: "t"}}}
	signed := hooks{gitlabSigning: secrets, anyRepository: true, access: forgeAccess{gitlabToken: "t"}}
	deaf := hooks{anyRepository: true, access: forgeAccess{githubToken: "t", gitlabToken: "t"}}
	for name, of := range map[string]struct {
		hooks
		want []string
	}{
		"an App":            {app, []string{"dispatch", "github:7", "github:8", "protection-rule", "rerun", "workflow"}},
		"a token":           {token, []string{"dispatch", "github:7", "rerun", "workflow"}},
		"GitLab":            {gitlab, []string{"gitlab:any", "play", "trigger:7"}},
		"a signing token":   {signed, []string{"gitlab:any", "play"}},
		"without a webhook": {deaf, nil},
	} {
		if diff := cmp.Diff(of.want, of.duties()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}

	for _, test := range []struct {
		repository int64
		platform   forge.Platform
		resume     string
		servers    []hooks // that are enough, of all these
	}{
		{7, forge.PlatformGitHub, "none", []hooks{app, token}},
		{8, forge.PlatformGitHub, "none", []hooks{app}},
		{9, forge.PlatformGitHub, "none", nil},
		{7, forge.PlatformGitHub, "rerun", []hooks{app, token}},
		{7, forge.PlatformGitHub, "workflow:promote.yml@main", []hooks{app, token}},
		{7, forge.PlatformGitHub, "dispatch:promote", []hooks{app, token}},
		{7, forge.PlatformGitHub, "protection-rule:production", []hooks{app}},
		{7, forge.PlatformGitLab, "play:promote", []hooks{gitlab, signed}},
		{7, forge.PlatformGitLab, "trigger:main", []hooks{gitlab}},
		{8, forge.PlatformGitLab, "trigger", nil},
	} {
		means, err := forge.ParseMeans(test.resume)
		if err != nil {
			t.Fatal(err)
		}
		d := &drive{approvals: &approvals{served: true}}
		d.standing.resume, d.job.CI = means, forge.CI{Platform: test.platform, RepositoryID: test.repository}
		for _, server := range []hooks{app, token, gitlab, signed, deaf} {
			does := server.duties()
			enough := !slices.ContainsFunc(d.duties(), func(duty kube.Duty) bool {
				return !slices.ContainsFunc(duty.Names, func(name string) bool { return slices.Contains(does, name) })
			})
			if want := slices.ContainsFunc(test.servers, func(h hooks) bool { return cmp.Equal(h.duties(), does) }); enough != want {
				t.Errorf("%s in repository %d of %s: a server that serves %q is enough: %t", test.resume, test.repository, test.platform, does, enough)
			}
		}
	}
}
