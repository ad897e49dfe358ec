package approval

import "time"

// answerPatience is how long whoever has taken a question up is given to answer it, before somebody else may.
const answerPatience = time.Minute

// Answers tells of each kind of question, by its verb, which one was answered last. Several may read the same comments: who
// takes a question up here first answers it.
type Answers map[Verb]Answer

// Answer is about the newest question of its kind. The questions before it have their answer in the same comment.
type Answer struct {
	Source
	Question int64     `json:"question"` // the number of the comment that asks
	At       time.Time `json:"at"`       // when it was taken up
	Done     bool      `json:"done,omitempty"`
}

// Take takes a question up. It reports false when it, or a later one, has its answer already, or when somebody else is
// about to give it.
func (a Answers) Take(verb Verb, of Source, question int64, now time.Time) (Answers, bool) {
	was := a[verb]
	if was.Source == of && was.Question >= question && (was.Done || now.Sub(was.At) < answerPatience) {
		return a, false
	}
	return a.with(verb, Answer{Source: of, Question: question, At: now.UTC().Round(0)}), true
}

// Settle enters that a question has its answer.
func (a Answers) Settle(verb Verb, of Source, question int64) Answers {
	was := a[verb]
	if was.Source != of || was.Question != question || was.Done {
		return a
	}
	was.Done = true
	return a.with(verb, was)
}

func (a Answers) with(verb Verb, answer Answer) Answers {
	next := Answers{verb: answer}
	for v, other := range a {
		if v != verb {
			next[v] = other
		}
	}
	return next
}
