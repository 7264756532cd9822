package mail

import (
	"errors"
	"slices"

	"github.com/wneessen/go-mail/smtp"
)

// Reasons why nobody signs in at the server.
var (
	errUnencrypted = errors.New("it does not encrypt the connection, and the password is not sent over one that is not encrypted")
	errNoSignIn    = errors.New("it takes no user and password by PLAIN, LOGIN or SCRAM-SHA-256")
)

// signIn signs in by the best way that the server offers, and only where nobody can read along.
type signIn struct {
	smtp.Auth // chosen when the server said what it offers
	smtpURL
	begun bool
}

// signIn is nil where no user is set.
func (s *server) signIn() *signIn {
	if s.user == "" {
		return nil
	}
	return &signIn{smtpURL: s.smtpURL}
}

// Start begins to sign in.
func (s *signIn) Start(server *smtp.ServerInfo) (string, []byte, error) {
	if !server.TLS && !s.loopback() {
		return "", nil, errUnencrypted
	}
	switch {
	case slices.Contains(server.Auth, "PLAIN"):
		s.Auth = smtp.PlainAuth("", s.user, s.password, s.host, true)
	case slices.Contains(server.Auth, "LOGIN"):
		s.Auth = smtp.LoginAuth(s.user, s.password, s.host, true)
	case slices.Contains(server.Auth, "SCRAM-SHA-256"):
		s.Auth = smtp.ScramSHA256Auth(s.user, s.password)
	default:
		return "", nil, errNoSignIn
	}
	s.begun = true
	return s.Auth.Start(server)
}
