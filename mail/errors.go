package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"time"

	gomail "github.com/wneessen/go-mail"

	"kyrochat/kyro"
)

// What servers say is never repeated: it may hold the address. Codes of answers are what is kept.

// unreached words a connection that did not come to be.
func (s *server) unreached(ctx context.Context, err error, signIn *signIn) error {
	var (
		answer      *textproto.Error
		certificate *tls.CertificateVerificationError
		handshake   tls.RecordHeaderError
		network     *net.OpError
		protocol    textproto.ProtocolError
	)
	signing := signIn != nil && signIn.begun
	switch {
	case ctx.Err() != nil:
		return later(ctx, "The mail server took too long.")
	case errors.As(err, &answer) && signing && answer.Code >= 500:
		return s.operator("The mail server refuses the user or the password of SMTP_URL.", fmt.Errorf("it answers %d", answer.Code))
	case errors.As(err, &answer):
		return later(ctx, "The mail server does not take mail now (%d).", answer.Code)
	case errors.Is(err, errUnencrypted):
		return s.operator("The mail server does not fit SMTP_URL.", errUnencrypted)
	case errors.Is(err, errNoSignIn):
		return s.operator("The mail server does not fit SMTP_URL.", errNoSignIn)
	case errors.As(err, &certificate):
		return s.operator("The mail server's certificate is not good for the host of SMTP_URL.", certificate.Err)
	case errors.As(err, &handshake):
		return s.operator("The mail server does not speak TLS where SMTP_URL asks for it.", nil)
	case errors.As(err, &network) && network.Op == "dial":
		return kyro.Errorf(kyro.CodeUpstreamFailed, "The mail server cannot be reached.").Because(network)
	case network != nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return later(ctx, "The mail server cut the connection off.")
	case errors.As(err, &protocol):
		return later(ctx, "What is at the address of the mail server does not speak SMTP.")
	case s.encryption == required: // go-mail has no error of its own for it
		return s.operator("The mail server does not encrypt the connection, which SMTP_URL requires.", nil)
	default:
		return later(ctx, "The mail server cannot be spoken to.")
	}
}

// authCodes are answers to those who did not sign in, or not well enough. They are about the settings, whatever they
// answer.
var authCodes = []int{530, 534, 535, 538}

// refused words a mail that was not taken.
func (s *server) refused(ctx context.Context, err error) error {
	var failed *gomail.SendError
	if !errors.As(err, &failed) || failed.ErrorCode() == 0 {
		if ctx.Err() != nil {
			return later(ctx, "The mail server took too long.")
		}
		return later(ctx, "The mail server cut the connection off.")
	}
	code, command := failed.ErrorCode(), commands[failed.Reason]
	answer := fmt.Sprint(code)
	if more := failed.EnhancedStatusCode(); more != "" {
		answer += " " + more
	}
	switch {
	case code < 500:
		return later(ctx, "The mail server does not take this mail now (%s to %s).", answer, command)
	case slices.Contains(authCodes, code):
		return s.operator("The mail server wants a user and a password in SMTP_URL.", fmt.Errorf("it answers %s to %s", answer, command))
	case failed.Reason == gomail.ErrSMTPMailFrom:
		return s.operator("The mail server refuses KYRO_MAIL_FROM.", fmt.Errorf("it answers %s", answer))
	default:
		return kyro.Errorf(kyro.CodeValidation, "The mail server refuses this mail for good (%s to %s).", answer, command)
	}
}

var commands = map[gomail.SendErrReason]string{
	gomail.ErrSMTPMailFrom: "MAIL", gomail.ErrSMTPRcptTo: "RCPT", gomail.ErrSMTPData: "DATA", gomail.ErrSMTPDataClose: "the text",
}

// later is trouble that may pass. Why the context ended is its cause: a process that stops is not the server's fault.
func later(ctx context.Context, format string, args ...any) error {
	return kyro.Errorf(kyro.CodeUpstreamFailed, format, args...).Because(ctx.Err())
}

// complainEvery is how often the same operator is told.
const complainEvery = time.Minute

// operator is trouble that only the operator can mend. It is tried again, since they may, and logged as an error once a
// minute.
func (s *server) operator(message string, why error) error {
	s.mu.Lock()
	now := s.now()
	tell := now.Sub(s.complained) >= complainEvery
	if tell {
		s.complained = now
	}
	s.mu.Unlock()
	failed := kyro.Errorf(kyro.CodeUpstreamFailed, "%s", message).Because(why)
	if tell {
		s.log.Error("no mail is sent until this is mended; it is tried again meanwhile", "error", failed)
	}
	return failed
}
