package auth

import (
	"net/http"
	"net/netip"
	"strings"
	"unicode"

	"kyrochat/kyro"
)

// maxUserAgent is how many bytes of a User-Agent are kept.
const maxUserAgent = 255

// ClientAddr is the address a request comes from: the peer's, or where the peer is a trusted proxy the right-most
// hop of X-Forwarded-For that is none. What stands further left was written by the client and counts for nothing.
// It is invalid where the peer has no IP address.
func ClientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer := parseHop(r.RemoteAddr)
	if !isTrusted(peer, trusted) {
		return peer
	}
	client := peer
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop := parseHop(strings.TrimSpace(hops[i]))
		if !hop.IsValid() {
			break
		}
		client = hop
		if !isTrusted(hop, trusted) {
			break
		}
	}
	return client
}

// parseHop reads an address with or without a port; the zero Addr where there is none.
func parseHop(s string) netip.Addr {
	if with, err := netip.ParseAddrPort(s); err == nil {
		return with.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

func isTrusted(addr netip.Addr, trusted []netip.Prefix) bool {
	for _, prefix := range trusted {
		if addr.IsValid() && prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// networkOf is what limits count an address by: whoever has an IPv6 address has the 2^64 of its network. It is
// invalid where the address is.
func networkOf(addr netip.Addr) netip.Prefix {
	network, _ := addr.Prefix(min(addr.BitLen(), 64))
	return network
}

// deviceOf says where a request comes from, for the list of sessions: never the whole address.
func deviceOf(r *http.Request, addr netip.Addr) kyro.Device {
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	device := kyro.Device{UserAgent: cleanUserAgent(r.UserAgent())}
	if network, err := addr.Prefix(bits); err == nil && network.IsValid() {
		device.AddressPrefix = network.String()
	}
	return device
}

// cleanUserAgent keeps what is text of at most 255 bytes.
func cleanUserAgent(s string) string {
	s = s[:min(len(s), maxUserAgent)]
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
