package kyro

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a text that must not be read where it happens to pass by: printed with any verb, logged or marshalled it is
// ***, also inside of something else, as long as the field that holds it is exported. string(s) is the text itself.
type Secret string

const hidden = "***"

// String gives nothing away, and neither do the others below.
func (Secret) String() string { return hidden }

// GoString is for %#v.
func (Secret) GoString() string { return hidden }

// Format is for every verb, of which %x and %d would go by the text itself.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue is for slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText is for JSON, but for keys of maps in it, which it takes as they are.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Plain gives secrets as the texts that they are, for who has to use them.
func Plain(secrets ...Secret) []string {
	list := make([]string, len(secrets))
	for i, secret := range secrets {
		list[i] = string(secret)
	}
	return list
}
