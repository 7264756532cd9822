package ingest

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kyrochat/ingest/chunk"
	"kyrochat/kyro"
)

// Config is what the use cases work with. The ports and Sniff are required; other zero fields have defaults.
type Config struct {
	Store     Store
	Bots      Bots
	Heads     Heads
	Files     Files
	Extractor Extractor
	Embedder  Embedder
	Metered   bool        // what the embedder takes is counted on the account of the bot's owner
	Prices    kyro.Prices // of models; none: embeddings cost nothing
	Index     Index       // nil where vectors are searched in the store's own
	Progress  Progress
	Fetcher   Fetcher // nil: there are no pages
	Addresses Addresses

	// Shared says that other nodes work on the documents that are taken in here, so that originals are kept in the
	// store, where all can read them. Otherwise files stay in Files.
	Shared bool

	Jobs Jobs // looks for jobs that were lost; nil: nobody does

	Slots     SlotStore   // and Parts, Grants and Base: for files that are sent in parts, and for downloads; nil: there are none
	Parts     PartFiles   // where Shared is not set
	Objects   ObjectStore // with Originals
	Originals Originals   // keeps files in a bucket; nil: they are where Shared says
	Grants    Grants
	Base      func() string // the address of the server, without a slash at its end
	SlotTTL   time.Duration // how long a file may be sent to its slot; default 1 h
	// Held reports whether a backup reads originals, none of which are removed meanwhile; nil: none ever does.
	Held   func(ctx context.Context) (bool, error)
	NewKey func() string // of an object in the bucket, never the same; default 128 random bits

	Limiter Limiter   // counts what people add; nil: nobody does
	Rate    kyro.Rate // of documents that one user adds or has tried again; zero: no limit

	// Sniff tells the type of a file of a size by its content; the name must agree. UNSUPPORTED_TYPE for what cannot
	// be read.
	Sniff func(file io.ReaderAt, size int64, fileName string) (mimeType string, err error)
	// SniffPage tells the type of what was found at an address, by its content; contentType is what the server claims.
	SniffPage func(file io.ReaderAt, size int64, contentType, address string) (mimeType string, err error)
	// Split cuts a text into chunks, the same text always in the same way; default chunk.Split.
	Split func(ex kyro.Extraction, title string, size chunk.Options) []kyro.Chunk

	Limits kyro.Limits // default kyro.DefaultLimits
	// Extractions is how many originals are read at once, at most what the Extractor takes on without making
	// callers wait; default one for each processor, at most 4.
	Extractions int
	Turn        time.Duration    // after this a worker lets others have a turn, well below the queue's timeout; default 35 s
	Batch       int              // chunks embedded at once, each batch a checkpoint; default 100
	Hour        time.Duration    // what the intervals of pages count in; default an hour
	FetchPause  time.Duration    // before a page is fetched again that could not be, doubled each time; default 15 s
	Recheck     time.Duration    // how often a watcher looks at the row itself; default 3 s
	Now         func() time.Time // default time.Now
	Random      func() float64   // from 0 to 1, spreads what waits for an upstream; default rand.Float64
	Log         *slog.Logger     // default: nothing is logged
	Measure     Measure          // what it is told goes by itself; zero: nobody is told
}

// Service is the use cases of documents, and the work on them.
type Service struct {
	store     Store
	bots      Bots
	heads     Heads
	files     Files
	extractor Extractor
	embedder  Embedder
	index     Index  // nil where there is none
	with      string // what vectors are made with and where they are, as configured
	progress  Progress
	shared    bool
	slots     SlotStore
	parts     PartFiles
	objects   ObjectStore
	originals Originals
	grants    Grants
	jobs      Jobs
	base      func() string
	slotTTL   time.Duration
	newKey    func() string
	held      func(ctx context.Context) (bool, error) // nil: nothing ever is
	senders   *senders
	storing   chan struct{} // a place for each part of an upload that is being stored
	finishing chan struct{} // and for each upload that becomes a document
	metered   bool
	prices    kyro.Prices
	limiter   Limiter
	rate      kyro.Rate
	sniff     func(file io.ReaderAt, size int64, fileName string) (string, error)
	split     func(kyro.Extraction, string, chunk.Options) []kyro.Chunk
	fetcher   Fetcher
	addresses Addresses
	sniffPage func(file io.ReaderAt, size int64, contentType, address string) (string, error)
	hour      time.Duration
	pause     time.Duration
	limits    kyro.Limits
	turn      time.Duration
	batch     int
	recheck   time.Duration
	now       func() time.Time
	random    func() float64
	log       *slog.Logger
	measure   Measure
	runs      *runs
	walks     *runs // as runs, of crawls
	inFlight  *inFlight
	reading   chan struct{} // a place for each original that is being read
	placing   sync.RWMutex  // held shared while a file gets its place, and alone while files are swept
	draining  atomic.Bool   // nothing is taken in any more
}

