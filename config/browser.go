package config

import (
	"net/url"
	"slices"
	"strings"
)

// Browser is what only browsers meet.
type Browser struct {
	Cookies bool   // refresh tokens may be kept in a cookie, by those who ask for it
	AppURL  string // where the pages that mails lead to send people on to; empty: nowhere
}

// readBrowser reads it. Cookies that only travel over https are dropped by browsers elsewhere, but on the own machine.
func (r *reader) readBrowser(c *Config) {
	c.Browser.Cookies = r.choice("KYRO_COOKIES", "false", "true", "false") == "true"
	c.Browser.AppURL = r.url("KYRO_APP_URL", "http", "https")
	if c.Browser.Cookies && !strings.HasPrefix(c.PublicURL, "https://") && !IsOwnMachine(c.PublicURL) {
		r.wrong("KYRO_COOKIES", "is true, but KYRO_PUBLIC_URL is not https: browsers keep such cookies from https alone")
	}
	for _, origin := range c.Origins {
		if c.Browser.Cookies && strings.HasPrefix(origin, "http://") && !IsOwnMachine(origin) {
			r.wrong("KYRO_COOKIES", "is true, but KYRO_ALLOWED_ORIGINS has %s: whoever is on the way of a page that is not https could use the cookies", origin)
		}
	}
}

// IsOwnMachine reports whether an address leads to this machine.
func IsOwnMachine(address string) bool {
	u, err := url.Parse(address)
	return err == nil && IsLoopback(u.Hostname())
}

// localHosts are what development lets in on any port.
var localHosts = []string{"localhost", "127.0.0.1"}

// Allows reports whether pages of the origin may use the API.
func (c Config) Allows(origin string) bool {
	for _, allowed := range c.Origins {
		if strings.EqualFold(allowed, origin) {
			return true
		}
	}
	if len(c.Origins) > 0 {
		return false
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Scheme+"://"+u.Host != origin {
		return false
	}
	return slices.Contains(localHosts, u.Hostname())
}
