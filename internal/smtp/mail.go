package smtp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Mail is one that was taken.
type Mail struct {
	Number int       `json:"number"` // from 1
	At     time.Time `json:"at"`

	From string   `json:"from"` // of the envelope
	To   []string `json:"to"`   // of the envelope
	TLS  bool     `json:"tls"`
	User string   `json:"user,omitempty"` // who had signed in
	Raw  string   `json:"raw"`            // as it was sent, with line feeds alone

	MessageID string      `json:"messageId"`
	Subject   string      `json:"subject"`
	Header    mail.Header `json:"header"`
	Text      string      `json:"text"` // of its part of plain text, decoded
	HTML      string      `json:"html"`
	Links     []string    `json:"links"`           // of the text, in their order
	Wrong     string      `json:"wrong,omitempty"` // what could not be read of it
}

// Link gives the first link that holds a string; "" for none.
func (m Mail) Link(part string) string {
	for _, link := range m.Links {
		if strings.Contains(link, part) {
			return link
		}
	}
	return ""
}

// Token gives what follows "#token=" in the first link that has it.
func (m Mail) Token() string {
	_, token, _ := strings.Cut(m.Link("#token="), "#token=")
	return token
}

// mail puts together what came in the session.
func (s *session) mail(content []byte) Mail {
	m := Mail{At: time.Now(), From: s.from, To: slices.Clone(s.to), TLS: s.tls, User: s.user, Raw: string(content)}
	if err := m.parse(); err != nil {
		m.Wrong = err.Error()
	}
	return m
}

var links = regexp.MustCompile(`https?://[^\s<>"]+`)

func (m *Mail) parse() error {
	message, err := mail.ReadMessage(strings.NewReader(m.Raw))
	if err != nil {
		return err
	}
	m.Header, m.MessageID = message.Header, message.Header.Get("Message-Id")
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject")); err != nil {
		return err
	}
	err = m.read(message.Body, message.Header.Get("Content-Type"), message.Header.Get("Content-Transfer-Encoding"), 0)
	m.Links = links.FindAllString(m.Text, -1)
	return err
}

// read takes the first part of plain text and the first of HTML.
func (m *Mail) read(body io.Reader, contentType, encoding string, depth int) error {
	if contentType == "" {
		contentType = "text/plain"
	}
	kind, params, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return err
	case depth > 5:
		return errors.New("there are parts in parts in parts")
	case strings.HasPrefix(kind, "multipart/"):
		parts := multipart.NewReader(body, params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := m.read(part, part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), depth+1); err != nil {
				return err
			}
		}
	}
	text, err := decoded(body, encoding)
	if err != nil {
		return err
	}
	if kind == "text/plain" && m.Text == "" {
		m.Text = text
	}
	if kind == "text/html" && m.HTML == "" {
		m.HTML = text
	}
	return nil
}

func decoded(body io.Reader, encoding string) (string, error) {
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "", "7bit", "8bit":
	default:
		return "", fmt.Errorf("a part has the encoding %q", encoding)
	}
	var b bytes.Buffer
	_, err := io.Copy(&b, body)
	return strings.ReplaceAll(b.String(), "\r\n", "\n"), err
}

// take keeps a mail.
func (e *Emulator) take(m Mail) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counted++
	m.Number = e.counted
	if len(e.mails) >= e.options.Keep {
		e.mails = slices.Delete(e.mails, 0, len(e.mails)-e.options.Keep+1)
	}
	e.mails = append(e.mails, m)
	e.tell()
}

// Mails gives those that were taken, oldest first.
func (e *Emulator) Mails() []Mail {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.mails)
}

// Connections is how many were made so far.
func (e *Emulator) Connections() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.opened
}

// Forget drops the mails so far.
func (e *Emulator) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mails = nil
}

// Wait gives the first mail that is wanted, also of those that came already. It gives up with ctx.
func (e *Emulator) Wait(ctx context.Context, wanted func(Mail) bool) (Mail, error) {
	for {
		changed := e.watch()
		for _, m := range e.Mails() {
			if wanted(m) {
				return m, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Mail{}, ctx.Err()
		}
	}
}

// Await waits until all there is is as the caller wants it, which it is asked again whenever a mail or a connection comes.
func (e *Emulator) Await(ctx context.Context, wanted func(e *Emulator) bool) error {
	for {
		changed := e.watch()
		if wanted(e) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watch gives a channel that is closed when anything changes.
func (e *Emulator) watch() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.changed == nil {
		e.changed = make(chan struct{})
	}
	return e.changed
}

// tell wakes who waits. mu is held.
func (e *Emulator) tell() {
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
	}
}
