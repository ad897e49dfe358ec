package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/watch"
)

// bookmarkEvery is how often a watch that allows it learns the current version when nothing else tells it.
const bookmarkEvery = time.Minute

// apiWatch is one watch on its way to a client. It reads the history at its own pace, so that a slow client delays
// nobody; one that falls behind the history is told 410 Gone.
type apiWatch struct {
	kind      *apiKind
	selection apiSelection
	bookmarks bool
	// version is the last one that the client knows of.
	version int64
	out     *json.Encoder
	flush   func() error
}

// watchLine is one line of the answer.
type watchLine struct {
	Type   watch.EventType `json:"type"`
	Object any             `json:"object"`
}

// serveWatch streams events until the client leaves, its time is up, or the server ends.
func (a *API) serveWatch(w http.ResponseWriter, k *apiKind, r APIRequest) {
	selection, err := parseSelection(k, r)
	if err != nil {
		writeError(w, err)
		return
	}
	query := r.HTTP.URL.Query()
	ctx := r.HTTP.Context()
	if seconds, err := strconv.Atoi(query.Get("timeoutSeconds")); err == nil && seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
		defer cancel()
	}
	stream := &apiWatch{kind: k, selection: selection, bookmarks: query.Get("allowWatchBookmarks") == "true"}
	initial, err := a.startWatch(stream, r)
	if err != nil {
		writeError(w, err)
		return
	}
	a.countWatch(1)
	defer a.countWatch(-1)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	stream.out, stream.flush = json.NewEncoder(w), http.NewResponseController(w).Flush
	if err := stream.send(initial...); err != nil {
		return
	}
	// An error means that the client has gone, which ends the watch as well as anything.
	_ = a.follow(ctx, stream)
}

// startWatch finds where a watch begins, and the lines that tell the client the state there.
func (a *API) startWatch(stream *apiWatch, r APIRequest) ([]watchLine, error) {
	query := r.HTTP.URL.Query()
	asked, initial := query.Get("resourceVersion"), query.Get("sendInitialEvents")
	if initial != "" && query.Get("resourceVersionMatch") != string(metav1.ResourceVersionMatchNotOlderThan) {
		return nil, apierrors.NewInvalid(metav1.SchemeGroupVersion.WithKind("ListOptions").GroupKind(), "", field.ErrorList{field.Forbidden(
			field.NewPath("resourceVersionMatch"), "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")})
	}
	from, err := strconv.ParseInt(asked, 10, 64)
	if asked != "" && err != nil {
		return nil, apierrors.NewInvalid(metav1.SchemeGroupVersion.WithKind("ListOptions").GroupKind(), "", field.ErrorList{field.Invalid(
			field.NewPath("resourceVersion"), asked, err.Error())})
	}
	found, version := a.snapshot(stream.selection)
	if from > version {
		return nil, apierrors.NewTimeoutError(fmt.Sprintf("Too large resource version: %d, current: %d", from, version), 1)
	}
	if initial != "true" && from > 0 {
		stream.version = from
		_, _, err := a.since(from)
		return nil, err
	}
	stream.version = version
	if initial == "false" {
		return nil, nil
	}
	lines := make([]watchLine, 0, len(found)+1)
	for _, object := range found {
		lines = append(lines, watchLine{watch.Added, object})
	}
	if initial == "true" && stream.bookmarks {
		lines = append(lines, stream.bookmark(map[string]string{metav1.InitialEventsAnnotationKey: "true"}))
	}
	return lines, nil
}

// follow sends what happens until ctx ends.
func (a *API) follow(ctx context.Context, stream *apiWatch) error {
	ticker := time.NewTicker(bookmarkEvery)
	defer ticker.Stop()
	for {
		events, changed, err := a.since(stream.version)
		if err != nil {
			return stream.fail(err)
		}
		if err := stream.deliver(events); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) && stream.bookmarks {
				return stream.send(stream.bookmark(nil))
			}
			return nil
		case <-ticker.C:
			if stream.bookmarks {
				if err := stream.send(stream.bookmark(nil)); err != nil {
					return err
				}
			}
		case <-changed:
		}
	}
}

// deliver sends those of the events that the watch is about.
func (s *apiWatch) deliver(events []apiEvent) error {
	var lines []watchLine
	for _, event := range events {
		s.version = event.version
		if line, ok := s.line(event); ok {
			lines = append(lines, line)
		}
	}
	return s.send(lines...)
}

// line tells an event as seen through the selector: what begins to match is added, what no longer does is deleted.
func (s *apiWatch) line(event apiEvent) (watchLine, bool) {
	if !s.selection.covers(event.key) {
		return watchLine{}, false
	}
	before := s.selection.matches(event.before)
	after := event.verb != watch.Deleted && s.selection.matches(event.after)
	switch {
	case before && after:
		return watchLine{watch.Modified, event.after}, true
	case after:
		return watchLine{watch.Added, event.after}, true
	case before:
		gone := event.before.DeepCopy()
		gone.SetResourceVersion(strconv.FormatInt(event.version, 10))
		return watchLine{watch.Deleted, gone}, true
	}
	return watchLine{}, false
}

func (s *apiWatch) bookmark(annotations map[string]string) watchLine {
	object := emptyObject(s.kind.GroupVersionKind)
	object.SetResourceVersion(strconv.FormatInt(s.version, 10))
	object.SetAnnotations(annotations)
	return watchLine{watch.Bookmark, object.Object}
}

func (s *apiWatch) fail(err error) error {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		status = apierrors.NewInternalError(err)
	}
	body := status.Status()
	body.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	return s.send(watchLine{watch.Error, body})
}

func (s *apiWatch) send(lines ...watchLine) error {
	for _, line := range lines {
		if object, ok := line.Object.(*unstructured.Unstructured); ok {
			line.Object = object.Object
		}
		if err := s.out.Encode(line); err != nil {
			return err
		}
	}
	return s.flush()
}
