package answer

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"kyrochat/kyro"
)

// Config is what a Service works with. Store, Log, Wakes, Retriever and Model must be given; a zero figure takes its
// default.
type Config struct {
	Store     Store
	Log       Log
	Wakes     Wakes
	Retriever Retriever
	Model     Model
	Limits    kyro.Limits
	Node      string // names this process as the owner of its claims

	// Completer says that the model reads words, and writes the short texts beside its answers; nil where the model picks
	// its answers from the passages: prompts then have no words and no budgets of tokens, questions are not rewritten, and
	// conversations keep their first titles.
	Completer Completer

	ModelName string      // of the model where a bot names none
	Prices    kyro.Prices // of models; none: answers cost nothing

	PassageTokens int // that the passages of a prompt may take, as text.Tokens counts; 4,000
	HistoryTokens int // that the history of a prompt may take; 8,000

	Limiter Limiter   // counts what people send; nil: nobody does
	Rate    kyro.Rate // of messages that one user sends and answers that they have made anew, together; zero: no limit

	// Signals tell other nodes of stops; nil where there are none, or no way to reach them.
	Signals Signals

	// Exclusive says that no other process works on the same data, so that at the start every claim there is
	// belongs to a process that is gone.
	Exclusive bool

	// Restart has an answer that was lost after it wrote text begun again, once, instead of ended as it is.
	Restart bool

	History int // messages of earlier turns that a model gets to see; 20

	// StopPoll is how often the store is asked whether answers that run here are to stop, while no signals arrive;
	// while they do, every other time suffices. 500 ms.
	StopPoll time.Duration

	// How often a reader looks at the row while the log serves it, or wakes would reach it, and while they have
	// nothing for it.
	FollowPoll      time.Duration // 2 s
	FollowPollEmpty time.Duration // 500 ms

	// Ended, when set, hears of every answer that this node ended, once its end is stored. Usage is nil of those that it ended
	// for a process that is gone. It is called from many goroutines, and must not wait.
	Ended func(o kyro.Outcome)

	// Traces begins the span of each attempt, which goes on with the trace that its turn was stored in; nil: there is none.
	Traces kyro.Traces

	Now    func() time.Time // by which leases are counted; the monotonic clock of time.Now, which no step of the wall's moves
	Wall   func() time.Time // what time it is, for rows; Now
	Random io.Reader        // of the nonces in prompts; that of the operating system
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Limits == (kyro.Limits{}) {
		c.Limits = kyro.DefaultLimits()
	}
	if c.History <= 0 {
		c.History = 20
	}
	if c.StopPoll <= 0 {
		c.StopPoll = 500 * time.Millisecond
	}
	if c.FollowPoll <= 0 {
		c.FollowPoll = 2 * time.Second
	}
	if c.FollowPollEmpty <= 0 {
		c.FollowPollEmpty = 500 * time.Millisecond
	}
	if c.PassageTokens <= 0 {
		c.PassageTokens = DefaultPassageTokens
	}
	if c.HistoryTokens <= 0 {
		c.HistoryTokens = DefaultHistoryTokens
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wall == nil {
		c.Wall = c.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Logger = c.Logger.With("part", "answer")
	return c
}

// Service is the turn. It serves from the start, but makes answers only while Run runs.
type Service struct {
	cfg    Config
	ctx    context.Context // of all attempts
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // the workers
	keeper *keeper
	looks  *looks
	titles chan titling // to be written; nobody waits for room in it

	mu       sync.Mutex
	open     bool                 // recovery is over: workers may start
	draining bool                 // no new work
	busy     map[kyro.ID]bool     // conversations that have a worker; true: look again before it goes
	queue    []kyro.ID            // conversations that wait for a worker, each once
	queued   map[kyro.ID]bool     // those in the queue
	reserved int                  // places for workers that are kept for turns which are being stored
	taken    map[kyro.ID]*attempt // begun for a conversation whose worker has not come to it yet
	attempts map[kyro.ID]*attempt
}

// Why an attempt ends before its model does.
var (
	errStopped   = errors.New("stopped by the user")
	errLost      = errors.New("the claim is lost")
	errDrained   = errors.New("the server shuts down")
	errFirstByte = errors.New("nothing came in time")
	errIdle      = errors.New("nothing more came in time")
	errTotal     = errors.New("the answer took too long")
)

// storeTimeout bounds one call of the store or the log that no caller's context bounds.
const storeTimeout = 5 * time.Second

// New makes a service; Run makes it work.
func New(cfg Config) *Service {
	s := &Service{
		cfg: cfg.withDefaults(), busy: map[kyro.ID]bool{}, queued: map[kyro.ID]bool{}, attempts: map[kyro.ID]*attempt{},
		taken: map[kyro.ID]*attempt{},
	}
	s.keeper = newKeeper(&s.cfg)
	s.looks = newLooks(s.cfg)
	s.titles = make(chan titling, mostTitles)
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s
}

// Run recovers what an earlier process left, makes answers, and looks for lost ones every AnswerSweep until ctx
// is done. Then it drains: nothing new begins, running answers get DrainTimeout and are cut after it. It returns
// when all of them are stored or given back. It must be called once.
func (s *Service) Run(ctx context.Context) error {
	defer s.beside(context.WithoutCancel(ctx))()
	for everything := s.cfg.Exclusive; ; {
		err := s.sweep(ctx, everything)
		if err == nil {
			break
		}
		s.cfg.Logger.Log(ctx, trouble(err), "answers left by an earlier process could not be recovered; trying again", "error", err)
		if kyro.Pause(ctx, time.Second) != nil {
			break
		}
	}
	s.start()
	ticker := time.NewTicker(s.cfg.Limits.AnswerSweep)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			s.drain()
			return nil
		case <-ticker.C:
			if err := s.sweep(ctx, false); err != nil && ctx.Err() == nil {
				s.cfg.Logger.Log(ctx, trouble(err), "lost answers could not be looked for; trying again", "error", err)
			}
		}
	}
}

