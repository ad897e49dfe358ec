package metric

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Clue is one thing that has to exist for a query to have an answer, whoever has traffic: a metric, or a label on any
// series of it. Clues tell a typo from a canary that nobody has visited yet.
type Clue struct {
	Query string // answers a number while the thing exists
	Past  string // answers a number if it existed within the last day; to be asked only when Query has no answer

	Metric string // name of the metric; empty when one of several would do
	Label  string // name of the label; empty for the metric itself
	Says   string // what it means when neither has an answer
}

// maxClues bounds how much is asked about one query.
const maxClues = 20

// missingUntilVisited are the labels that no series has before the canary's first request, by the prefix of the metrics:
// ingress-nginx leaves the label empty for everything else, and Prometheus drops what is empty.
var missingUntilVisited = map[string]string{"nginx_ingress_controller_": "canary"}

// promQLClues reads from a query what it cannot do without. It claims nothing that is not certain: a metric on one side
// of an "or" is needed only if the other side needs it as well, and what is asked of another time is left alone.
//
// The look at the present costs what the query itself costs without its label matchers, or less. The look at the past
// would cost 24 hours of samples, but only for what is gone by now: for a typo it costs nothing. It keeps a night without
// traffic, after which an app that was restarted exports no counter, from looking like a typo.
func promQLClues(query string) []Clue {
	expr, err := promQL().ParseExpr(query)
	if err != nil {
		return nil
	}
	clues := needs(expr)
	return clues[:min(len(clues), maxClues)]
}

// needs returns the clues of an expression, the first of each selector being its metric.
func needs(node parser.Expr) []Clue {
	switch n := node.(type) {
	case *parser.ParenExpr:
		return needs(n.Expr)
	case *parser.UnaryExpr:
		return needs(n.Expr)
	case *parser.StepInvariantExpr:
		return needs(n.Expr)
	case *parser.AggregateExpr:
		return needs(n.Expr)
	case *parser.MatrixSelector:
		return needs(n.VectorSelector)
	case *parser.SubqueryExpr:
		if n.OriginalOffset != 0 || n.OriginalOffsetExpr != nil || n.Timestamp != nil || n.StartOrEnd != 0 {
			return nil
		}
		return needs(n.Expr)
	case *parser.Call:
		return callNeeds(n)
	case *parser.BinaryExpr:
		return operatorNeeds(n)
	case *parser.VectorSelector:
		return selectorNeeds(n)
	}
	return nil // a number or a text
}

func callNeeds(n *parser.Call) []Clue {
	args := n.Args
	switch n.Func.Name {
	case "absent", "absent_over_time":
		return nil // they answer when there is nothing
	case "info":
		args = args[:min(len(args), 1)] // the second says which labels to add
	}
	var clues []Clue
	for _, arg := range args {
		clues = both(clues, needs(arg))
	}
	return clues
}

func operatorNeeds(n *parser.BinaryExpr) []Clue {
	left, right := needs(n.LHS), needs(n.RHS)
	filledLeft, filledRight := false, false
	if m := n.VectorMatching; m != nil {
		filledLeft, filledRight = m.FillValues.LHS != nil, m.FillValues.RHS != nil
	}
	switch {
	case n.Op == parser.LOR, filledLeft && filledRight:
		return either(left, right)
	case n.Op == parser.LUNLESS, filledRight:
		return left
	case filledLeft:
		return right
	}
	return both(left, right)
}

func both(a, b []Clue) []Clue {
	for _, clue := range b {
		if !slices.Contains(a, clue) {
			a = append(a, clue)
		}
	}
	return a
}

// either returns what both sides need. When they need different things, one clue stands for the first of each.
func either(a, b []Clue) []Clue {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	var common []Clue
	for _, clue := range a {
		if slices.Contains(b, clue) {
			common = append(common, clue)
		}
	}
	if len(common) > 0 {
		return common
	}
	return []Clue{{
		Query: a[0].Query + " or " + b[0].Query, Past: a[0].Past + " or " + b[0].Past, Says: a[0].Says + ", and " + b[0].Says,
	}}
}

// selectorNeeds returns the metric, and the labels that its matchers cannot do without.
func selectorNeeds(n *parser.VectorSelector) []Clue {
	name := n.Name
	for _, m := range n.LabelMatchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			name = m.Value
		}
	}
	if name == "" || n.OriginalOffset != 0 || n.OriginalOffsetExpr != nil || n.Timestamp != nil || n.StartOrEnd != 0 {
		return nil
	}
	clues := []Clue{clueOf(name, "")}
	for _, m := range n.LabelMatchers {
		// A matcher without a value asks for any series that has the label; who writes that knows that not all have it.
		if m.Name == model.MetricNameLabel || m.Value == "" || m.Matches("") || mayBeMissing(name, m.Name) {
			continue
		}
		clues = both(clues, []Clue{clueOf(name, m.Name)})
	}
	return clues
}

func mayBeMissing(metric, label string) bool {
	for prefix, late := range missingUntilVisited {
		if label == late && strings.HasPrefix(metric, prefix) {
			return true
		}
	}
	return false
}

func clueOf(metric, label string) Clue {
	c := Clue{Metric: metric, Label: label, Says: fmt.Sprintf("Prometheus has no metric %q", metric)}
	selector := metric
	var matchers []string
	if !model.LegacyValidation.IsValidMetricName(metric) {
		selector, matchers = "", append(matchers, strconv.Quote(metric))
	}
	if label != "" {
		c.Says = fmt.Sprintf("no series of %q has the label %q", metric, label)
		if !model.LegacyValidation.IsValidLabelName(label) {
			label = strconv.Quote(label)
		}
		matchers = append(matchers, label+`!=""`)
	}
	if len(matchers) > 0 {
		selector += "{" + strings.Join(matchers, ",") + "}"
	}
	c.Query = "count(" + selector + ")"
	c.Past = "count(last_over_time(" + selector + "[1d]))"
	return c
}
