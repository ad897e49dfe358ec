package approval

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Notice tells those who receive approvals about a rollout at whose gates people approve: whose comments are about it, and
// by which policy they count. Only the run of the rollout writes it, or a server whom Flagger asks.
type Notice struct {
	Namespace string `json:"namespace"` // of the canary
	Canary    string `json:"canary"`
	Epoch     int64  `json:"epoch"` // of the run's lease

	Path   string `json:"path"`             // of the repository, such as owner/name: the forges' API asks for it
	Prefix string `json:"prefix,omitempty"` // of commands; see ParsePrefix
	Gate   Gate   `json:"gate"`
	Policy Policy `json:"policy"`
	Over   bool   `json:"over,omitempty"` // the rollout no longer listens to anybody

	Flagger bool `json:"flagger,omitempty"` // Flagger drives the rollout, and a server has written this for it
}

// RenderNotice returns the text of a notice.
func RenderNotice(n Notice) (string, error) {
	text, err := json.Marshal(n)
	if err != nil {
		return "", fmt.Errorf("write the notice of %s/%s: %w", n.Namespace, n.Canary, err)
	}
	return string(text), nil
}

// ParseNotice reads a notice. One by which nobody could tell a comment from another's is an error.
func ParseNotice(text string) (Notice, error) {
	var n Notice
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return Notice{}, fmt.Errorf("read a notice: %w", err)
	}
	switch g := &n.Gate; {
	case n.Namespace == "" || n.Canary == "":
		return Notice{}, errors.New("read a notice: it names no canary")
	case g.Platform == "" || g.Repository == 0 || g.Change == 0 || g.Rollout == "":
		return Notice{}, fmt.Errorf("read the notice of %s/%s: it does not say which change and which rollout it is about", n.Namespace, n.Canary)
	case g.PolicyHash != n.Policy.Hash():
		return Notice{}, fmt.Errorf("read the notice of %s/%s: its policy is another one than the rollout started under", n.Namespace, n.Canary)
	}
	return n, nil
}
