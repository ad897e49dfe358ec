package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-github/v60/github"
	"github.com/xanzy/go-gitlab"

	"github.com/penstock-dev/penstock/internal/approval"
)

// Sheet is a file of a repository.
type Sheet struct {
	Platform   approval.Platform
	Repository string // its path, such as owner/name
	Path       string // of the file, from the root
}

// File returns what a file holds on the default branch of its repository, and false when it is not there. No other branch
// is asked: whoever may push could make one and write into the file what they like.
func (o *Office) File(ctx context.Context, s Sheet) (text []byte, there bool, err error) {
	parts, err := o.parts(s.Platform, s.Repository)
	if err != nil {
		return nil, false, err
	}
	what := fmt.Sprintf("read %s of the default branch", s.Path)
	if s.Platform == approval.GitLab {
		return o.gitlab.file(ctx, what, s)
	}
	g, err := o.githubFor(ctx, parts)
	if err != nil {
		return nil, false, err
	}
	var file *github.RepositoryContent
	err = g.call(ctx, what, func(ctx context.Context) (err error) {
		file, _, _, err = g.api.Repositories.GetContents(ctx, parts[0], parts[1], s.Path, nil)
		return err
	})
	switch {
	case statusOf(err) == http.StatusNotFound:
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case file == nil || file.GetType() != "file":
		return nil, false, errors.New(what + ": it is no file")
	}
	content, err := file.GetContent()
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", what, err)
	}
	return []byte(content), true, nil
}

func (a *gitlabAPI) file(ctx context.Context, what string, s Sheet) (text []byte, there bool, err error) {
	head := "HEAD" // of the repository is its default branch
	err = a.call(ctx, gitlabCall{what: what, send: func(o ...gitlabOption) (resp *gitlabAnswer, err error) {
		text, resp, err = a.client.RepositoryFiles.GetRawFile(s.Repository, s.Path, &gitlab.GetRawFileOptions{Ref: &head}, o...)
		return resp, err
	}})
	if gitlabStatusOf(err) == http.StatusNotFound {
		return nil, false, nil
	}
	return text, err == nil, err
}
