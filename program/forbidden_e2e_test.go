package program

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kyrochat/internal/testdb"
	"kyrochat/internal/website"
)

// notFetched is what people are told of every page that could not be reached, whatever the reason.
const notFetched = "The page could not be fetched. Check that the address is right and that everybody can open it on the internet, then try again."

// snare is a listener that nobody may reach.
type snare struct {
	net.Listener
	reached atomic.Int64
}

// setSnare listens at an address; nil where that cannot be done here.
func setSnare(t *testing.T, address string) *snare {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil
	}
	c, done := &snare{Listener: l}, make(chan struct{})
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
	t.Cleanup(func() { _ = l.Close(); <-done })
	return c
}

// spellingsOf are hosts that some program takes for the address.
func spellingsOf(a netip.Addr) []string {
	if a.Is6() {
		return []string{"[" + a.String() + "]", "[" + a.StringExpanded() + "]", "[" + a.String() + "%25lo]"}
	}
	b := a.As4()
	n := binary.BigEndian.Uint32(b[:])
	mapped := fmt.Sprintf("%x:%x", n>>16, n&0xffff)
	return []string{
		a.String(), a.String() + ".", strconv.Itoa(int(n)), fmt.Sprintf("0x%x", n), fmt.Sprintf("0%o", n), fmt.Sprintf("0x%x.0x%x.0x%x.0x%x", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("0%o.0%o.0%o.0%o", b[0], b[1], b[2], b[3]), fmt.Sprintf("%d.%d", b[0], n&0xffffff), strings.ReplaceAll(a.String(), ".", "。"), strings.ReplaceAll(a.String(), "1", "①"),
		"[::ffff:" + mapped + "]", "[::" + a.String() + "]", "[64:ff9b::" + a.String() + "]", "[2002:" + mapped + "::1]", "user@" + a.String(), "example.com%00@" + a.String(), a.String() + "%23@example.com",
	}
}

// TestNothingForbiddenIsFetched: whatever people ask for, and wherever sites lead, a server connects to nothing but what it
// may reach, and tells them one thing of all the rest. Only whoever runs it hears more.
func TestNothingForbiddenIsFetched(t *testing.T) {
	t.Parallel()
	// One after the other, since both listen at the ports that programs reach by themselves.
	t.Run("sqlite", func(t *testing.T) { fetchNothingForbidden(t, map[string]string{}, 1) })
	t.Run("postgres", func(t *testing.T) {
		fetchNothingForbidden(t, map[string]string{"DATABASE_URL": testdb.PostgresURL(t)}, 4)
	})
}

// fetchNothingForbidden tries each form whose number is a multiple of every.
func fetchNothingForbidden(t *testing.T, database map[string]string, every int) {
	site, env := newSite(t)
	maps.Copy(env, database)
	dns, err := website.StartDNS()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dns.Close)
	port := strconv.Itoa(int(site.Address.Port()))
	local := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.8.9.10"), netip.MustParseAddr("::1")}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
			local = append(local, p.Addr())
		}
	}
	var snares []*snare
	var secret string // host:port of one on the host of the site
	for _, address := range append(local, netip.MustParseAddr("127.0.0.2")) {
		for _, p := range []string{"80", "443", port, "0"} {
			if c := setSnare(t, net.JoinHostPort(address.String(), p)); c != nil {
				snares = append(snares, c)
				if p == "0" && secret == "" {
					secret = c.Addr().String()
				}
			}
		}
	}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"} {
		env[name] = "http://" + secret
	}
	env["KYRO_DATA_DIR"], env["KYRO_FETCH_DNS"] = t.TempDir(), dns.Address
	s := startProcess(t, env)
	p := s.signUp(t)
	bot := p.newBot()

	var forms []string
	for _, address := range append(local, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("fd00::1")) {
		name := fmt.Sprintf("a%d.example", len(forms))
		dns.Addr(name, address.String())
		forms = append(forms, "http://"+name+"/", "https://"+name+"/")
		for _, host := range spellingsOf(address) {
			forms = append(forms, "http://"+host+"/", "http://"+host+":443/", "https://"+host+"/")
		}
	}
	dns.Set("alias.example", website.Answer{CNAME: "localhost", Addrs: local[:1]})
	dns.Set("mixed.example", website.Answer{Addrs: local})
	forms = append(forms, "http://alias.example/", "http://mixed.example/", "http://localhost/", "http://nothing.example/", "http://nothing.example:22/",
		"http://"+secret+"/", "http://127.0.0.1:1/", "http://198.51.100.1/", "http://[fe80::1%25lo]/", "file:///etc/passwd", "gopher://127.0.0.1:80/_GET")
	// Where sites lead: by redirections, by their robots.txt, by names that mean something else later.
	for i, to := range []string{"http://" + secret + "/", "https://127.0.0.1/", "http://169.254.169.254/latest/", "http://[::1]/", "http://alias.example/", "http://nothing.example/", "//" + secret + "/", "http://user@" + secret + "/"} {
		from := fmt.Sprintf("/leads/%d", i)
		site.Set(from, website.Page{Status: []int{301, 302, 303, 307, 308}[i%5], Location: to})
		forms = append(forms, site.URL+from)
	}
	dns.Addr("robots.example", "127.0.0.1")
	site.Set("robots.example/robots.txt", website.Page{Location: "http://" + secret + "/robots.txt"})
	site.Set("robots.example/", website.Page{Body: "Hidden behind its robots.txt."})
	forms = append(forms, "http://robots.example:"+port+"/")
	once := map[string][]string{"Connection": {"close"}}
	site.Set("swaps.example/robots.txt", website.Page{Type: "text/plain", Header: once})
	dns.Set("swaps.example", website.Answer{Addrs: local[:1], TTL: 3600}, website.Answer{Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.2")}})
	forms = append(forms, "http://swaps.example:"+port+"/")

	var documents []string
	refused := 0
	for i, form := range forms {
		if i%every != 0 {
			continue
		}
		r := p.ask(`mutation($b: ID!, $u: URL!) { addUrlDocument(input: {botId: $b, url: $u}) { document { id } errors { code field message } } }`, vars{"b": bot, "u": form})
		if r.tree["errors"] != nil || len(r.list("addUrlDocument.errors")) > 0 { // it is no address at all
			if refused++; strings.Contains(string(r.body), "reach") || strings.Contains(string(r.body), "allowed to") {
				t.Errorf("%s is refused with %s", form, r.body)
			}
			continue
		}
		if id := r.text("addUrlDocument.document.id"); !slices.Contains(documents, id) {
			documents = append(documents, id)
		}
	}
	t.Logf("%d forms, %d of them are no addresses, %d documents, %d snares", len(forms), refused, len(documents), len(snares))
	for _, id := range documents {
		p.settled(id)
		r := p.must(`query($d: ID!) { document(id: $d) { url status statusReason warnings { code } lastRun { outcome reason } sync { checkedAt } } }`, vars{"d": id})
		if r.get("document.status") != "FAILED" || r.get("document.statusReason") != notFetched || len(r.list("document.warnings")) > 0 {
			t.Errorf("%s", r.body)
		}
	}

	// What was read once may be elsewhere later.
	dns.Addr("moves.example", "127.0.0.1")
	site.Set("moves.example/", website.Page{Body: "<p>" + tale("lighthouse") + "</p>", Header: once})
	site.Set("moves.example/robots.txt", website.Page{Type: "text/plain", Header: once})
	moved := p.page(bot, "http://moves.example:"+port+"/").text("document.id")
	dns.Addr("moves.example", "127.0.0.2")
	r := p.resync(moved)
	want(t, r, "document.status", "READY")
	want(t, r, "document.lastRun.outcome", "FAILED")
	want(t, r, "document.lastRun.reason", notFetched)

	// Pages, sitemaps and what they call themselves lead to other ports of the same host.
	for _, first := range []string{"http://" + secret + "/", "http://" + secret + "/sitemap.xml", "http://alias.example/", "http://127.0.0.1/sitemap.xml.gz"} {
		r, _ := p.crawled(site, p.startCrawl(bot, vars{"url": first}))
		want(t, r, "node.status", "FAILED")
		want(t, r, "node.statusReason", notFetched)
	}
	site.Sitemap("/map.xml", "http://"+secret+"/in-the-map", site.URL+"/linked")
	linked := htmlPage("Links", []string{tale("ferry")}, "http://"+secret+"/linked", "https://127.0.0.1/linked", "http://[::ffff:127.0.0.1]:"+port[:len(port)-1]+"/")
	linked.Body = strings.Replace(linked.Body, "<title>", `<link rel=canonical href="http://`+secret+`/canonical"><title>`, 1)
	site.Set("/linked", linked)
	for _, first := range []string{site.URL + "/map.xml", site.URL + "/linked"} {
		r, _ := p.crawled(site, p.startCrawl(bot, vars{"url": first, "maxDepth": 3}))
		for _, each := range r.list("node.pages.nodes") {
			page := each.(map[string]any)
			if strings.HasPrefix(page["url"].(string), site.URL+"/linked") {
				continue
			}
			if page["status"] != "FAILED" || page["reason"] != notFetched {
				t.Errorf("of %v it is told %v, %v", page["url"], page["status"], page["reason"])
			}
		}
	}

	for _, c := range snares {
		if n := c.reached.Load(); n > 0 {
			t.Errorf("%s was reached %d times", c.Addr(), n)
		}
	}
	// The owner's audit log says nothing of it; the operator's does.
	if own := p.must(`{ viewer { auditLog(first: 100) { nodes { action succeeded } } } }`, nil); strings.Contains(string(own.body), "ACCESS_DENIED") {
		t.Errorf("the owner is told %s", own.body)
	}
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		listed := operate(t, env, "", "audit", "list", "--action", "ACCESS_DENIED")
		if strings.Contains(listed.Out, "may not be reached. Its host is ") { // of which there are at most sixty a minute
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the operator is told %s%s", listed.Out, listed.ErrOut)
		}
	}
}
