package fetch

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Exception is what may be reached besides the public internet: addresses, at ports from First to Last.
type Exception struct {
	Prefix      netip.Prefix
	First, Last uint16
}

// ParseException reads an exception as an operator writes it: an address or a network in CIDR, then a colon and a port or
// a range of ports, such as 10.0.0.0/8:80-90 or [::1]:8080; ports 80 and 443 alone where there is none.
func ParseException(s string) ([]Exception, error) {
	if strings.HasSuffix(s, ":") && !strings.HasSuffix(s, "::") {
		return nil, errors.New("there is no port behind the colon")
	}
	network, ports := s, ""
	switch slash, bracket := strings.LastIndexByte(s, '/'), strings.LastIndexByte(s, ']'); {
	case slash >= 0:
		if colon := strings.IndexByte(s[slash:], ':'); colon >= 0 {
			network, ports = s[:slash+colon], s[slash+colon+1:]
		}
	case bracket >= 0:
		network, ports = s[:bracket+1], strings.TrimPrefix(s[bracket+1:], ":")
	case strings.Count(s, ":") == 1:
		network, ports, _ = strings.Cut(s, ":")
	}
	network = strings.NewReplacer("[", "", "]", "").Replace(network)
	var prefix netip.Prefix
	if addr, err := netip.ParseAddr(network); err == nil && addr.Zone() == "" {
		prefix = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
	} else if prefix, err = netip.ParsePrefix(network); err != nil || prefix.Addr().Is4In6() {
		return nil, fmt.Errorf("%q is neither an address nor a network", network)
	}
	prefix = prefix.Masked()
	if ports == "" {
		return []Exception{{prefix, 80, 80}, {prefix, 443, 443}}, nil
	}
	from, to, ranged := strings.Cut(ports, "-")
	first, err := strconv.ParseUint(from, 10, 16)
	last := first
	if err == nil && ranged {
		last, err = strconv.ParseUint(to, 10, 16)
	}
	if err != nil || first == 0 || last < first {
		return nil, fmt.Errorf("%q is neither a port nor a range of ports", ports)
	}
	return []Exception{{prefix, uint16(first), uint16(last)}}, nil
}

func (e Exception) at(port uint16) bool { return e.First <= port && port <= e.Last }

// special are the networks of RFC 6890 and its successors that are not of the public internet, those that carry IPv4
// addresses of any kind inside of IPv6 ones, and the address at which Azure serves its machines.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
	"::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
	"fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

// global is all of IPv6 that has been given to the public internet; what is outside of it may become anything.
var global = netip.MustParsePrefix("2000::/3")

func prefixes(list ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(list))
	for i, s := range list {
		parsed[i] = netip.MustParsePrefix(s)
	}
	return parsed
}

// public reports whether the address is one of the public internet.
func public(addr netip.Addr) bool {
	return addr.IsGlobalUnicast() && !addr.IsPrivate() && addr.Zone() == "" && (addr.Is4() || global.Contains(addr)) &&
		!slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// errForbidden is told to the log alone.
var errForbidden = errors.New("the address may not be reached")

// check refuses an address that may not be reached. What the operator excepts counts before everything else.
func (f *Fetcher) check(to netip.AddrPort) error {
	if to.Addr().Zone() != "" {
		return errForbidden
	}
	addr, port := to.Addr().Unmap(), to.Port()
	for _, e := range f.Allow {
		if e.at(port) && e.Prefix.Contains(addr) {
			return nil
		}
	}
	if !webPort(port) || !public(addr) || slices.ContainsFunc(f.Own, func(own netip.Addr) bool { return own.WithZone("").Unmap() == addr }) {
		return errForbidden
	}
	return nil
}

func webPort(port uint16) bool { return port == 80 || port == 443 }

// mayAsk reports whether there can be an address that may be reached at the port, so that nobody is asked for the name
// of one where there is none.
func (f *Fetcher) mayAsk(port uint16) bool {
	return webPort(port) || slices.ContainsFunc(f.Allow, func(e Exception) bool { return e.at(port) })
}
