package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"kyrochat/text"
)

// reader reads settings and collects what is wrong with them.
type reader struct {
	getenv func(string) string
	errs   Mistakes
}

// Remark is something that is to be said of a setting.
type Remark struct{ Setting, Says string }

// Mistakes are all that stop a start.
type Mistakes []Remark

// Error implements error.
func (m Mistakes) Error() string {
	var b strings.Builder
	b.WriteString("the configuration is wrong:")
	for _, each := range m {
		b.WriteString("\n" + each.Setting + " " + each.Says)
	}
	return b.String()
}

func (r *reader) wrong(name, format string, args ...any) {
	r.errs = append(r.errs, Remark{name, fmt.Sprintf(format, args...)})
}

func (r *reader) err() error {
	if len(r.errs) == 0 {
		return nil
	}
	return r.errs
}

func (r *reader) text(name, fallback string) string {
	if s := strings.TrimSpace(r.getenv(name)); s != "" {
		return s
	}
	return fallback
}

func (r *reader) choice(name, fallback string, choices ...string) string {
	s := strings.ToLower(r.text(name, fallback))
	if !slices.Contains(choices, s) {
		r.wrong(name, "is %q: use one of %s", s, strings.Join(choices, ", "))
		return fallback
	}
	return s
}

func (r *reader) integer(name string, fallback, minimum, maximum int) int {
	s := r.text(name, "")
	if s == "" {
		return fallback
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < minimum || n > maximum {
		r.wrong(name, "is %q: use a whole number from %d to %d", s, minimum, maximum)
		return fallback
	}
	return n
}

func (r *reader) float(name string, fallback, minimum, maximum float64) float64 {
	s := r.text(name, "")
	if s == "" {
		return fallback
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= minimum && f <= maximum) { // not so for NaN either
		r.wrong(name, "is %q: use a number from %g to %g", s, minimum, maximum)
		return fallback
	}
	return f
}

func (r *reader) duration(name string, fallback time.Duration) time.Duration {
	s := r.text(name, "")
	if s == "" {
		return fallback
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		r.wrong(name, "is %q: use a duration such as 30s, 10m or 336h", s)
		return fallback
	}
	return d
}

func (r *reader) durationOrZero(name string, fallback time.Duration) time.Duration {
	if s := r.text(name, ""); s == "0" || s == "0s" {
		return 0
	}
	return r.duration(name, fallback)
}

func (r *reader) addr(name, fallback string) string {
	s := r.text(name, fallback)
	if _, _, err := net.SplitHostPort(s); err != nil {
		r.wrong(name, "is %q: use host:port, such as 127.0.0.1:8080", s)
	}
	return s
}

func (r *reader) url(name string, schemes ...string) string {
	s := r.text(name, "")
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" && u.RawQuery == "" && u.Scheme != "unix" || !slices.Contains(schemes, u.Scheme) {
		r.wrong(name, "is not a URL that begins with %s:// and names a host", strings.Join(schemes, ":// or "))
	}
	return s
}

// service reads the URL of a service, which check knows more of than that it is one.
func (r *reader) service(name string, check func(string) error, schemes ...string) string {
	before := len(r.errs)
	s := r.url(name, schemes...)
	if s == "" || len(r.errs) > before {
		return s
	}
	if err := check(s); err != nil {
		r.wrong(name, "is refused: %v", err)
	}
	return s
}

func (r *reader) list(name string) []string {
	var list []string
	for each := range strings.SplitSeq(r.getenv(name), ",") {
		if each = strings.TrimSpace(each); each != "" {
			list = append(list, each)
		}
	}
	return list
}

func (r *reader) origins(name string) []string {
	list := r.list(name)
	for _, s := range list {
		u, err := url.Parse(s)
		// Origins are compared: a wildcard would allow nothing, and look as if it did.
		if err != nil || u.Host == "" || u.Path != "" || u.Scheme != "http" && u.Scheme != "https" ||
			strings.ContainsAny(s, "*?[]\\") && !strings.HasPrefix(u.Host, "[") {
			r.wrong(name, "has %q: use origins such as https://app.example.com, separated by commas", s)
		} else if named := originOf(s); !strings.EqualFold(named, s) {
			r.wrong(name, "has %q, which browsers call %s: use that", s, named)
		}
	}
	return list
}

// originOf is what a browser calls the origin of a page: no path, no user, no port that goes without saying, and the
// host in ASCII.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	host := u.Host
	switch u.Scheme + " " + u.Port() {
	case "http 80", "https 443":
		host = strings.TrimSuffix(host, ":"+u.Port())
	}
	if domain, err := text.Domain(u.Hostname()); err == nil {
		host = strings.Replace(host, u.Hostname(), domain, 1)
	}
	return u.Scheme + "://" + host
}

func (r *reader) prefixes(name string) []netip.Prefix {
	var list []netip.Prefix
	for _, s := range r.list(name) {
		prefix, err := netip.ParsePrefix(s)
		if addr, addrErr := netip.ParseAddr(s); addrErr == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if mapped := prefix.Addr(); mapped.Is4In6() && prefix.Bits() >= 96 { // as which no address is looked at
			prefix = netip.PrefixFrom(mapped.Unmap(), prefix.Bits()-96)
		}
		if err != nil {
			r.wrong(name, "has %q: use addresses or networks such as 10.0.0.0/8, separated by commas", s)
			continue
		}
		list = append(list, prefix)
	}
	return list
}

func (r *reader) level(name string) slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(r.text(name, "info"))); err != nil {
		r.wrong(name, "is %q: use debug, info, warn or error", r.getenv(name))
	}
	return level
}

// pick is one of two.
func pick[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}
