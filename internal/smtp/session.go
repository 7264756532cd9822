package smtp

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"time"
)

// Limits of a conversation, so that whoever talks nonsense is not listened to for ever.
const (
	maxLine    = 2_000
	maxContent = 10 << 20
	maxErrors  = 50
	idle       = 5 * time.Minute
)

// session is one connection, served by one goroutine.
type session struct {
	e      *Emulator
	raw    net.Conn // what is closed to end it
	conn   net.Conn // raw, or TLS over it
	text   *textproto.Conn
	input  *limited
	hello  bool
	tls    bool
	user   string // who has signed in
	from   string
	begun  bool // MAIL was taken
	to     []string
	errors int
}

// errEnd ends a session that went as it should.
var errEnd = errors.New("the session is over")

func newSession(e *Emulator, conn net.Conn) *session {
	s := &session{e: e, raw: conn}
	s.use(conn)
	return s
}

// use speaks over the connection from now on.
func (s *session) use(conn net.Conn) {
	s.conn = conn
	s.input = &limited{conn: conn}
	s.text = textproto.NewConn(struct {
		io.Reader
		io.WriteCloser
	}{s.input, conn})
}

// limited reads a conversation, so much of it between two answers.
type limited struct {
	conn net.Conn
	left int
}

func (l *limited) Read(b []byte) (int, error) {
	if l.left <= 0 {
		return 0, errors.New("too much was said at once")
	}
	n, err := l.conn.Read(b[:min(len(b), l.left)])
	l.left -= n
	return n, err
}

func (s *session) serve() {
	if s.e.options.Secure {
		if err := s.encrypt(); err != nil {
			return
		}
	}
	if err := s.answer(StepConnect, 220, "emulated.example ESMTP KyroChat's emulator"); err != nil {
		return
	}
	for {
		line, err := s.readLine()
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(line, " ")
		if err := s.do(strings.ToUpper(verb), strings.TrimSpace(rest)); err != nil {
			return
		}
	}
}

func (s *session) readLine() (string, error) {
	_ = s.conn.SetReadDeadline(time.Now().Add(idle))
	s.input.left = maxLine
	return s.text.ReadLine()
}

// do is one command.
func (s *session) do(verb, rest string) error {
	switch verb {
	case "EHLO", "HELO":
		return s.greet(verb, rest)
	case "STARTTLS":
		return s.startTLS()
	case "AUTH":
		return s.authenticate(rest)
	case "MAIL":
		return s.mailFrom(rest)
	case "RCPT":
		return s.rcptTo(rest)
	case "DATA":
		return s.data()
	case "RSET":
		s.forget()
		return s.answer(StepReset, 250, "2.0.0 Forgotten")
	case "NOOP":
		return s.answer(StepNothing, 250, "2.0.0 Nothing was done")
	case "QUIT":
		if err := s.answer(StepQuit, 221, "2.0.0 Goodbye"); err != nil {
			return err
		}
		return errEnd
	default:
		return s.refuse(500, "5.5.2 There is no such command")
	}
}

func (s *session) greet(verb, name string) error {
	if name == "" {
		return s.refuse(501, "5.5.4 Say who you are")
	}
	s.hello = true
	s.forget()
	lines := []string{"emulated.example"}
	if verb == "EHLO" {
		lines = append(lines, "PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", fmt.Sprintf("SIZE %d", maxContent))
		if !s.tls && !s.e.options.Plain {
			lines = append(lines, "STARTTLS")
		}
		if s.e.options.User != "" {
			lines = append(lines, "AUTH PLAIN LOGIN")
		}
	}
	return s.answer(StepHello, 250, lines...)
}

func (s *session) startTLS() error {
	if s.tls || s.e.options.Plain {
		return s.refuse(503, "5.5.1 There is no STARTTLS now")
	}
	if s.text.R.Buffered() > 0 { // said before there was a secret: nobody knows by whom
		return s.refuse(503, "5.5.1 Nothing may follow STARTTLS before it is answered")
	}
	refused, err := s.step(StepSecure, 220, "2.0.0 Go ahead")
	if err != nil || refused {
		return err
	}
	return s.encrypt()
}

func (s *session) encrypt() error {
	secure := tls.Server(s.conn, &tls.Config{Certificates: []tls.Certificate{s.e.certificate}, MinVersion: tls.VersionTLS12})
	_ = s.conn.SetDeadline(time.Now().Add(10 * time.Second))
	if err := secure.Handshake(); err != nil {
		return err
	}
	_ = s.conn.SetDeadline(time.Time{})
	s.tls, s.hello, s.user = true, false, ""
	s.use(secure)
	s.forget()
	return nil
}

