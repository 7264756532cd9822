package pinecone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"

	"kyrochat/internal/port"
)

// index is one index with its data plane. What it holds is guarded by the emulator's lock.
type index struct {
	emulator  *Emulator
	name      string
	dimension int
	metric    string

	namespaces map[string]*namespace
	pending    []write // not seen by reads yet, oldest first

	plane   sync.Mutex
	address string // of the data plane, the same for good once it was listened at
	leave   func() // the port; nil where it was told
	server  *grpc.Server
	served  sync.WaitGroup
	conns   map[string]net.Conn // by the other end's address
}

// host is what clients are told to connect to: the scheme says that it is not encrypted.
func (x *index) host() string {
	x.plane.Lock()
	defer x.plane.Unlock()
	return "http://" + x.address
}

// listen opens the data plane, where it is not open.
func (x *index) listen() error {
	x.plane.Lock()
	defer x.plane.Unlock()
	if x.server != nil {
		return nil
	}
	if x.address == anyPort {
		address, leave, err := port.Keep() // it goes away and comes back
		if err != nil {
			return fmt.Errorf("the data plane of %s: %w", x.name, err)
		}
		x.address, x.leave = address, leave
	}
	listener, err := net.Listen("tcp", x.address)
	if err != nil {
		return fmt.Errorf("the data plane of %s: %w", x.name, err)
	}
	service, err := vectorService()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	x.address = listener.Addr().String()
	x.server = grpc.NewServer(
		grpc.MaxRecvMsgSize(16<<20), grpc.WaitForHandlers(true),
		// What servers of gRPC begin with: whoever pings more often than every five minutes, or without a call, is cut off.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Minute}),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error { return x.serve(service, stream) }),
	)
	server := x.server
	x.served.Go(func() { _ = server.Serve(&doors{listener, x}) })
	return nil
}

// hangUp closes the data plane: its listener, and all that is connected.
func (x *index) hangUp() {
	x.plane.Lock()
	server := x.server
	x.server = nil
	x.plane.Unlock()
	if server != nil {
		server.Stop()
	}
	x.served.Wait()
}

// close ends the data plane for good.
func (x *index) close() {
	x.hangUp()
	x.plane.Lock()
	defer x.plane.Unlock()
	if x.leave != nil {
		x.leave()
	}
}

// cut closes the connection that the call came by.
func (x *index) cut(ctx context.Context) {
	from, ok := peer.FromContext(ctx)
	if !ok {
		return
	}
	x.plane.Lock()
	conn := x.conns[from.Addr.String()]
	x.plane.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
}

// doors remembers who is connected, so that a connection can be cut in the middle of a call.
type doors struct {
	net.Listener
	index *index
}

func (d *doors) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	d.index.plane.Lock()
	defer d.index.plane.Unlock()
	d.index.conns[conn.RemoteAddr().String()] = conn
	return &visitor{conn, d.index}, nil
}

type visitor struct {
	net.Conn
	index *index
}

func (v *visitor) Close() error {
	v.index.plane.Lock()
	delete(v.index.conns, v.RemoteAddr().String())
	v.index.plane.Unlock()
	return v.Conn.Close()
}
