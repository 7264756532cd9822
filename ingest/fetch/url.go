package fetch

import (
	"cmp"
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"kyrochat/kyro"
)

// CanonicalURL is the form by which addresses of pages are compared and stored: scheme and host in lower case, the host in
// ASCII and without a dot at its end, no default port, no fragment, dot segments resolved, one way of percent-encoding, and
// without the parameters by which visitors are tracked; the others keep their order. It is a VALIDATION error of the field
// url where there is no http or https address of at most kyro.MaxURL bytes, or one with a user. Whether it may be reached is
// not asked here.
func CanonicalURL(raw string) (string, error) {
	u, err := parse(raw)
	if err != nil {
		return "", err
	}
	return canonical(u), nil
}

// canonical is the form of an address that parse gave.
func canonical(u *url.URL) string {
	c := *u
	c.RawQuery = withoutTracking(u.RawQuery)
	return c.String()
}

func invalid(format string, args ...any) error { return kyro.Invalid("url", format, args...) }

// parse reads an address and brings it into its one form, with all of its parameters.
func parse(raw string) (*url.URL, error) {
	raw = strings.TrimSpace(raw)
	if len(raw) > kyro.MaxURL {
		return nil, invalid("The address must not be longer than %d bytes.", kyro.MaxURL)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return nil, invalid("This is not the address of a page: use one such as https://example.com/help.")
	}
	if u.Scheme != "http" && u.Scheme != "https" { // Parse gives it in lower case
		return nil, invalid("Only addresses that begin with http:// or https:// can be fetched.")
	}
	if u.User != nil {
		return nil, invalid("The address must not have a user or a password in it.")
	}
	host, err := canonicalHost(u.Hostname())
	if err != nil {
		return nil, invalid("The address has no valid host.")
	}
	port := u.Port()
	if port != "" || strings.HasSuffix(u.Host, ":") {
		n, err := strconv.ParseUint(port, 10, 16)
		if port != "" && (err != nil || n == 0) {
			return nil, invalid("The address has no valid port.")
		}
		port = strconv.FormatUint(n, 10)
		if port == "0" || port == "80" && u.Scheme == "http" || port == "443" && u.Scheme == "https" {
			port = ""
		}
	}
	if port != "" {
		host += ":" + port
	}
	path := withoutDots(encoded(cmp.Or(u.RawPath, u.EscapedPath()), pathSigns)) // RawPath is as it was written
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return nil, invalid("This is not the address of a page: use one such as https://example.com/help.")
	}
	u = &url.URL{Scheme: u.Scheme, Host: host, Path: decoded, RawPath: path, RawQuery: encoded(u.RawQuery, querySigns)}
	if len(u.String()) > kyro.MaxURL {
		return nil, invalid("The address must not be longer than %d bytes.", kyro.MaxURL)
	}
	return u, nil
}

// names maps hosts as browsers do (UTS 46, not transitional). Labels may have underscores and hyphens anywhere, since some
// names of the DNS do.
var names = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false), idna.VerifyDNSLength(true))

var errHost = errors.New("not a host")

// canonicalHost is a name in ASCII or an address, with brackets where it is one of IPv6. Addresses are taken in their usual
// form only: other programs take 0x7f.1, 2130706433 and 0177.0.0.1 for 127.0.0.1, and what ends in a number is no name.
func canonicalHost(host string) (string, error) {
	if strings.ContainsRune(host, ':') {
		addr, err := netip.ParseAddr(host)
		switch {
		case err != nil || addr.Zone() != "":
			return "", errHost
		case addr.Is4In6():
			return addr.Unmap().String(), nil
		}
		return "[" + addr.String() + "]", nil
	}
	host, err := names.ToASCII(host)
	if err != nil {
		return "", err
	}
	if again, err := names.ToASCII(host); err != nil || again != host { // no name has this form
		return "", errHost
	}
	if host = strings.TrimSuffix(host, "."); host == "" || len(host) > 253 || strings.HasSuffix(host, ".") {
		return "", errHost
	}
	if strings.ContainsFunc(host, func(r rune) bool { return !isAlphanumeric(r) && r != '-' && r != '_' && r != '.' }) {
		return "", errHost
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if isNumber(last) {
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return "", errHost
		}
		return addr.String(), nil
	}
	return host, nil
}

// isNumber reports whether a label is a number in any writing that some program reads addresses in.
func isNumber(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// What stands for itself in a path and in a query, besides letters, digits and -._~ (RFC 3986).
const (
	pathSigns  = "/!$&'()*+,;=:@"
	querySigns = pathSigns + "?"
)

// encoded is text in the one form of percent-encoding: what needs none has none, and the rest is in capitals.
func encoded(s, signs string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		octet, escaped := c, false
		if c == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				octet, escaped = byte(n), true
				i += 2
			}
		}
		unreserved := isAlphanumeric(rune(octet)) || strings.IndexByte("-._~", octet) >= 0
		if unreserved || !escaped && strings.IndexByte(signs, c) >= 0 {
			b.WriteByte(octet)
			continue
		}
		b.Write([]byte{'%', hex[octet>>4], hex[octet&15]})
	}
	return b.String()
}

// withoutDots resolves the dot segments of an absolute path (RFC 3986, 5.2.4).
func withoutDots(path string) string {
	var kept []string
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s != "." && s != "..":
			kept = append(kept, s)
			continue
		case s == ".." && len(kept) > 0:
			kept = kept[:len(kept)-1]
		}
		if last {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}

// tracking are parameters that say where a visitor came from, and nothing about the page.
var tracking = map[string]bool{
	"gclid": true, "gclsrc": true, "dclid": true, "gbraid": true, "wbraid": true, "gad_source": true, "_ga": true, "_gl": true,
	"fbclid": true, "igshid": true, "msclkid": true, "twclid": true, "ttclid": true, "li_fat_id": true, "yclid": true, "_openstat": true,
	"mc_cid": true, "mc_eid": true, "_hsenc": true, "_hsmi": true, "mkt_tok": true, "vero_id": true, "oly_anon_id": true, "oly_enc_id": true,
}

func withoutTracking(query string) string {
	var kept []string
	for each := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(each, "=")
		name = strings.ToLower(name)
		if each != "" && !tracking[name] && !strings.HasPrefix(name, "utm_") {
			kept = append(kept, each)
		}
	}
	return strings.Join(kept, "&")
}

// SameSite reports whether two addresses are of one site: under the same domain that somebody registered, or at the same
// host where that is an address, or has no such domain. Who has a name under a domain such as github.io has a site of
// their own.
func SameSite(a, b string) bool {
	first, err := parse(a)
	if err != nil {
		return false
	}
	second, err := parse(b)
	return err == nil && site(first) == site(second)
}

func site(u *url.URL) string {
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	if domain, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return domain
	}
	return host
}
