package metric

import (
	"errors"
	"fmt"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// Lint checks the query of a check with the parser of its provider. The error names the metric and the place.
func Lint(c Check) error {
	p, err := ProviderFor(c.Provider)
	if err != nil {
		return fmt.Errorf("metric %q: %w", c.Name, err)
	}
	if err := p.Lint(c.Query); err != nil {
		return fmt.Errorf("metric %q: %w", c.Name, err)
	}
	if c.Versus != nil {
		if err := p.Lint(c.Versus.Query); err != nil {
			return fmt.Errorf("metric %q: primary: %w", c.Name, err)
		}
	}
	return nil
}

// promQL accepts what some Prometheus accepts: experimental functions are a setting of the server, which is unknown here.
func promQL() parser.Parser {
	return parser.NewParser(parser.Options{EnableExperimentalFunctions: true, EnableBinopFillModifiers: true})
}

func lintPromQL(query string) error {
	expr, err := promQL().ParseExpr(query)
	if err != nil {
		var all parser.ParseErrors
		if errors.As(err, &all) && len(all) > 0 {
			first := all[0]
			return fmt.Errorf("query at %s: %w", first.PositionRange.StartPosInput(first.Query, first.LineOffset), first.Err)
		}
		return fmt.Errorf("query: %w", err)
	}
	switch t := expr.Type(); t {
	case parser.ValueTypeVector, parser.ValueTypeScalar:
		return nil
	default:
		return fmt.Errorf("query: it answers a %s; one number is needed, so it must be a scalar or an instant vector", parser.DocumentedType(t))
	}
}

// lintText checks the query of a provider whose language nothing here can parse.
func lintText(query string) error {
	if strings.TrimSpace(query) == "" {
		return errors.New("query: it is empty")
	}
	return nil
}