// New makes the use cases.
func New(c Config) *Service {
	s := &Service{
		store: c.Store, bots: c.Bots, heads: c.Heads, files: c.Files, extractor: c.Extractor, embedder: c.Embedder,
		index: c.Index, with: embeddedWith(c.Embedder, c.Index), progress: c.Progress, shared: c.Shared, sniff: c.Sniff, split: c.Split,
		slots: c.Slots, parts: c.Parts, objects: c.Objects, originals: c.Originals, grants: c.Grants, jobs: c.Jobs, base: c.Base, slotTTL: c.SlotTTL,
		newKey: c.NewKey, held: c.Held, senders: newSenders(), storing: make(chan struct{}, storeMost), finishing: make(chan struct{}, finishMost),
		metered: c.Metered, prices: c.Prices, limiter: c.Limiter, rate: c.Rate, fetcher: c.Fetcher, addresses: c.Addresses, sniffPage: c.SniffPage, hour: c.Hour, pause: c.FetchPause,
		limits: c.Limits, turn: c.Turn, batch: c.Batch, recheck: c.Recheck, now: c.Now, random: c.Random, log: c.Log, measure: c.Measure, runs: newRuns(), walks: newRuns(),
		inFlight: &inFlight{hashes: map[string]struct{}{}},
	}
	if s.limits == (kyro.Limits{}) {
		s.limits = kyro.DefaultLimits()
	}
	if s.split == nil {
		s.split = chunk.Split
	}
	if c.Extractions <= 0 {
		c.Extractions = min(runtime.NumCPU(), 4)
	}
	s.reading = make(chan struct{}, c.Extractions)
	if s.turn <= 0 {
		s.turn = 35 * time.Second
	}
	if s.slotTTL <= 0 {
		s.slotTTL = time.Hour
	}
	if s.newKey == nil {
		s.newKey = func() string { return strings.ToLower(rand.Text()) }
	}
	if s.hour <= 0 {
		s.hour = time.Hour
	}
	if s.pause <= 0 {
		s.pause = awayPause
	}
	if s.batch <= 0 {
		s.batch = 100
	}
	if s.recheck <= 0 {
		s.recheck = 3 * time.Second
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = mathrand.Float64
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.log = s.log.With("part", "ingest")
	return s
}

// Drain refuses new documents and retries from now on, with UNAVAILABLE: their jobs would only wait for the next
// process. What is being received goes on.
func (s *Service) Drain() { s.draining.Store(true) }

// takesIn answers UNAVAILABLE while the server goes away.
func (s *Service) takesIn() error {
	if !s.draining.Load() {
		return nil
	}
	err := kyro.Errorf(kyro.CodeUnavailable, "The server is restarting. Try again in a moment.")
	err.RetryAfter = time.Second
	return err
}

// limit counts a document that the viewer adds or has tried again: RATE_LIMITED for one too many.
func (s *Service) limit(ctx context.Context, v kyro.Viewer) error {
	if s.limiter == nil || s.rate.Unlimited() {
		return nil
	}
	allowance, err := s.limiter.Take(ctx, "documents "+v.UserID.String(), s.rate)
	if err != nil {
		return fmt.Errorf("count a document: %w", err)
	}
	if !allowance.Allowed {
		return allowance.Refusal("documents")
	}
	return nil
}

// time is the present as rows keep it.
func (s *Service) time() time.Time { return kyro.Moment(s.now()) }

// publish tells watchers of a document's new state, which is stored already; so it is told even when the caller
// has gone meanwhile. Whoever hears of it must find it, so what was read before is forgotten first.
func (s *Service) publish(ctx context.Context, d kyro.Document) {
	s.heads.Forget(d.OwnerID, d.ID)
	s.progress.Publish(context.WithoutCancel(ctx), d.BotID, d.Progress())
}

// ownBot answers NOT_FOUND unless the bot is the viewer's own.
func (s *Service) ownBot(ctx context.Context, v kyro.Viewer, id kyro.ID) error {
	bots, err := s.bots.Bots(ctx, v.UserID, []kyro.ID{id})
	if err != nil {
		return err
	}
	if len(bots) == 0 || !bots[0].OwnedBy(v) {
		return kyro.NotFound(kyro.KindBot)
	}
	return nil
}