// trouble is how loudly to tell of a store that failed: one that is away comes back by itself, as a call does that was cut
// off with its connection; all else is for somebody to look at.
func trouble(err error) slog.Level {
	if kyro.ErrorCode(err) == kyro.CodeUnavailable || errors.Is(err, context.Canceled) {
		return slog.LevelWarn
	}
	return slog.LevelError
}

// beside starts what running answers need until the last of them has ended, and gives what ends it.
func (s *Service) beside(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { s.keeper.run(ctx) })
	if !s.cfg.Exclusive {
		running.Go(func() { s.watchStops(ctx) })
	}
	if s.cfg.Completer != nil {
		for range titleWriters {
			running.Go(func() { s.writeTitles(ctx) })
		}
	}
	return func() { cancel(); running.Wait() }
}

// Drain refuses new turns and new work from now on. Run does it too when its context ends.
func (s *Service) Drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	s.queue = nil
	clear(s.queued)
}

func (s *Service) drain() {
	s.Drain()
	cut := time.AfterFunc(s.cfg.Limits.DrainTimeout, func() { s.cancel(errDrained) })
	defer cut.Stop()
	s.wg.Wait()
	s.cancel(errDrained)
}

// sweep ends what nobody works on any more and takes up what waits. The row is final before its log is, so an
// append that fails costs readers a poll and nothing else.
func (s *Service) sweep(ctx context.Context, everything bool) error {
	ctx, cancel := context.WithTimeout(ctx, 2*storeTimeout)
	defer cancel()
	ended, waiting, err := s.cfg.Store.Recover(ctx, kyro.Recovery{Now: s.now(), Everything: everything, Restart: s.cfg.Restart})
	if err != nil {
		return err
	}
	for _, m := range ended {
		s.cfg.Logger.Warn("answer interrupted: its process is gone", "message", m.ID, "attempt", m.Attempt)
		s.cfg.Wakes.Wake(m.ConversationID)
		s.logEnd(ctx, m)
		s.ended(kyro.Outcome{Status: m.Status, FinishReason: finishOf(m), Grounding: m.Grounding})
	}
	for _, conversation := range waiting {
		s.kick(conversation) // whose claim wakes
	}
	return nil
}

// ended tells of an answer whose end is stored.
func (s *Service) ended(o kyro.Outcome) {
	if s.cfg.Ended != nil {
		s.cfg.Ended(o)
	}
}

func finishOf(m kyro.Message) kyro.FinishReason {
	if m.FinishReason == nil {
		return kyro.FinishInterrupted
	}
	return *m.FinishReason
}

// Load is how many answers this node makes now, and how many conversations wait for a place.
func (s *Service) Load() (running, waiting int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.attempts), len(s.queue)
}

// logEnd tells readers that a message is final and stored.
func (s *Service) logEnd(ctx context.Context, m kyro.Message) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	end := kyro.LogEntry{Attempt: m.Attempt, Seq: endSeq(m), Status: m.Status, Final: true}
	if err := s.cfg.Log.Append(ctx, m.ID, end); err != nil {
		s.cfg.Logger.Debug("the end of an answer is not in its log", "message", m.ID, "attempt", m.Attempt, "error", err)
	}
}

// endSeq is the seq of a final message's end. An answer that ended before its first event has the first.
func endSeq(m kyro.Message) int64 { return max(1, m.Seq) }

// now is the time as rows keep it.
func (s *Service) now() time.Time { return kyro.Moment(s.cfg.Wall()) }
