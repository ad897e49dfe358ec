package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// Resume names a suspended rollout and the job that has suspended it.
type Resume struct {
	Means     Means
	CI        CI     // of that job; of its addresses only what is the Office's own forge is used
	Rollout   string // the id of the run that has suspended it
	Namespace string
	Canary    string
	Request   int64  // the pull or merge request on which people were asked; 0 when it is not known
	Image     string // that is under analysis, as one may show it
	Trigger   Token  // of GitLab's pipeline triggers
	Comment   string // for whoever looks at what was started, in a sentence
}

// Found is what a look for a run tells that may have been started. The zero value is that nobody can tell.
type Found int

// What is found.
const (
	Unsure Found = iota
	Nothing
	Started
)

// Starter starts the run that takes up a suspended rollout. Nothing of it is repeated by itself: whoever gets an error asks
// Unanswered whether the run may have been started all the same, and then looks.
type Starter interface {
	// Ready reports whether the run can be started now, and otherwise what has to happen before.
	Ready(ctx context.Context) (why string, err error)
	// Look looks for a run that was started since then.
	Look(ctx context.Context, since time.Time) (Found, error)
	// Start starts the run.
	Start(ctx context.Context) error
	// ByHand is what a person does in its place, in a line.
	ByHand() string
}

// Waiter is a Starter that can also tell whoever looks at what is to be started what it waits for.
type Waiter interface {
	Wait(ctx context.Context, what string) error
}

// Refuser is a Starter that can also be told that nobody will start the run.
type Refuser interface {
	Refuse(ctx context.Context, why string) error
}

// Unanswered reports whether what failed may have been done all the same: it was sent, and no answer came that says
// otherwise.
func Unanswered(err error) bool {
	var limited *LimitError
	var answer *answerError
	switch failed := (*gitlabError)(nil); {
	case err == nil, errors.As(err, &limited):
		return false
	case errors.As(err, &failed):
		return failed.unsure
	case errors.As(err, &answer):
		return answer.status >= http.StatusInternalServerError || answer.status == http.StatusRequestTimeout
	}
	var known *refusal
	return !errors.As(err, &known)
}

// Hopeless reports whether the same request will fail again, until somebody changes something.
func Hopeless(err error) bool {
	var known *refusal
	if errors.As(err, &known) {
		return true
	}
	if failed := (*gitlabError)(nil); errors.As(err, &failed) {
		return failed.status >= http.StatusBadRequest && !failed.transient
	}
	return errors.Is(err, httpx.ErrPermanent) && statusOf(err) != 0
}

// refusal is what is wrong with an order to start a run, found out before it was given.
type refusal struct{ why string }

func (e *refusal) Error() string { return e.why }

func refuses(format string, args ...any) error { return &refusal{fmt.Sprintf(format, args...)} }

// errMoved is a request to a repository that is another one by now.
func errMoved(path string, is, was int64) error {
	return refuses("the repository %s is number %d now, and not %d", path, is, was)
}

// Starter returns what starts the run of a suspended rollout. It makes no request.
func (o *Office) Starter(r Resume) (Starter, error) {
	platform := r.Means.Platform()
	switch {
	case platform == "":
		return nil, refuses("the rollout is to be taken up by nobody's means")
	case platform != r.CI.Platform:
		return nil, refuses("the means %s is not of %s, whose job has suspended the rollout", r.Means, r.CI.Platform.Title())
	case r.CI.RepositoryID <= 0:
		return nil, refuses("the number of the repository is not known")
	case platform == PlatformGitLab:
		return o.gitlabStarter(r)
	}
	s, err := o.githubStarter(r)
	if err != nil {
		return nil, err
	}
	return s, nil
}
