package main

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"kyrochat/internal/port"
)

// link is the network between the servers and a service: a TCP proxy that can be cut in every way. It is used rather
// than network namespaces, since those need rights that not every machine gives.
type link struct {
	address string // where the servers find the service
	leave   func() // its port
	target  func() (net.Conn, error)

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	pairs    map[*pair]bool
	frozen   chan struct{} // closed on thaw; nil while bytes pass
	losing   bool          // connections are taken, and what is sent goes nowhere
	delay    time.Duration // of each piece, both ways
	opened   int           // connections so far
	seen     func([]byte)  // what passes, both ways; nil where nobody looks
	closed   bool
	ended    chan struct{} // closed with it
	working  sync.WaitGroup
}

// pair is one connection through a link, both of its ends.
type pair struct {
	near, far net.Conn
	lost      atomic.Bool // what is sent over it goes nowhere
}

// newLink opens a link to an address: "unix:" and a path, or host:port.
func newLink(target string) (*link, error) {
	network, address := "tcp", target
	if len(target) > 5 && target[:5] == "unix:" {
		network, address = "unix", target[5:]
	}
	k := &link{pairs: map[*pair]bool{}, ended: make(chan struct{}), target: func() (net.Conn, error) { return net.DialTimeout(network, address, 5*time.Second) }}
	at, leave, err := port.Keep() // it is left and taken again
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", at)
	if err != nil {
		leave()
		return nil, err
	}
	k.address, k.leave = at, leave
	k.serve(listener)
	return k, nil
}

// serve passes on what a listener takes.
func (k *link) serve(listener net.Listener) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.listener = listener
	k.working.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			k.mu.Lock()
			k.opened++
			k.mu.Unlock()
			k.working.Go(func() { k.join(near) })
		}
	})
}

// join connects one end with the other until either is gone.
func (k *link) join(near net.Conn) {
	far, err := k.target()
	if err != nil {
		reset(near)
		return
	}
	p := &pair{near: near, far: far}
	k.mu.Lock()
	if k.closed || k.listener == nil {
		k.mu.Unlock()
		reset(near)
		_ = far.Close()
		return
	}
	k.pairs[p] = true
	p.lost.Store(k.losing)
	k.mu.Unlock()
	var back sync.WaitGroup
	back.Go(func() { k.carry(p, near, far) })
	k.carry(p, far, near)
	back.Wait()
	k.mu.Lock()
	delete(k.pairs, p)
	k.mu.Unlock()
}

// carry copies one way, and closes both ends when it is over: half of a connection is of no use to anybody here.
func (k *link) carry(p *pair, to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		wait, seen := k.gate()
		if wait != nil {
			<-wait
		}
		if n > 0 && seen != nil {
			seen(buffer[:n])
		}
		if n > 0 && !p.lost.Load() {
			if _, err := to.Write(buffer[:n]); err != nil {
				break
			}
		}
		if err != nil {
			if err != io.EOF {
				reset(to)
			}
			break
		}
	}
	if p.lost.Load() { // nor does the other end learn that this one has closed
		_ = from.Close()
		<-k.ended
	}
	_ = to.Close()
	_ = from.Close()
}

// gate waits out the delay, and gives what a frozen link waits for and who looks at what passes.
func (k *link) gate() (<-chan struct{}, func([]byte)) {
	k.mu.Lock()
	frozen, delay, seen := k.frozen, k.delay, k.seen
	k.mu.Unlock()
	if delay > 0 {
		time.Sleep(delay)
	}
	return frozen, seen
}

// watch has somebody look at all that passes. They must be quick, and keep nothing of it.
func (k *link) watch(seen func([]byte)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen = seen
}

// cut resets every connection; new ones are taken.
func (k *link) cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for p := range k.pairs {
		reset(p.near)
		reset(p.far)
	}
}

// refuse resets every connection and refuses new ones, as a service does that was killed.
func (k *link) refuse() {
	k.mu.Lock()
	if k.listener != nil {
		_ = k.listener.Close()
		k.listener = nil
	}
	k.mu.Unlock()
	k.cut()
}

// accept takes connections again.
func (k *link) accept() error {
	k.mu.Lock()
	refused := k.listener == nil && !k.closed
	k.mu.Unlock()
	if !refused {
		return nil
	}
	listener, err := net.Listen("tcp", k.address)
	if err != nil {
		return err
	}
	k.serve(listener)
	return nil
}

// freeze lets nothing through any more: connections are taken and stay open.
func (k *link) freeze() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.frozen == nil {
		k.frozen = make(chan struct{})
	}
}

// thaw lets everything through again.
func (k *link) thaw() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.frozen != nil {
		close(k.frozen)
		k.frozen = nil
	}
}

// lose has everything that is sent over the connections that there are, and over new ones, go nowhere, as a firewall does
// that forgot them: neither end learns of it.
func (k *link) lose() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.losing = true
	for p := range k.pairs {
		p.lost.Store(true)
	}
}

// find lets new connections work again. Those that were lost stay so: half open, for whoever still has them.
func (k *link) find() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.losing = false
}

// slow delays each piece so much; 0: no more.
func (k *link) slow(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.delay = d
}

// connections is how many were opened so far.
func (k *link) connections() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.opened
}

func (k *link) close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	close(k.ended)
	k.refuse()
	k.thaw()
	k.working.Wait()
	k.leave()
}

// reset closes a connection so that its other end learns it at once and unfriendly.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
