package ai

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"kyrochat/kyro"
)

// PineconeConfig says which index of Pinecone holds the vectors, and how.
type PineconeConfig struct {
	APIKey     string
	Index      string // its name, by which its host is looked up
	Host       string // where it is; empty: looked up. One that begins with http:// is spoken to in the clear
	ControlURL string // where it is looked up; empty: at Pinecone's own address

	// Installation is the name under which this database keeps its vectors apart from those of others that share the
	// index. It must be given, and stay.
	Installation string

	// SharedNamespace puts all bots into one namespace, where the bot is part of every filter and every id. It is for
	// plans with few namespaces. Otherwise each bot has its own.
	SharedNamespace bool

	Model string // of the embeddings, with their dimensions: only vectors of the same model are found
	Dims  int
	Log   *slog.Logger

	Measure Measure
}

// Limits of time. A chat waits for its query, so that takes no longer than this with everything in it; another call may
// take as long each time it is tried.
const (
	pineconeQueryTime = time.Second
	pineconeCallTime  = 3 * time.Second
)

// Pinecone keeps vectors in an index of Pinecone, and searches them there. The index is a projection: what it says is
// checked here as far as it can be, and against rows by whoever uses it. It is safe for concurrent use.
//
// Its errors are UPSTREAM_QUOTA, UPSTREAM_FAILED and TIMEOUT. Whatever waiting cannot mend is logged as an error for the
// operator and has no RetryAfter.
type Pinecone struct {
	placing placing
	host    string // with its scheme
	index   string // as the operator named it; may be empty
	model   string
	dims    int
	key     string
	log     *slog.Logger

	line    line
	queries patience
	writes  patience
	fit     atomic.Pointer[fitness] // nil: the index could not be looked at yet
	measure Measure

	// pause waits for the least time and a random part of the other, or until ctx is done.
	pause func(ctx context.Context, least, random time.Duration) error
}

// NewPinecone connects to an index that fits: one that is there, for the key, with vectors of Dims dimensions compared by
// cosine or dotproduct. Otherwise the error says what to do, in words for the operator, and so it does where the host has
// to be looked up and cannot. With a Host it begins without an index that cannot be reached, and warns: the index is
// looked at before it is used for the first time.
func NewPinecone(ctx context.Context, c PineconeConfig) (*Pinecone, error) {
	return newPinecone(ctx, c, pineconePause)
}

func newPinecone(
	ctx context.Context, c PineconeConfig, pause func(ctx context.Context, least, random time.Duration) error,
) (*Pinecone, error) {
	if err := checkPineconeKey(c.APIKey); err != nil {
		return nil, err
	}
	if c.Installation == "" {
		return nil, errors.New("vectors in Pinecone need the name of the installation that they belong to")
	}
	if c.Model == "" || c.Dims < 1 {
		return nil, errors.New("vectors in Pinecone need an embedding model: set GEMINI_API_KEY")
	}
	log := c.Log.With("part", "pinecone")
	p := &Pinecone{
		placing: placing{shared: c.SharedNamespace, installation: c.Installation}, index: c.Index, model: c.Model, dims: c.Dims, key: c.APIKey,
		log: log, pause: pause, measure: c.Measure,
	}
	p.queries = patience{
		breaker: newBreaker("Pinecone", "vector index", log), whole: pineconeQueryTime, each: pineconeQueryTime, tries: 2,
		pause: 100 * time.Millisecond, sparing: true,
	}
	p.writes = patience{
		breaker: newBreaker("Pinecone (documents)", "vector index", log), each: pineconeCallTime, tries: 5, pause: 250 * time.Millisecond,
	}
	if err := p.findHost(ctx, c); err != nil {
		return nil, err
	}
	if err := p.line.open(p.connect); err != nil {
		return nil, err
	}
	if strings.HasPrefix(p.host, "http://") && !loopback(p.host) {
		log.Warn("the key and all vectors go to Pinecone in the clear, because KYRO_PINECONE_HOST begins with http://")
	}
	if err := p.look(ctx); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Name tells this index from others: by its host, and by how installations and bots are told apart in it. Vectors that
// were put into one of another name are not in this one.
func (p *Pinecone) Name() string {
	_, host, _ := strings.Cut(p.host, "://")
	mode := "namespaces"
	if p.placing.shared {
		mode = "shared"
	}
	return fmt.Sprintf("pinecone %s %s %s", strings.TrimSuffix(host, ":443"), p.placing.installation, mode)
}

// Away says why the index is not asked at the moment; nil where it is.
func (p *Pinecone) Away() error {
	if f := p.fit.Load(); f != nil && f.err != nil {
		return f.err
	}
	if p.queries.breaker.open() {
		return pineconeAway()
	}
	return nil
}

// Close ends the connection. What is being asked fails.
func (p *Pinecone) Close() { p.line.close() }

// pineconeAway is the error of calls that fail in a way that waiting may mend.
func pineconeAway() *kyro.Error {
	err := kyro.Errorf(kyro.CodeUpstreamFailed, "The vector index does not answer at the moment. Try again in a few seconds.")
	err.RetryAfter = pineconeRetryAfter
	return err
}

// checkPineconeKey refuses what cannot be sent in a header. It does not show it.
func checkPineconeKey(key string) error {
	if key == "" {
		return errors.New("PINECONE_API_KEY is missing")
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c >= 0x7f {
			return errors.New("PINECONE_API_KEY is no key: it holds spaces or other characters that no key has")
		}
	}
	return nil
}

func pineconePause(ctx context.Context, least, random time.Duration) error {
	return kyro.Pause(ctx, least+rand.N(random+1)) //nolint:gosec // nobody gains by knowing it
}
