//go:build !unix

package postgres

import (
	"context"
	"errors"
)

// Start is refused on this system.
func Start(context.Context, ...string) (*Server, error) {
	return nil, errors.New("a private PostgreSQL is started on Unix systems only")
}

func (*Server) Kill() error                   { return nil }
func (*Server) Restart(context.Context) error { return nil }
func (*Server) Freeze() error                 { return nil }
func (*Server) Thaw() error                   { return nil }