func (s *session) authenticate(rest string) error {
	mechanism, first, _ := strings.Cut(rest, " ")
	switch {
	case s.e.options.User == "" || !s.hello:
		return s.refuse(503, "5.5.1 There is no AUTH now")
	case s.user != "" || s.begun:
		return s.refuse(503, "5.5.1 You have signed in, or begun a mail")
	}
	var user, password string
	switch strings.ToUpper(mechanism) {
	case "PLAIN":
		said, err := s.challenge("", first)
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(said, "\x00")
		user, password, _ = strings.Cut(rest, "\x00")
	case "LOGIN":
		var err error
		if user, err = s.challenge("Username:", first); err != nil {
			return err
		}
		if password, err = s.challenge("Password:", ""); err != nil {
			return err
		}
	default:
		return s.refuse(504, "5.5.4 There is no such way to sign in")
	}
	if user != s.e.options.User || password != s.e.options.Password {
		if refused, err := s.step(StepSignIn, 535, "5.7.8 User and password do not go together"); err != nil || refused {
			return err
		}
		return s.mistake()
	}
	refused, err := s.step(StepSignIn, 235, "2.7.0 Signed in")
	if err == nil && !refused {
		s.user = user
	}
	return err
}

// challenge asks for something in base64, unless it came with the command. What is not base64 is as good as nothing.
func (s *session) challenge(question, first string) (string, error) {
	if first == "" {
		if err := s.write(334, base64.StdEncoding.EncodeToString([]byte(question))); err != nil {
			return "", err
		}
		var err error
		if first, err = s.readLine(); err != nil {
			return "", err
		}
	}
	said, err := base64.StdEncoding.DecodeString(first)
	if err != nil {
		return "", nil //nolint:nilerr // nobody has such a name
	}
	return string(said), nil
}

func (s *session) mailFrom(rest string) error {
	from, ok := address(rest, "FROM:")
	switch {
	case !s.hello || s.begun:
		return s.refuse(503, "5.5.1 Say hello first, and one mail after another")
	case s.e.options.User != "" && s.user == "":
		return s.refuse(530, "5.7.0 Sign in first")
	case !ok:
		return s.refuse(501, "5.5.4 That is no sender")
	}
	refused, err := s.step(StepFrom, 250, "2.1.0 The sender is fine")
	if err == nil && !refused {
		s.from, s.begun = from, true
	}
	return err
}

func (s *session) rcptTo(rest string) error {
	to, ok := address(rest, "TO:")
	switch {
	case !s.begun:
		return s.refuse(503, "5.5.1 Say who it is from first")
	case !ok || to == "":
		return s.refuse(501, "5.5.4 That is no recipient")
	case len(s.to) >= 100:
		return s.refuse(452, "4.5.3 These are too many recipients")
	}
	s.to = append(s.to, to)
	refused, err := s.step(StepTo, 250, "2.1.5 The recipient is fine")
	if refused {
		s.to = s.to[:len(s.to)-1]
	}
	return err
}

func (s *session) data() error {
	if len(s.to) == 0 {
		return s.refuse(503, "5.5.1 Say who it is to first")
	}
	if refused, err := s.step(StepData, 354, "Send it, and end with a line of one dot"); err != nil || refused {
		return err
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(idle))
	s.input.left = maxContent
	var content bytes.Buffer
	if _, err := io.Copy(&content, s.text.DotReader()); err != nil {
		return err
	}
	defer s.forget()
	script := s.e.script(StepAccepted, s.to)
	if script.Code < 400 && script.Then != Lose && script.Then != Hang {
		s.e.take(s.mail(content.Bytes()))
	}
	_, err := s.play(script, 250, "2.0.0 The mail was taken")
	return err
}

// forget drops the mail that was begun.
func (s *session) forget() { s.from, s.begun, s.to = "", false, nil }

// address reads "FROM:<ada@example.com> SIZE=7". What follows the address changes nothing here.
func address(rest, keyword string) (string, bool) {
	if len(rest) < len(keyword) || !strings.EqualFold(rest[:len(keyword)], keyword) {
		return "", false
	}
	rest = strings.TrimLeft(rest[len(keyword):], " ")
	inner, _, closed := strings.Cut(strings.TrimPrefix(rest, "<"), ">")
	if !strings.HasPrefix(rest, "<") || !closed || strings.ContainsAny(inner, "<\x00\r\n") {
		return "", false
	}
	return inner, true
}
