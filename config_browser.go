package main

import (
	"net/netip"
	"net/url"
	"strings"
)

// browserConfig is what only browsers meet.
type browserConfig struct {
	Cookies bool   // refresh tokens may be kept in a cookie, by those who ask for it
	AppURL  string // where the pages that mails lead to send people on to; empty: nowhere
}

// readBrowser reads it. Cookies that only travel over https are dropped by browsers elsewhere, but on the own machine.
func (r *reader) readBrowser(c *Config) {
	c.Browser.Cookies = r.choice("KYRO_COOKIES", "false", "true", "false") == "true"
	c.Browser.AppURL = r.url("KYRO_APP_URL", "http", "https")
	if c.Browser.Cookies && !strings.HasPrefix(c.PublicURL, "https://") && !isOwnMachine(c.PublicURL) {
		r.wrong("KYRO_COOKIES", "is true, but KYRO_PUBLIC_URL is not https: browsers keep such cookies from https alone")
	}
}

func isOwnMachine(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}
