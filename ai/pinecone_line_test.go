package ai

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/internal/pinecone"
	"kyrochat/kyro"
)

// middle is what is between KyroChat and an index: a machine that passes everything on, until it goes silent on the
// connections that it has. Those stay open, and what is sent is taken.
type middle struct {
	net.Listener
	to string

	mu     sync.Mutex
	silent []chan struct{} // of each connection; closed: it is silent
	all    sync.WaitGroup
}

func newMiddle(t *testing.T, to string) *middle {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &middle{Listener: l, to: strings.TrimPrefix(to, "http://")}
	m.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.all.Go(func() { m.pass(c) })
		}
	})
	return m
}

// pass passes on what comes by one connection.
func (m *middle) pass(c net.Conn) {
	defer c.Close()
	up, err := net.Dial("tcp", m.to)
	if err != nil {
		return
	}
	silent := make(chan struct{})
	m.mu.Lock()
	m.silent = append(m.silent, silent)
	m.mu.Unlock()
	m.all.Go(func() {
		_, _ = io.Copy(c, unlessSilent{up, silent}) // answers
		select {
		case <-silent:
		default:
			c.Close()
		}
	})
	_, _ = io.Copy(up, c)
	up.Close()
}

type unlessSilent struct {
	io.Reader
	silent chan struct{}
}

func (r unlessSilent) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	select {
	case <-r.silent:
		return 0, io.EOF
	default:
		return n, err
	}
}

func (m *middle) goSilent() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.silent {
		close(c)
	}
	m.silent = nil
}

// TestPineconeTakesAnotherConnection where one gives no answers any more, though it is there.
func TestPineconeTakesAnotherConnection(t *testing.T) {
	l := newLab(t, PineconeConfig{Dims: 3})
	l.fill(1, 7, 1, 1)
	m := newMiddle(t, l.at.Host)
	p, err := l.open(PineconeConfig{
		APIKey: pineconeTestKey, Index: l.at.Index, Host: "http://" + m.Addr().String(), Installation: "inst", Model: pineconeTestModel, Dims: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.all.Wait()
	defer m.Close()
	defer p.Close()
	p.queries.whole, p.queries.each = shortly, shortly
	ask := func() error {
		_, err := p.SearchVectors(t.Context(), kyro.BotID(1), axis(0), 1)
		return l.say(err)
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	m.goSilent()
	failed := 0
	l.await("a query is answered", func() bool {
		err := ask()
		if err != nil {
			failed++
		}
		return err == nil
	})
	if failed == 0 || failed > pineconeSilent {
		t.Errorf("%d queries failed before another connection was taken", failed)
	}
	if err := p.Away(); err != nil {
		t.Errorf("it is away: %v", err)
	}
}

// TestPineconeIsNotBlamedForHaste: callers who come with next to no time left say nothing about the index, and those who
// gave it a fair part of a second do.
func TestPineconeIsNotBlamedForHaste(t *testing.T) {
	l := newLab(t, PineconeConfig{Dims: 3})
	l.at.Misbehave(pinecone.Fault{Method: "Query", Hang: true})
	l.queries.whole, l.queries.each = time.Minute, time.Minute // it is the callers who have no more time
	ask := func(within time.Duration) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		if _, err := l.SearchVectors(ctx, kyro.BotID(1), axis(0), 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a query for which there are %v: %v", within, err)
		}
	}
	for range 2 * breakerInARow {
		ask(20 * time.Millisecond)
	}
	if err := l.Away(); err != nil {
		t.Errorf("after callers in haste: %v", err)
	}
	var asking sync.WaitGroup
	for range breakerInARow {
		asking.Go(func() { ask(pineconeFair + 3*time.Second) }) // more than it takes a busy machine to ask
	}
	asking.Wait()
	if l.Away() == nil {
		t.Error("it hung for five who waited, and is still asked")
	}
}

// TestPineconeFollowsNobody: the key goes nowhere but to the address that was set.
func TestPineconeFollowsNobody(t *testing.T) {
	reached := make(chan string, 100)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached <- r.Header.Get("Api-Key") }))
	defer elsewhere.Close()
	from := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/indexes/kyrochat", http.StatusTemporaryRedirect))
	defer from.Close()
	_, err := newPinecone(t.Context(), PineconeConfig{
		APIKey: pineconeTestKey, Index: "kyrochat", ControlURL: from.URL, Installation: "inst", Model: pineconeTestModel, Dims: 3,
		Log: slog.New(slog.DiscardHandler),
	}, func(context.Context, time.Duration, time.Duration) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "cannot be looked up") {
		t.Errorf("it says %v", err)
	}
	if len(reached) > 0 {
		t.Errorf("it was followed with the key %q", <-reached)
	}
}

// TestPineconeInstallationsShareAnIndex: with the same keys of bots and documents, in either mode, neither finds, sees or
// removes anything of the other.
func TestPineconeInstallationsShareAnIndex(t *testing.T) {
	inModes(t, func(t *testing.T, l *lab) {
		for name, shared := range modes {
			other, err := l.open(PineconeConfig{
				APIKey: pineconeTestKey, Index: l.at.Index, ControlURL: l.at.ControlURL, Installation: "in" + name[:1], SharedNamespace: shared,
				Model: pineconeTestModel, Dims: 3,
			})
			if err != nil {
				t.Fatal(err)
			}
			l.fill(1, 7, 1, 3)
			if err := other.Upsert(t.Context(), chunksOf(3, 1, 7, 1, 5)); err != nil {
				t.Fatal(err)
			}
			if hits, err := other.SearchVectors(t.Context(), kyro.BotID(1), axis(0), 100); len(hits) != 5 || err != nil {
				t.Errorf("the other finds %d, %v", len(hits), err)
			}
			if got, err := l.query(1); len(got) != 3 || err != nil {
				t.Errorf("the one finds %d, %v", len(got), err)
			}
			var all []kyro.VectorPlace
			if err := other.Walk(t.Context(), func(places []kyro.VectorPlace) error {
				all = append(all, places...)
				return nil
			}); len(all) != 5 || err != nil {
				t.Errorf("the other sees %d, %v", len(all), err)
			}
			if err := other.RemovePlaces(t.Context(), all[:1]); err != nil {
				t.Error(err)
			}
			if err := other.Remove(t.Context(), versionOf(1, 7, 1, 2)); err != nil {
				t.Error(err)
			}
			if err := other.RemoveBot(t.Context(), kyro.BotID(1)); err != nil {
				t.Error(err)
			}
			if there, err := l.Visible(t.Context(), versionOf(1, 7, 1, 3)); !there || err != nil {
				t.Errorf("after the other removed its own: %t, %v", there, err)
			}
			if got, err := l.query(1); len(got) != 3 || err != nil {
				t.Errorf("then the one finds %d, %v", len(got), err)
			}
			other.Close()
		}
	})
}
