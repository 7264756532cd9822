package fetch_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"kyrochat/ingest/fetch"
	"kyrochat/internal/website"
	"kyrochat/kyro"
)

// patience bounds what must come; no test waits that long unless it fails.
const patience = 30 * time.Second

// unreachable is the one text for everything that is not to be told apart.
const unreachable = "The page could not be fetched. Check that the address is right and that everybody can open it on the internet, then try again."

func startSite(t *testing.T) *website.Site {
	t.Helper()
	site, err := website.Start(website.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(site.Close)
	return site
}

func startDNS(t *testing.T) *website.DNS {
	t.Helper()
	dns, err := website.StartDNS()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dns.Close)
	return dns
}

// only is the exception that lets one address be reached.
func only(at netip.AddrPort) fetch.Exception {
	return fetch.Exception{Prefix: netip.PrefixFrom(at.Addr(), at.Addr().BitLen()), First: at.Port(), Last: at.Port()}
}

func open(t *testing.T, o fetch.Options) *fetch.Fetcher {
	t.Helper()
	f := fetch.New(o)
	t.Cleanup(f.Close)
	return f
}

// reader is a fetcher that reaches the site alone.
func reader(t *testing.T, site *website.Site) *fetch.Fetcher {
	t.Helper()
	return open(t, fetch.Options{Allow: []fetch.Exception{only(site.Address)}})
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// read fetches a page and reads it to its end.
func read(t *testing.T, f *fetch.Fetcher, what kyro.Fetch) (kyro.Fetched, string, error) {
	t.Helper()
	got, err := f.Fetch(within(t), what)
	if err != nil || got.Body == nil {
		return got, "", err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	return got, string(text), err
}

// wantError checks code and text of an error; any text where it is "".
func wantError(t *testing.T, what string, err error, code kyro.Code, text string) {
	t.Helper()
	known, ok := errors.AsType[*kyro.Error](err)
	if !ok || known.Code != code || text != "" && known.Message != text {
		t.Errorf("%s: %v; want %s %q", what, err, code, text)
		return
	}
	switch code {
	case kyro.CodeUpstreamFailed, kyro.CodeTimeout, kyro.CodeRateLimited:
		if known.RetryAfter <= 0 {
			t.Errorf("%s: it does not say when to ask again: %v", what, err)
		}
	default:
		if known.RetryAfter != 0 {
			t.Errorf("%s: it is to be asked again: %v", what, err)
		}
	}
}

// trap counts the connections that reach it.
type trap struct {
	net.Listener
	reached atomic.Int64
}

// setTrap listens at an address; nil where that cannot be done here.
func setTrap(t *testing.T, address string) *trap {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil
	}
	c := &trap{Listener: l}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.reached.Add(1)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return c
}

// setTrapSilent listens, takes connections and says nothing.
func setTrapSilent(t *testing.T) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr()
}
