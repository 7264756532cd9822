package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// sendTime is how long one mail may take with everything in it. quitTime is what of it may go to saying goodbye.
const (
	sendTime = 15 * time.Second
	quitTime = time.Second
)

// server hands mails to an SMTP server, over a connection for each.
type server struct {
	smtpURL
	roots *x509.CertPool
	log   *slog.Logger
	now   func() time.Time

	mu         sync.Mutex
	complained time.Time // when the operator was last told of what only they can mend
}

// send delivers the message. Once the server has said that it has it, nothing that follows makes it undelivered.
func (s *server) send(ctx context.Context, msg *gomail.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	w := &wire{server: s}
	defer w.close()
	signIn := s.signIn()
	client, err := s.client(ctx, w, signIn)
	if err != nil {
		return s.operator("The mail server cannot be spoken to.", err)
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return s.unreached(ctx, err, signIn)
	}
	err = client.SendWithSMTPClient(session, msg)
	if !msg.IsDelivered() {
		if err == nil {
			err = errors.New("nothing was said about the mail")
		}
		return s.refused(ctx, err)
	}
	w.hurry(quitTime)
	_ = session.Quit()
	return nil
}

// client sets go-mail up for one connection: it changes its settings as it goes, and leaves connections open that fail
// early. Its timeout starts anew with every part, so that ours ends it.
func (s *server) client(ctx context.Context, w *wire, signIn *signIn) (*gomail.Client, error) {
	policy := map[encryption]gomail.TLSPolicy{
		required: gomail.TLSMandatory, opportunistic: gomail.TLSOpportunistic, none: gomail.NoTLS, fromTheStart: gomail.NoTLS,
	}[s.encryption]
	options := []gomail.Option{
		gomail.WithPort(s.port), gomail.WithTimeout(2 * sendTime), gomail.WithTLSConfig(s.tlsConfig()), gomail.WithTLSPolicy(policy),
		gomail.WithDialContextFunc(w.dial(ctx)), gomail.WithoutNoop(), gomail.WithoutRset(),
	}
	if s.encryption == fromTheStart {
		options = append(options, gomail.WithSSL())
	}
	if signIn != nil {
		options = append(options, gomail.WithSMTPAuthCustom(signIn))
	}
	return gomail.NewClient(s.host, options...)
}

// tlsConfig is of TLS 1.2 at the least. What a server on this machine shows is not looked at unless encryption was asked
// for: it mostly vouches for itself, and what goes to it leaves the machine for nobody to read.
func (s *server) tlsConfig() *tls.Config {
	return &tls.Config{
		ServerName: s.host, MinVersion: tls.VersionTLS12, RootCAs: s.roots,
		InsecureSkipVerify: s.encryption == opportunistic && s.loopback(), //nolint:gosec // on loopback only, where no certificate is asked for either
	}
}

// wire is the connection of one mail. It ends with the context of the mail, whatever it is in the middle of.
type wire struct {
	server *server
	conn   net.Conn
	stop   func() bool
}

// dial gives what connects to the server, whatever it is asked for. Its own context is of connecting alone.
func (w *wire) dial(whole context.Context) gomail.DialContextFunc {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		plain, err := new(net.Dialer).DialContext(ctx, "tcp", w.server.address())
		if err != nil {
			return nil, err
		}
		w.conn, w.stop = plain, context.AfterFunc(whole, func() { _ = plain.Close() })
		if w.server.encryption != fromTheStart {
			return plain, nil
		}
		secure := tls.Client(plain, w.server.tlsConfig())
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		return secure, nil
	}
}

// hurry gives the rest so long.
func (w *wire) hurry(d time.Duration) { _ = w.conn.SetDeadline(time.Now().Add(d)) }

func (w *wire) close() {
	if w.conn != nil {
		w.stop()
		_ = w.conn.Close()
	}
}
