package store_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kyrochat/answer"
	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/live"
	"kyrochat/store"
)

// town is several nodes on one PostgreSQL database, with leases of a second, and a person everybody acts as. Nodes hear
// nothing of each other but what is in the database.
type town struct {
	*world
	t      *testing.T
	viewer kyro.Viewer

	mu    sync.Mutex
	nodes []*node
	begun map[string]string // attempts: who began them
}

// node is a process, as far as answers go. It can be frozen: its clock stands, and what it was about to write reaches the
// database when it thaws.
type node struct {
	*answer.Service
	*store.Store
	town   *town
	pools  *store.Pools
	frozen atomic.Pointer[time.Time] // since when
	halt   func()
}

func newTown(t *testing.T, nodes int) *town {
	url := testdb.PostgresURL(t, testdb.Also(jobTable))
	w := &town{world: &world{}, t: t, begun: map[string]string{}}
	w.pools = w.open(url)
	w.Store = store.New(w.pools, rowQueue{})
	w.viewer = kyro.Viewer{UserID: w.user(t)}
	for i := range nodes {
		w.nodes = append(w.nodes, w.start(w.open(url), fmt.Sprint("n", i)))
	}
	return w
}

func (w *town) open(url string) *store.Pools {
	pools, err := store.Open(w.t.Context(), store.Config{DatabaseURL: url})
	fine(w.t, err)
	w.t.Cleanup(func() { _ = pools.Close() })
	return pools
}

// start starts a node. Every other one begins lost answers again; the rest ends them.
func (w *town) start(pools *store.Pools, name string) *node {
	n := &node{Store: store.New(pools, rowQueue{}), town: w, pools: pools}
	limits := kyro.DefaultLimits()
	limits.AnswerLease, limits.AnswerHeartbeat, limits.AnswerSweep = time.Second, 250*time.Millisecond, 200*time.Millisecond
	limits.AnswerIdle, limits.DrainTimeout = 400*time.Millisecond, 30*time.Millisecond
	n.Service = answer.New(answer.Config{
		Store: n, Log: live.NewLogs(live.LogsConfig{}), Wakes: new(live.Wakes), Retriever: onePassage{}, Model: chatter(name),
		Limits: limits, Node: name, Restart: rand.IntN(2) == 0, Now: n.now,
		FollowPoll: 50 * time.Millisecond, FollowPollEmpty: 20 * time.Millisecond, StopPoll: 50 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		if err := n.Run(ctx); err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	n.halt = func() { cancel(); running.Wait() }
	w.t.Cleanup(n.halt)
	return n
}

func (w *town) anyone() *node {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nodes[rand.IntN(len(w.nodes))]
}

// replace starts a node in the place of another, which ends meanwhile.
func (w *town) replace(i int, name string) {
	w.mu.Lock()
	old := w.nodes[i]
	w.nodes[i] = w.start(old.pools, name)
	w.mu.Unlock()
	old.halt()
}

func (n *node) now() time.Time {
	if at := n.frozen.Load(); at != nil {
		return *at
	}
	return time.Now()
}

// freeze stops the node for so long.
func (n *node) freeze(d time.Duration) {
	at := time.Now()
	n.frozen.Store(&at)
	time.Sleep(d)
	n.frozen.Store(nil)
}

// thaw waits while the node is frozen.
func (n *node) thaw() {
	for n.frozen.Load() != nil {
		time.Sleep(time.Millisecond)
	}
}

// SaveTurn notes who begins which attempt. The bot has no documents, but onePassage finds something.
func (n *node) SaveTurn(ctx context.Context, t kyro.NewTurn) (kyro.Turn, error) {
	n.thaw()
	begin := t.Begin
	t.Begin = func(turn kyro.Turn) { // the attempt is at its job from here on
		turn.Job.Bare = false
		begin(turn)
	}
	turn, err := n.Store.SaveTurn(ctx, t)
	if turn.Claim != nil {
		n.town.begins(*turn.Claim)
	}
	return turn, err
}

// ClaimNext notes who begins which attempt.
func (n *node) ClaimNext(ctx context.Context, c kyro.ID, owner string, lease time.Duration) (kyro.Claim, bool, error) {
	n.thaw()
	claim, found, err := n.Store.ClaimNext(ctx, c, owner, lease)
	if found {
		n.town.begins(claim)
	}
	return claim, found, err
}

func (w *town) begins(claim kyro.Claim) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := fmt.Sprint(claim.MessageID, ".", claim.Attempt)
	if other, twice := w.begun[name]; twice {
		w.t.Errorf("%s was begun by %s and by %s", name, other, claim.Owner)
	}
	w.begun[name] = claim.Owner
}

func (n *node) Keep(ctx context.Context, lease time.Duration, list []kyro.Keeping) ([]kyro.Kept, error) {
	n.thaw()
	return n.Store.Keep(ctx, lease, list)
}

func (n *node) Finish(ctx context.Context, claim kyro.Claim, o kyro.Outcome) (kyro.Message, error) {
	n.thaw()
	return n.Store.Finish(ctx, claim, o)
}

func (n *node) Recover(ctx context.Context, r kyro.Recovery) ([]kyro.Message, []kyro.ID, error) {
	n.thaw()
	return n.Store.Recover(ctx, r)
}

// chatter is a model that says a few words, after a mark of its own, and sometimes falls silent.
type chatter string

// Answer implements answer.Model.
func (c chatter) Answer(ctx context.Context, _ kyro.Prompt) iter.Seq2[kyro.Delta, error] {
	return func(yield func(kyro.Delta, error) bool) {
		word := fmt.Sprintf("By %s, %d [1]", c, rand.Int())
		for range 1 + rand.IntN(6) {
			select {
			case <-time.After(time.Duration(rand.IntN(150)) * time.Millisecond):
			case <-ctx.Done():
				yield(kyro.Delta{}, ctx.Err())
				return
			}
			if !yield(kyro.Delta{Text: word}, nil) {
				return
			}
			word = " word"
		}
		if rand.IntN(10) == 0 {
			<-ctx.Done()
			yield(kyro.Delta{}, ctx.Err())
			return
		}
		yield(kyro.Delta{Finish: &kyro.Finish{Reason: kyro.FinishStop, Grounding: kyro.Grounded}}, nil)
	}
}

type onePassage struct{}

// Retrieve implements answer.Retriever.
func (onePassage) Retrieve(context.Context, kyro.Bot, string, []kyro.Message) (answer.Retrieved, error) {
	return answer.Retrieved{Passages: []kyro.Passage{{Chunk: kyro.Chunk{
		ID: kyro.ChunkID(1), DocumentID: kyro.DocumentID(1), Version: 1, Text: "Words.", CharEnd: 6, ByteEnd: 6,
	}}}}, nil
}

// Search implements answer.Retriever.
func (onePassage) Search(context.Context, kyro.Bot, string, int) ([]kyro.SearchHit, error) {
	return nil, nil
}
