// Package smtp emulates an SMTP server on the wire, for tests and for development: EHLO, STARTTLS with a certificate it
// makes itself, AUTH PLAIN and LOGIN, 8BITMIME, PIPELINING. It keeps every mail to be looked at, delivers none, and
// misbehaves as a Script says.
//
// Tests call Start. What can be set from Go can be set over HTTP too, see adminPath.
package smtp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"kyrochat/internal/port"
	"kyrochat/internal/script"
)

// Options say how the emulator behaves for as long as no script says otherwise.
type Options struct {
	Address  string // where SMTP is served; "": a free port of the loopback
	Control  string // where it is told what to do over HTTP; "": a free port of the loopback
	User     string // who has to sign in, with Password; "": anybody may send without
	Password string
	Plain    bool // STARTTLS is not offered
	Secure   bool // TLS from the start
	Keep     int  // how many mails are kept, the last ones; 0: 10,000
}

// Emulator is the server. It is safe for use by many at once.
type Emulator struct {
	Address string // host:port of SMTP
	Control string // the base URL of the control

	options     Options
	certificate tls.Certificate
	roots       *x509.CertPool
	control     *http.Server
	leave       func() // the port
	working     sync.WaitGroup
	closed      chan struct{}

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	sessions map[*session]bool
	scripts  script.Queue[Script]
	mails    []Mail
	counted  int           // mails so far
	opened   int           // connections so far
	changed  chan struct{} // closed when anything about mails or connections changes; nil: nobody waits
}

// New serves an emulator until Close.
func New(o Options) (*Emulator, error) {
	leave := func() {}
	if o.Address == "" {
		var err error
		if o.Address, leave, err = port.Keep(); err != nil {
			return nil, fmt.Errorf("keep a port for mails: %w", err)
		}
	}
	if o.Control == "" {
		o.Control = "127.0.0.1:0"
	}
	if o.Keep <= 0 {
		o.Keep = 10_000
	}
	e := &Emulator{options: o, Address: o.Address, leave: leave, closed: make(chan struct{}), sessions: map[*session]bool{}}
	var err error
	if e.certificate, e.roots, err = makeCertificate(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	if err := e.Up(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	control, err := net.Listen("tcp", o.Control)
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	e.Control = "http://" + control.Addr().String()
	e.control = &http.Server{Handler: e.adminRoutes(), ReadHeaderTimeout: 5 * time.Second}
	e.working.Go(func() { _ = e.control.Serve(control) })
	return e, nil
}

// URL is the setting by which mails come here.
func (e *Emulator) URL() string {
	u := url.URL{Scheme: "smtp", Host: e.Address}
	if e.options.Secure {
		u.Scheme = "smtps"
	}
	if e.options.User != "" {
		u.User = url.UserPassword(e.options.User, e.options.Password)
	}
	return u.String()
}

// Roots vouch for the certificate, which is for localhost and the addresses of the loopback.
func (e *Emulator) Roots() *x509.CertPool { return e.roots }

// Down refuses connections, and cuts those that are open.
func (e *Emulator) Down() {
	e.mu.Lock()
	listener := e.listener
	e.listener = nil
	e.mu.Unlock()
	if listener != nil {
		_ = listener.Close()
	}
	e.cut()
}

// Up takes connections again, at the same address.
func (e *Emulator) Up() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.listener != nil {
		return nil
	}
	select {
	case <-e.closed:
		return net.ErrClosed
	default:
	}
	listener, err := net.Listen("tcp", e.Address)
	if err != nil {
		return fmt.Errorf("listen for mails: %w", err)
	}
	e.listener = listener
	if address := listener.Addr().String(); address != e.Address { // the first time
		e.Address = address
	}
	e.working.Go(func() { e.accept(listener) })
	return nil
}

// Close ends everything, and waits for it.
func (e *Emulator) Close() error {
	e.mu.Lock()
	select {
	case <-e.closed:
	default:
		close(e.closed)
	}
	e.mu.Unlock()
	e.Down()
	var err error
	if e.control != nil {
		err = e.control.Close()
	}
	e.working.Wait()
	e.leave()
	return err
}

func (e *Emulator) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		e.mu.Lock()
		if e.listener != listener { // it came while they began to be refused
			e.mu.Unlock()
			_ = conn.Close()
			continue
		}
		s := newSession(e, conn)
		e.sessions[s] = true
		e.opened++
		e.tell()
		e.working.Go(func() {
			defer e.forget(s)
			s.serve()
		})
		e.mu.Unlock()
	}
}

func (e *Emulator) forget(s *session) {
	_ = s.raw.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.sessions, s)
	e.tell()
}

// cut closes what is open.
func (e *Emulator) cut() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for s := range e.sessions {
		_ = s.raw.Close()
	}
}
