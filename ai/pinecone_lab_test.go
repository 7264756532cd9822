package ai

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/internal/pinecone"
	"kyrochat/kyro"
)

// Tests look from inside, to put pauses on record instead of waiting and to shorten limits where something hangs. All
// else is real: the SDK, gRPC and the wire.

const (
	pineconeTestKey   = "pcsk_Secret_4711"
	pineconeTestModel = "gemini-embedding-001@3"
	pineconePatience  = 2 * time.Minute // for what must come
)

// lab is an index with what uses it, and what that wrote and said.
type lab struct {
	*Pinecone
	t   *testing.T
	at  *pinecone.Emulator
	log *logbook

	mu     sync.Mutex
	pauses []time.Duration // the least ones that were asked for
	said   []error
}

// modes are the two ways to tell bots apart.
var modes = map[string]bool{"namespaces": false, "shared": true}

// inModes runs a test with an index of three dimensions, once in each mode.
func inModes(t *testing.T, test func(t *testing.T, l *lab)) {
	for name, shared := range modes {
		t.Run(name, func(t *testing.T) { test(t, newLab(t, PineconeConfig{SharedNamespace: shared, Dims: 3})) })
	}
}

// newLab starts an index that fits the configuration and connects to it. At its end nothing is left running, and the key
// is in no error and no line of the log.
func newLab(t *testing.T, c PineconeConfig) *lab {
	t.Helper()
	running := runtime.NumGoroutine()
	at, err := pinecone.Start(pinecone.Options{APIKey: pineconeTestKey, Dimension: c.Dims})
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, at: at, log: &logbook{}}
	t.Cleanup(func() {
		if l.Pinecone != nil {
			l.Close()
		}
		if err := at.Close(); err != nil {
			t.Error(err)
		}
		l.await("all goroutines end", func() bool { return runtime.NumGoroutine() <= running })
		for _, err := range l.said {
			if strings.Contains(fmt.Sprintf("%v %+v %q", err, err, errors.Unwrap(err)), pineconeTestKey) {
				t.Errorf("an error shows the key: %v", err)
			}
		}
		if strings.Contains(l.log.text(), pineconeTestKey) {
			t.Errorf("the log shows the key: %s", l.log.text())
		}
	})
	c.Installation = "inst"
	c.APIKey, c.Index, c.ControlURL, c.Model = pineconeTestKey, at.Index, at.ControlURL, pineconeTestModel
	if l.Pinecone, err = l.open(c); err != nil {
		t.Fatal(err)
	}
	at.Forget()
	return l
}

func (l *lab) open(c PineconeConfig) (*Pinecone, error) {
	c.Log = slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	p, err := newPinecone(l.t.Context(), c, l.pause)
	l.say(err)
	return p, err
}

// pause puts a pause on record.
func (l *lab) pause(ctx context.Context, least, random time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if random <= 0 {
		l.t.Errorf("a pause of %s that is not random", least)
	}
	l.pauses = append(l.pauses, least)
	return ctx.Err()
}

// say puts an error on record.
func (l *lab) say(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.said = append(l.said, err)
	}
	return err
}

func (l *lab) await(what string, done func() bool) {
	l.t.Helper()
	for end := time.Now().Add(pineconePatience); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			l.t.Errorf("it never came that %s", what)
			return
		}
	}
}

func (l *lab) script(s pinecone.Script) {
	l.t.Helper()
	if err := l.at.Script(s); err != nil {
		l.t.Fatal(err)
	}
}

// query asks for all that a bot has near the first axis and gives the keys of the chunks.
func (l *lab) query(bot int64) ([]int64, error) {
	hits, err := l.SearchVectors(l.t.Context(), kyro.BotID(bot), axis(0), 100)
	chunks := []int64{}
	for _, h := range hits {
		chunks = append(chunks, h.ChunkID.Key)
	}
	return chunks, l.say(err)
}

// fill puts chunks 0 to n-1 of a version into the index. Chunk i of document d has the key 1000 d + i.
func (l *lab) fill(bot, document int64, version, n int) kyro.IndexedVersion {
	l.t.Helper()
	if err := l.say(l.Upsert(l.t.Context(), chunksOf(l.dims, bot, document, version, n))); err != nil {
		l.t.Fatal(err)
	}
	return versionOf(bot, document, version, n)
}

func versionOf(bot, document int64, version, n int) kyro.IndexedVersion {
	return kyro.IndexedVersion{BotID: kyro.BotID(bot), DocumentID: kyro.DocumentID(document), Version: version, Chunks: n}
}

func chunksOf(dims int, bot, document int64, version, n int) []kyro.IndexedVector {
	vectors := make([]kyro.IndexedVector, n)
	for i := range vectors {
		vectors[i] = kyro.IndexedVector{
			VectorPlace: kyro.VectorPlace{BotID: kyro.BotID(bot), DocumentID: kyro.DocumentID(document), Version: version, Index: i},
			ChunkID:     kyro.ChunkID(1000*document + int64(i)),
			Vector:      make([]float32, dims),
		}
		vectors[i].Vector[0] = 1
	}
	return vectors
}

func axis(i int) []float32 {
	v := make([]float32, 3)
	v[i] = 1
	return v
}

// logbook is a log that can be read while it is written.
type logbook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logbook) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
