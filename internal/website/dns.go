package website

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Answer is what a name means.
type Answer struct {
	Addrs  []netip.Addr
	CNAME  string // it is another name, and Addrs are those of that one
	TTL    uint32 // seconds for which it may be remembered
	Silent bool   // there is no answer
	Cut    bool   // by UDP it is cut short, so that it is asked for by TCP
}

// DNS is a name server, by UDP and TCP. It is safe for use by many at once.
type DNS struct {
	Address string // host:port, as KYRO_FETCH_DNS has it

	udp     net.PacketConn
	tcp     net.Listener
	serving sync.WaitGroup

	mu    sync.Mutex
	names map[string][]Answer
	used  map[question]int
	asked []string
	conns map[net.Conn]bool // nil when it is closed
}

// question is a name and a type that is asked for.
type question struct {
	name string
	kind dnsmessage.Type
}

// StartDNS serves a name server that knows no name, until Close.
func StartDNS() (*DNS, error) {
	for try := 0; ; try++ {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		tcp, err := net.Listen("tcp", udp.LocalAddr().String())
		if err != nil { // the port is free for UDP alone
			if _ = udp.Close(); try < 20 {
				continue
			}
			return nil, err
		}
		d := &DNS{
			Address: udp.LocalAddr().String(), udp: udp, tcp: tcp, names: map[string][]Answer{}, used: map[question]int{},
			conns: map[net.Conn]bool{},
		}
		d.serving.Go(d.serveUDP)
		d.serving.Go(d.serveTCP)
		return d, nil
	}
}

// Close ends it.
func (d *DNS) Close() {
	_ = d.udp.Close()
	_ = d.tcp.Close()
	d.mu.Lock()
	for c := range d.conns {
		_ = c.Close()
	}
	d.conns = nil
	d.mu.Unlock()
	d.serving.Wait()
}

// Set says what a name means: the first answer to the first question for it, and so on; the last for all that follow. A and
// AAAA are counted apart, so that a client that asks for both gets one answer.
func (d *DNS) Set(name string, answers ...Answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = strings.ToLower(strings.TrimSuffix(name, ".")) + "."
	d.names[name] = answers
	delete(d.used, question{name, dnsmessage.TypeA})
	delete(d.used, question{name, dnsmessage.TypeAAAA})
}

// Addr says that a name means addresses.
func (d *DNS) Addr(name string, addrs ...string) {
	a := Answer{TTL: 60}
	for _, s := range addrs {
		a.Addrs = append(a.Addrs, netip.MustParseAddr(s))
	}
	d.Set(name, a)
}

// Asked are the names that were asked for, each once, in order.
func (d *DNS) Asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked)
}

func (d *DNS) take(q question) (Answer, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := strings.TrimSuffix(q.name, ".")
	if !slices.Contains(d.asked, name) {
		d.asked = append(d.asked, name)
	}
	list := d.names[q.name]
	if len(list) == 0 {
		return Answer{}, false
	}
	a := list[min(d.used[q], len(list)-1)]
	d.used[q]++
	return a, true
}

func (d *DNS) serveUDP() {
	buffer := make([]byte, 4096)
	for {
		n, from, err := d.udp.ReadFrom(buffer)
		if err != nil {
			return
		}
		if reply := d.reply(buffer[:n], true); reply != nil {
			_, _ = d.udp.WriteTo(reply, from)
		}
	}
}

func (d *DNS) serveTCP() {
	for {
		c, err := d.tcp.Accept()
		if err != nil {
			return
		}
		d.mu.Lock()
		if d.conns == nil {
			_ = c.Close()
		} else {
			d.conns[c] = true
			d.serving.Go(func() { d.serveConn(c) })
		}
		d.mu.Unlock()
	}
}

func (d *DNS) serveConn(c net.Conn) {
	defer func() {
		_ = c.Close()
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.conns, c)
	}()
	for {
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		message := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, message); err != nil {
			return
		}
		reply := d.reply(message, false)
		if reply == nil {
			continue
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}

// reply answers a message; nil where it does not.
func (d *DNS) reply(message []byte, udp bool) []byte {
	var p dnsmessage.Parser
	header, err := p.Start(message)
	if err != nil {
		return nil
	}
	asked, err := p.Question()
	if err != nil {
		return nil
	}
	q := question{strings.ToLower(asked.Name.String()), asked.Type}
	a, known := d.take(q)
	if a.Silent {
		return nil
	}
	h := dnsmessage.Header{ID: header.ID, Response: true, Authoritative: true, RecursionDesired: header.RecursionDesired, RecursionAvailable: true}
	if !known {
		h.RCode = dnsmessage.RCodeNameError
	}
	h.Truncated = a.Cut && udp
	b := dnsmessage.NewBuilder(nil, h)
	b.EnableCompression()
	if err := errors.Join(b.StartQuestions(), b.Question(asked), b.StartAnswers()); err != nil {
		return nil
	}
	if known && !h.Truncated {
		if err := a.write(&b, asked); err != nil {
			return nil
		}
	}
	reply, err := b.Finish()
	if err != nil {
		return nil
	}
	return reply
}

func (a Answer) write(b *dnsmessage.Builder, asked dnsmessage.Question) error {
	h := dnsmessage.ResourceHeader{Name: asked.Name, Class: dnsmessage.ClassINET, TTL: a.TTL}
	if a.CNAME != "" {
		other, err := dnsmessage.NewName(strings.TrimSuffix(a.CNAME, ".") + ".")
		if err != nil {
			return err
		}
		if err := b.CNAMEResource(h, dnsmessage.CNAMEResource{CNAME: other}); err != nil {
			return err
		}
		h.Name = other
	}
	for _, addr := range a.Addrs {
		var err error
		switch {
		case asked.Type == dnsmessage.TypeA && addr.Is4():
			err = b.AResource(h, dnsmessage.AResource{A: addr.As4()})
		case asked.Type == dnsmessage.TypeAAAA && addr.Is6():
			err = b.AAAAResource(h, dnsmessage.AAAAResource{AAAA: addr.As16()})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
