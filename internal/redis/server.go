// Package redis runs a private Redis from the installed program, for tests and measurements.
package redis

import (
	"context"
	"errors"
	"net"
	"time"

	"kyrochat/internal/port"
)

// Server is a private Redis that keeps nothing on disk. It is gone when the process that started it ends, however it
// ends. It can be made to misbehave.
type Server struct {
	URL string // of its first database

	address string
	running *process
}

// Start starts a server on a free port of this machine and waits until it answers. The port is kept for it until this process
// ends: it may come back at any time.
func Start(ctx context.Context) (*Server, error) {
	address, _, err := port.Keep()
	if err != nil {
		return nil, err
	}
	s := &Server{URL: "redis://" + address, address: address}
	return s, s.Restart(ctx)
}

// Restart starts the server again, at the same address and with nothing in it, after Kill.
func (s *Server) Restart(ctx context.Context) (err error) {
	if s.running, err = start(s.address); err != nil {
		return err
	}
	for {
		if answers(s.address) {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(errors.New("no answer from Redis"), s.Stop())
		}
	}
}

// Stop ends the server as a crash does. Everything in it is lost.
func (s *Server) Stop() error { return s.running.stop() }

// Freeze makes the server hang: connections stay open, and nothing is answered.
func (s *Server) Freeze() error { return s.running.freeze() }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() error { return s.running.thaw() }

func answers(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	answer := make([]byte, 5)
	_, err = conn.Read(answer)
	return err == nil && string(answer) == "+PONG"
}
