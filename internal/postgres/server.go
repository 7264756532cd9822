// Package postgres runs a private PostgreSQL from the installed binaries, for tests and measurements.
package postgres

import "os"

// Server is a private PostgreSQL. It is gone when the process that started it ends, however it ends.
type Server struct {
	URL     string // of its first database, on a socket that only this machine's users reach
	DataDir string

	alive *os.File // open for as long as the server is to run
	ended func() error
}

// Stop ends the server, without saving anything, and removes its folder.
func (s *Server) Stop() error {
	if err := s.alive.Close(); err != nil {
		return err
	}
	return s.ended()
}
