package fetch

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// dialer connects to what may be reached. The check is the last thing before a connection: it sees the address itself, of
// every one of those that a name has.
func (f *Fetcher) dialer() *guard {
	resolver := &net.Resolver{PreferGo: true} // that of the C library takes 0x7f.1 for an address
	if f.DNS != "" {
		resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, f.DNS)
		}
	}
	return &guard{net.Dialer{
		Timeout: f.Dial, Resolver: resolver,
		ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil || network != "tcp4" && network != "tcp6" {
				return errForbidden
			}
			return f.check(to)
		},
	}}
}

// guard is a dialer that takes names for absolute ones: no search domain of the machine is put behind them.
type guard struct{ dialer net.Dialer }

// DialContext connects to a host and a port.
func (g *guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err != nil && !strings.HasSuffix(host, ".") {
		address = net.JoinHostPort(host+".", port)
	}
	return g.dialer.DialContext(ctx, network, address)
}
