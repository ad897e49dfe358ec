package cli

import (
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/term"
)

// logger writes to standard error: text to a terminal, else JSON, unless the inputs say otherwise.
func (a *App) logger(in serveLogInputs) (*slog.Logger, error) {
	var problems []error
	var level slog.Level
	switch in.LogLevel {
	case "debug", "info", "warn", "error":
		problems = append(problems, level.UnmarshalText([]byte(in.LogLevel)))
	default:
		problems = append(problems, fmt.Errorf("log-level: %q is not known; allowed are debug, info, warn and error", in.LogLevel))
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewJSONHandler(a.Stderr, options)
	switch in.LogFormat {
	case "json":
	case "text":
		handler = slog.NewTextHandler(a.Stderr, options)
	case "auto":
		if term.IsTerminal(int(a.Stderr.Fd())) {
			handler = slog.NewTextHandler(a.Stderr, options)
		}
	default:
		problems = append(problems, fmt.Errorf("log-format: %q is not known; allowed are auto, text and json", in.LogFormat))
	}
	return slog.New(handler), errors.Join(problems...)
}
