package ai

import (
	"context"
	"net"
)

// Within has Gemini dialled by a function, and half of everything left to chance.
func Within(c GeminiConfig, dial func(ctx context.Context, network, address string) (net.Conn, error)) GeminiConfig {
	c.dial = dial
	c.random = func() float64 { return 0.5 }
	return c
}
