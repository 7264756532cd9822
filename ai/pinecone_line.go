package ai

import (
	"sync"
	"time"

	"github.com/pinecone-io/go-pinecone/v5/pinecone"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
)

const (
	// pineconeReceive is the longest answer that is taken: several times that of the largest query.
	pineconeReceive = 16 << 20
	// pineconeSilent is how many calls after one another may run out of time before the connection is made anew.
	pineconeSilent = 3
	// pineconePing is how often servers of gRPC let themselves be asked whether they are there, where nothing else was
	// agreed: whoever does it more often is cut off.
	pineconePing = 5 * time.Minute
)

// connect makes a connection, which is opened when something is asked for. gRPC opens it again when it broke, and closes
// it when nothing was asked for longer than what is on the way keeps it. The other end is not asked whether it is
// there. That a machine is not there any more shows by what is sent and not confirmed for three seconds (that the
// system looks at this comes with the settings for pings), and that it is there and does not answer, by calls that run
// out of time.
func (p *Pinecone) connect() (*pinecone.IndexConnection, error) {
	client, err := pinecone.NewClient(pinecone.NewClientParams{ApiKey: p.key, Host: pineconeControl})
	if err != nil {
		return nil, p.cause("client", err)
	}
	conn, err := client.Index(pinecone.NewIndexConnParams{Host: p.host},
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(pineconeReceive)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pineconePing, Timeout: pineconeCallTime}),
		grpc.WithIdleTimeout(4*time.Minute),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: pineconeCallTime,
		}),
		grpc.WithUnaryInterceptor(noteMetric))
	if err != nil {
		return nil, p.cause("connection", err)
	}
	return conn, nil
}

// line is the connection to the index: one for all calls, and another one where it gives no answer any more.
type line struct {
	connect func() (*pinecone.IndexConnection, error)

	mu     sync.Mutex
	conn   *pinecone.IndexConnection
	silent int // calls after one another that ran out of time
	closed bool
}

func (l *line) open(connect func() (*pinecone.IndexConnection, error)) (err error) {
	l.connect = connect
	l.conn, err = connect()
	return err
}

// to is a namespace of the index; "" where none is asked for.
func (l *line) to(namespace string) *pinecone.IndexConnection {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn.WithNamespace(namespace)
}

// heard notes that a call was answered, or else that it ran out of its time. After several of these the connection may
// be one on which nothing comes any more, though it is there: calls that are under way on it fail, and the next goes
// by another.
func (l *line) heard(answered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.silent++; answered {
		l.silent = 0
	}
	if l.silent < pineconeSilent || l.closed {
		return
	}
	l.silent = 0
	if fresh, err := l.connect(); err == nil {
		_ = l.conn.Close()
		l.conn = fresh
	}
}

func (l *line) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	_ = l.conn.Close()
}
