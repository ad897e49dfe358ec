package httpx

import (
	"fmt"
	"log/slog"
)

// Secret is a text that must not be shown. It prints as *** with fmt, JSON, YAML and slog; string(s) is the text itself.
type Secret string

const hidden = "***"

// Format writes ***, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// String returns ***.
func (Secret) String() string { return hidden }

// MarshalText writes ***.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue returns ***.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }
