package fetch_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"kyrochat/ingest/fetch"
	"kyrochat/internal/website"
	"kyrochat/kyro"
)

// forbidden are all networks that must not be reached.
var forbidden = []string{
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
	"192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32", "::/96", "::1/128", "64:ff9b::/96",
	"64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "::ffff:0:0:0/96", "4000::/2", "8000::/1",
}

// edges are the first and the last address of a network, and one in between.
func edges(network string) []netip.Addr {
	p := netip.MustParsePrefix(network)
	first := p.Masked().Addr()
	last, middle := first.AsSlice(), first.AsSlice()
	for bit := p.Bits(); bit < first.BitLen(); bit++ {
		last[bit/8] |= 1 << (7 - bit%8)
		if bit%3 == 1 {
			middle[bit/8] |= 1 << (7 - bit%8)
		}
	}
	l, _ := netip.AddrFromSlice(last)
	m, _ := netip.AddrFromSlice(middle)
	return []netip.Addr{first, m, l}
}

// spellings are hosts that some program takes for the address.
func spellings(a netip.Addr) []string {
	if a.Is6() {
		return []string{"[" + a.String() + "]", "[" + a.StringExpanded() + "]", "[" + strings.ToUpper(a.String()) + "]", "[" + a.String() + "%25lo]", "[" + a.String() + "%251]"}
	}
	b := a.As4()
	n := binary.BigEndian.Uint32(b[:])
	mapped, low := fmt.Sprintf("%x:%x", n>>16, n&0xffff), fmt.Sprintf("%02x%02x:%02x%02x", b[0], b[1], b[2], b[3])
	wide := func(s string) string {
		return strings.Map(func(r rune) rune {
			if '0' <= r && r <= '9' {
				return r - '0' + '０'
			}
			return r
		}, s)
	}
	circled := strings.Map(func(r rune) rune {
		if '1' <= r && r <= '9' {
			return r - '1' + '①'
		}
		return r
	}, a.String())
	var percent strings.Builder
	for _, c := range []byte(a.String()) {
		fmt.Fprintf(&percent, "%%%02x", c)
	}
	return []string{
		a.String(), a.String() + ".", strconv.Itoa(int(n)), fmt.Sprintf("0x%x", n), fmt.Sprintf("0X%X", n), fmt.Sprintf("0%o", n), fmt.Sprintf("0x%x.0x%x.0x%x.0x%x", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("0%o.0%o.0%o.0%o", b[0], b[1], b[2], b[3]), fmt.Sprintf("%03d.%03d.%03d.%03d", b[0], b[1], b[2], b[3]), fmt.Sprintf("%d.%d", b[0], n&0xffffff), fmt.Sprintf("%d.%d.%d", b[0], b[1], n&0xffff),
		fmt.Sprintf("0x%x.%d", b[0], n&0xffffff), wide(a.String()), circled, strings.ReplaceAll(a.String(), ".", "。"), percent.String(), strconv.FormatUint(uint64(n)+1<<32, 10),
		"[::ffff:" + a.String() + "]", "[::ffff:" + mapped + "]", "[0:0:0:0:0:ffff:" + mapped + "]", "[::" + a.String() + "]", "[64:ff9b::" + a.String() + "]", "[64:ff9b:1::" + mapped + "]", "[2002:" + low + "::1]",
		"[2001:0:" + low + "::1]", "[::ffff:0:" + mapped + "]", "[::ffff:" + a.String() + "%25lo]", "user@" + a.String(), "example.com@" + a.String(), "example.com:80@" + a.String(), "example.com\\@" + a.String(),
		"example.com%00@" + a.String(), a.String() + "%23@example.com", a.String() + "%2f.example.com", a.String() + "\\.example.com", a.String() + " .example.com", a.String() + ":80:80",
	}
}

// TestForbiddenAddressesAreNotReached tries all forms of addresses, as they are and by redirections, with proxies in the
// environment: nothing on this machine is reached but what is excepted, and there is one answer to all of it.
func TestForbiddenAddressesAreNotReached(t *testing.T) {
	site, dns := startSite(t), startDNS(t)
	port := strconv.Itoa(int(site.Address.Port()))
	traps, closed := []*trap{}, "1"
	var own []netip.Addr
	for _, address := range hereabouts(t) {
		own = append(own, address)
		for _, p := range []string{"80", "443", port, "0"} {
			if address.String() == "127.0.0.1" && p == port {
				continue
			}
			if c := setTrap(t, net.JoinHostPort(address.String(), p)); c != nil {
				traps = append(traps, c)
				if p == "0" {
					_, closed, _ = net.SplitHostPort(c.Addr().String())
				}
			}
		}
	}
	proxy := setTrap(t, "127.0.0.1:0")
	traps = append(traps, proxy)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(name, "http://"+proxy.Addr().String())
	}
	t.Setenv("NO_PROXY", "")

	f := open(t, fetch.Options{Allow: []fetch.Exception{only(site.Address)}, DNS: dns.Address, Own: own})
	if f.UsesProxies() { // those at addresses that may be reached would fetch what may not; one here is refused anyway
		t.Error("proxies of the environment are used")
	}
	var forms []string
	name := 0
	for _, network := range forbidden {
		for _, address := range edges(network) {
			name++
			dns.Addr(fmt.Sprintf("a%d.example", name), address.String())
			forms = append(forms, fmt.Sprintf("http://a%d.example/", name))
			for _, host := range spellings(address) {
				forms = append(forms, "http://"+host+"/")
			}
		}
	}
	for _, address := range own {
		for _, host := range spellings(address) {
			for _, p := range []string{"", ":443", ":22", ":" + port, ":" + closed} {
				if address.String() != "127.0.0.1" || p != ":"+port {
					forms = append(forms, "http://"+host+p+"/", "https://"+host+p+"/")
				}
			}
		}
	}
	dns.Set("mixed.example", website.Answer{Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("10.0.0.1")}})
	dns.Set("alias.example", website.Answer{CNAME: "localhost", Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}})
	dns.Set("by-tcp.example", website.Answer{Cut: true, Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}})
	dns.Addr("mapped.example", "::ffff:127.0.0.1")
	forms = append(forms,
		"http://mixed.example/", "http://alias.example/", "https://alias.example./", "http://by-tcp.example/", "http://mapped.example/", "http://localhost/", "https://localhost./", "http://ip6-localhost/", "http://LOCALHOST/",
		"http://nothing.example/", "http://nothing.example:22/", "http://127.0.0.1.nip.example/", "http:127.0.0.1", "http:/127.0.0.1/", "http:///127.0.0.1/", "//127.0.0.1/", "http:\\\\127.0.0.1\\",
		"file:///etc/passwd", "gopher://127.0.0.1:80/_GET", "ftp://127.0.0.1/", "dict://127.0.0.1:11211/", "unix:/var/run/docker.sock", "http+unix://%2Fvar%2Frun/", "jar:http://127.0.0.1!/", "data:text/plain,a", "",
		"http://127.0.0.1:0/", "http://127.0.0.1:65536/", "http://127.0.0.1:-80/", "http://127.0.0.1:80 /", "http://127.0.0.1\t/", "http://127.0.0.1\r\nHost: a/", "http://"+strings.Repeat("1", 3000)+"/",
	)
	if len(forms) < 300 {
		t.Fatalf("these are %d forms only", len(forms))
	}
	t.Logf("%d forms, %d traps", len(forms), len(traps))

	ctx := within(t)
	for _, form := range forms {
		_, err := f.Fetch(ctx, kyro.Fetch{URL: form})
		wantError(t, form, err, kyro.CodeFetchFailed, unreachable)
		if _, err = f.Sitemap(ctx, form, 10); err != nil {
			wantError(t, "sitemap "+form, err, kyro.CodeFetchFailed, unreachable)
		} else {
			t.Errorf("%s has a sitemap", form)
		}
		if allowed, err := f.Allowed(ctx, form); allowed {
			t.Errorf("%s is allowed", form)
		} else {
			wantError(t, "robots.txt of "+form, err, kyro.CodeFetchFailed, unreachable)
		}
	}
	for i, form := range forms {
		if strings.ContainsAny(form, "\r\n\t") || form == "" || strings.HasPrefix(form, "//") || !strings.Contains(form, "://") {
			continue // as a location it is no header, or an address of the site itself
		}
		site.Set("/redirects", website.Page{Status: []int{301, 302, 303, 307, 308}[i%5], Location: form})
		_, err := f.Fetch(ctx, kyro.Fetch{URL: site.URL + "/redirects"})
		wantError(t, "redirected to "+form, err, kyro.CodeFetchFailed, unreachable)
	}
	for _, c := range traps {
		if n := c.reached.Load(); n > 0 {
			t.Errorf("%s was reached %d times", c.Addr(), n)
		}
	}
	site.Set("/allowed", website.Page{Body: "This is the page."})
	if _, text, err := read(t, f, kyro.Fetch{URL: site.URL + "/allowed"}); err != nil || text != "This is the page." {
		t.Errorf("what is excepted is not reached: %q, %v", text, err)
	}
}

