package mail

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// encryption is how a connection to the server is to be encrypted.
type encryption string

// The ways.
const (
	fromTheStart  encryption = "smtps"
	required      encryption = "required"      // by STARTTLS, or no mail
	opportunistic encryption = "opportunistic" // by STARTTLS where it is offered
	none          encryption = "none"
)

// smtpURL is a server and how to speak to it.
type smtpURL struct {
	host           string
	port           int
	user, password string // both empty: nobody signs in
	encryption     encryption
}

// CheckURL says whether an SMTP server can be set by the URL:
//
//	smtp://[user:password@]host[:587][?tls=required|opportunistic|none]
//	smtps://[user:password@]host[:465]
//
// With smtp, STARTTLS is required, unless the host is this machine: then it is used if it is offered. A user and a password
// are never sent over a connection that is not encrypted, but to this machine. The error names neither.
func CheckURL(s string) error {
	_, err := parseURL(s)
	return err
}

func parseURL(s string) (smtpURL, error) {
	u, err := url.Parse(s)
	if err != nil { // its message would show the password
		return smtpURL{}, errors.New("it is no URL; write special characters of the user and the password as %40 and the like")
	}
	a := smtpURL{host: u.Hostname(), user: u.User.Username()}
	a.password, _ = u.User.Password()
	switch {
	case u.Scheme != "smtp" && u.Scheme != "smtps":
		return smtpURL{}, errors.New("it must begin with smtp:// or smtps://")
	case a.host == "":
		return smtpURL{}, errors.New("it names no host")
	case u.Path != "" && u.Path != "/" || u.Fragment != "":
		return smtpURL{}, errors.New("nothing may follow the host and the port but ?tls=…")
	case (a.user == "") != (a.password == ""):
		return smtpURL{}, errors.New("a user and a password go together: user:password@host")
	case hasControl(a.user + a.password):
		return smtpURL{}, errors.New("the user or the password has a control character")
	}
	if err := a.readEncryption(u); err != nil {
		return smtpURL{}, err
	}
	a.port = 587
	if a.encryption == fromTheStart {
		a.port = 465
	}
	if port := u.Port(); port != "" {
		if a.port, err = strconv.Atoi(port); err != nil || a.port < 1 || a.port > 65535 {
			return smtpURL{}, errors.New("the port must be a number from 1 to 65535")
		}
	}
	return a, nil
}

func (a *smtpURL) readEncryption(u *url.URL) error {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("what follows the ? is not ?tls=…")
	}
	for name, values := range query {
		if name != "tls" || len(values) != 1 {
			return errors.New("nothing may follow the host and the port but ?tls=…, once")
		}
	}
	asked := encryption(query.Get("tls"))
	switch {
	case u.Scheme == "smtps":
		if asked != "" {
			return errors.New("smtps:// is encrypted from the start: leave ?tls=… out")
		}
		a.encryption = fromTheStart
	case asked == required, asked == opportunistic, asked == none:
		a.encryption = asked
	case asked != "" || u.RawQuery != "":
		return fmt.Errorf("tls must be %s, %s or %s", required, opportunistic, none)
	case a.loopback():
		a.encryption = opportunistic
	default:
		a.encryption = required
	}
	if a.encryption == none && a.user != "" && !a.loopback() {
		return errors.New("a user and a password are not sent without encryption: leave ?tls=none out")
	}
	return nil
}

// loopback reports whether the server is on this machine.
func (a *smtpURL) loopback() bool {
	if strings.EqualFold(a.host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(a.host)
	return err == nil && address.Unmap().IsLoopback()
}

func (a *smtpURL) address() string { return net.JoinHostPort(a.host, strconv.Itoa(a.port)) }
