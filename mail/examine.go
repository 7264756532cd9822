package mail

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"kyrochat/kyro"
)

// Examined is how a mail server is spoken to.
type Examined struct {
	Address   string
	Encrypted string // the version of TLS; "" for none
	SignedIn  bool
}

// Examine connects to the server, encrypts and signs in as for a mail, and says goodbye. Errors are those of Send, of
// which only the server's own are for the operator to mend. There must be a server.
func (p *Post) Examine(ctx context.Context) (x Examined, err error) {
	s := p.server
	x.Address = s.address()
	w := &wire{server: s}
	defer w.close()
	signIn := s.signIn()
	client, err := s.client(ctx, w, signIn)
	if err != nil {
		return x, s.operator("The mail server cannot be spoken to.", err)
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return x, s.unreached(ctx, err, signIn)
	}
	if state, err := session.GetTLSConnectionState(); err == nil {
		x.Encrypted = tls.VersionName(state.Version)
	}
	x.SignedIn = signIn != nil
	w.hurry(quitTime)
	_ = session.Quit()
	return x, nil
}

// SendTest sends a mail that says that it is a test. Errors are those of Send. There must be a server.
func (p *Post) SendTest(ctx context.Context, to string) error {
	m := kyro.Mail{ID: "doctor-" + strings.ToLower(rand.Text()), To: to}
	if err := checkMail(m); err != nil {
		return err
	}
	words := written{
		subject: "A test of the mails of KyroChat",
		text:    fmt.Sprintf("Whoever runs %s has tried whether it can send mails, by \"kyrochat doctor -mail\".\n\nIt can. There is nothing to do.\n", p.publicURL),
	}
	words.html = "<p>" + strings.ReplaceAll(strings.TrimSpace(htmlEscaper.Replace(words.text)), "\n\n", "</p>\n<p>") + "</p>\n"
	return p.server.send(ctx, p.message(m, words, gomail.EncodingQP))
}

var htmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;")
