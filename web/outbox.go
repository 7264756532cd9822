package web

import (
	_ "embed"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"kyrochat/kyro"
)

// OutboxPath is where development shows the mails that are kept instead of being sent.
const OutboxPath = "/outbox"

// Mails is where they are.
type Mails interface {
	List() ([]kyro.KeptMail, error)
	Read(name string) (kyro.KeptMail, error)
}

//go:embed outbox.html
var outboxPage string

// outboxTemplate has the page of the list, and that of one mail.
var outboxTemplate = template.Must(template.New("outbox").Funcs(template.FuncMap{
	"moment": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
	"pieces": pieces,
}).Parse(outboxPage))

// outboxPolicy lets the pages have their style, and the mail in its frame its own; nothing is loaded and nothing runs. The
// frame inherits it, and is in a sandbox besides.
const outboxPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Outbox shows the mails to whoever sits at this machine, and to nobody else: there are links in them by which one gets
// into accounts. It must not be served in production. A reverse proxy on the same machine that hides where requests come
// from, and what host they ask for, would let others in; those that speak HTTP/1.0 behind them, as nginx does unless it is
// told otherwise, do not.
func Outbox(mails Mails) http.Handler {
	return getOnly(func(w http.ResponseWriter, r *http.Request) {
		if !atThisMachine(r) {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", outboxPolicy)
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Type", "text/html; charset=utf-8")
		name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, OutboxPath), "/")
		if name == "" {
			list, err := mails.List()
			serveOutbox(w, "list", list, err)
			return
		}
		m, err := mails.Read(name)
		if kyro.ErrorCode(err) == kyro.CodeNotFound {
			http.NotFound(w, r)
			return
		}
		serveOutbox(w, "mail", m, err)
	})
}

func serveOutbox(w http.ResponseWriter, name string, data any, err error) {
	var page strings.Builder
	if err == nil {
		err = outboxTemplate.ExecuteTemplate(&page, name, data)
	}
	if err != nil {
		http.Error(w, "The outbox cannot be read: "+err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write([]byte(page.String()))
}

// forwarding are headers by which proxies say that a request is somebody else's.
var forwarding = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via", "Cf-Connecting-Ip"}

// atThisMachine reports whether a request was made on this machine, to this machine by its own name, and by no page of
// another origin. The name keeps out pages whose host was made to mean this machine after they were loaded, and the last
// keeps out those of other servers here, which CORS lets use the API in development.
func atThisMachine(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() || !isLoopback(r.Host) || !r.ProtoAtLeast(1, 1) {
		return false
	}
	for _, name := range forwarding {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return true
	default: // a link on any page may lead here, which shows that page nothing
		return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	}
}

// isLoopback reports whether host:port, or a host alone, is this machine.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && address.Unmap().IsLoopback()
}

// piece is text, or the address of a link.
type piece struct{ Text, Link string }

var linkInText = regexp.MustCompile(`https?://[^\s<>"]+`)

// pieces finds the links in a text.
func pieces(text string) []piece {
	var list []piece
	for {
		at := linkInText.FindStringIndex(text)
		if at == nil {
			return append(list, piece{Text: text})
		}
		link := text[at[0]:at[1]]
		list = append(list, piece{Text: text[:at[0]]}, piece{Link: link})
		text = text[at[1]:]
	}
}