// hereabouts are the addresses of this machine.
func hereabouts(t *testing.T) []netip.Addr {
	t.Helper()
	list := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.8.9.10"), netip.MustParseAddr("::1")}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
			list = append(list, p.Addr())
		}
	}
	return list
}

// TestOwnAddressesAreRefused although they are public.
func TestOwnAddressesAreRefused(t *testing.T) {
	t.Parallel()
	f := open(t, fetch.Options{Own: []netip.Addr{netip.MustParseAddr("::ffff:198.100.1.2"), netip.MustParseAddr("2a00::1")}})
	for _, form := range []string{"http://198.100.1.2/", "https://[2a00::1]/"} {
		began := time.Now()
		_, err := f.Fetch(within(t), kyro.Fetch{URL: form})
		wantError(t, form, err, kyro.CodeFetchFailed, unreachable)
		if !strings.Contains(err.Error(), "may not be reached") {
			t.Errorf("%s was tried, for %s: %v", form, time.Since(began), err)
		}
	}
}

// TestNamesThatMoveAreRefused: a name that meant something that may be reached means something else a moment later.
func TestNamesThatMoveAreRefused(t *testing.T) {
	t.Parallel()
	site, dns := startSite(t), startDNS(t)
	site.Set("/", website.Page{Body: "first", Header: map[string][]string{"Connection": {"close"}}})
	site.Set("/robots.txt", website.Page{Type: "text/plain", Header: map[string][]string{"Connection": {"close"}}})
	secret := setTrap(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), site.Address.Port()).String())
	if secret == nil {
		t.Skip("127.0.0.2 is not of this machine")
	}
	good, bad := []netip.Addr{site.Address.Addr()}, []netip.Addr{netip.MustParseAddr("127.0.0.2")}
	f := open(t, fetch.Options{Allow: []fetch.Exception{only(site.Address)}, DNS: dns.Address})
	address := fmt.Sprintf("http://moves.example:%d/", site.Address.Port())
	// The first answer is for robots.txt, the second for the page.
	dns.Set("moves.example", website.Answer{Addrs: good, TTL: 3600}, website.Answer{Addrs: bad})
	_, err := f.Fetch(within(t), kyro.Fetch{URL: address})
	wantError(t, "the page", err, kyro.CodeFetchFailed, unreachable)
	if len(site.Hits("/robots.txt")) != 1 || len(site.Hits("/")) != 0 {
		t.Errorf("it came with %+v", site.Hits(""))
	}
	dns.Set("moves.example", website.Answer{Addrs: good}, website.Answer{Addrs: bad})
	if _, text, err := read(t, f, kyro.Fetch{URL: address}); err != nil || text != "first" {
		t.Errorf("%q, %v", text, err)
	}
	_, err = f.Fetch(within(t), kyro.Fetch{URL: address})
	wantError(t, "the page, the second time", err, kyro.CodeFetchFailed, unreachable)
	// Of several addresses those that may not be reached are left out.
	dns.Set("moves.example", website.Answer{Addrs: append(bad, good...)})
	if _, text, err := read(t, f, kyro.Fetch{URL: address}); err != nil || text != "first" {
		t.Errorf("of both: %q, %v", text, err)
	}
	if n := secret.reached.Load(); n > 0 {
		t.Errorf("the secret was reached %d times", n)
	}
}
