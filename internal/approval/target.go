package approval

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// nonceLength is how many characters of a nonce people copy: 40 bits, which nobody guesses by commenting.
const nonceLength = 8

// shortLength is how many characters of a rollout's id a target carries.
const shortLength = 6

// Target names one gate of one rollout of one revision, as people copy it. The zero target names nothing.
type Target struct {
	Rollout string // see Short
	Gate    int    // the gate's number in the rollout, from 1
	Nonce   string // see Bind
}

// String returns the target as it is copied, such as `7q2kzm-2-mfrggzdf`, or "" for the zero target.
func (t Target) String() string {
	if t == (Target{}) {
		return ""
	}
	return t.Rollout + "-" + strconv.Itoa(t.Gate) + "-" + t.Nonce
}

// ParseTarget reads a target. Upper case is read as lower case. The error says what a target looks like.
func ParseTarget(text string) (Target, error) {
	bad := fmt.Errorf("%s is not a target; a target looks like 7q2kzm-2-mfrggzdf and is copied from the comment that asks for approval",
		shown(text))
	parts := strings.Split(strings.ToLower(text), "-")
	if len(parts) != 3 {
		return Target{}, bad
	}
	short, number, nonce := parts[0], parts[1], parts[2]
	gate, err := strconv.Atoi(number)
	if err != nil || gate < 1 || gate > 1_000_000 || strconv.Itoa(gate) != number { // one spelling only: no 02, no +2
		return Target{}, bad
	}
	if short == "" || len(short) > shortLength || strings.Trim(short, lowerAlnum) != "" {
		return Target{}, bad
	}
	if len(nonce) != nonceLength || strings.Trim(nonce, base32Lower) != "" {
		return Target{}, bad
	}
	return Target{Rollout: short, Gate: gate, Nonce: nonce}, nil
}

const (
	lowerAlnum  = "abcdefghijklmnopqrstuvwxyz0123456789"
	base32Lower = "abcdefghijklmnopqrstuvwxyz234567"
)

// Short returns the end of a rollout's id that targets carry. The end, because time-ordered ids share their beginnings.
func Short(rollout string) string {
	letters := strings.Map(func(r rune) rune {
		if strings.ContainsRune(lowerAlnum, r) {
			return r
		}
		return -1
	}, strings.ToLower(rollout))
	return letters[max(0, len(letters)-shortLength):]
}

// Binding is what an approval is bound to. When any of it changes, the nonce does, and earlier approvals are for
// something else.
type Binding struct {
	Rollout    string `json:"rollout"` // the rollout's id
	Gate       int    `json:"gate"`    // its number in the rollout, from 1
	Repository int64  `json:"repository"`
	SHA        string `json:"sha"`      // the commit
	Digest     string `json:"digest"`   // of the image
	SpecHash   string `json:"specHash"` // of the canary
	Metrics    string `json:"metrics"`  // hash of the metrics that the approver was shown
	Epoch      int64  `json:"epoch"`    // of the lease under which the gate opened
}

// Bind returns the nonce of a gate: the first characters of a keyed hash of the binding. Without a key it returns "",
// which matches no target: a nonce that everybody can compute is none.
func Bind(key []byte, b Binding) string {
	if len(key) == 0 {
		return ""
	}
	text, err := json.Marshal(b) // quoted, so that no two bindings run together into the same bytes
	if err != nil {
		return ""
	}
	tuple := sha256.Sum256(text)
	mac := hmac.New(sha256.New, key)
	mac.Write(tuple[:])
	return strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil)))[:nonceLength]
}

// Void says why a gate no longer asks for what its approvers were shown. The zero Void is a gate that still does.
type Void string

// Why a gate is void.
const (
	NewCommit      Void = "NewCommit"
	NewImage       Void = "NewImage"
	ChangedCanary  Void = "ChangedCanary"
	NewerRollout   Void = "NewerRollout"
	FailedAnalysis Void = "FailedAnalysis"
	OtherRun       Void = "OtherRun"
)

// Sentence says why in plain words, and "" for a gate that is not void.
func (v Void) Sentence() string {
	switch v {
	case "":
		return ""
	case NewCommit:
		return "a new commit was pushed"
	case NewImage:
		return "the image changed"
	case ChangedCanary:
		return "the canary's specification changed"
	case NewerRollout:
		return "a newer rollout took over"
	case FailedAnalysis:
		return "the analysis failed or its figures changed after the gate had opened"
	case OtherRun:
		return "another run took the rollout over and opens the gate anew"
	default:
		return "the gate is void"
	}
}

// VoidedBy compares what a gate was opened for with what is there now.
func (b Binding) VoidedBy(now Binding) Void {
	switch {
	case b.Rollout != now.Rollout || b.Gate != now.Gate || b.Repository != now.Repository:
		return NewerRollout
	case b.SHA != now.SHA:
		return NewCommit
	case b.Digest != now.Digest:
		return NewImage
	case b.SpecHash != now.SpecHash:
		return ChangedCanary
	case b.Metrics != now.Metrics:
		return FailedAnalysis
	case b.Epoch != now.Epoch:
		return OtherRun
	default:
		return ""
	}
}

// HashBody returns the hash by which a comment's text is known again, in hexadecimal.
func HashBody(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}
