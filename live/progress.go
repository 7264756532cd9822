package live

import (
	"container/list"
	"context"
	"sync"
	"time"

	"kyrochat/kyro"
)

// ProgressConfig bounds the progress of documents. A zero field takes its default.
type ProgressConfig struct {
	TopicSize int              // changes kept of one topic; 256
	Topics    int              // topics kept; above it those silent for the longest are dropped; 4,096
	TTL       time.Duration    // how long a silent topic is kept; 10 minutes
	Now       func() time.Time // time.Now
}

// Progress keeps the newest changes of documents by topic: a topic is a document or a bot. Positions count the
// changes of all topics together, so that a topic that was dropped and begins again never gives out a position
// twice.
type Progress struct {
	size, topicCount int
	ttl              time.Duration
	now              func() time.Time

	mu     sync.Mutex
	topics map[kyro.ID]*progressTopic
	silent *list.List // of *progressTopic with changes, the longest silent first
	end    int64      // the position of the newest change
	gone   int64      // no dropped topic had a change behind this position
}

type progressTopic struct {
	gate
	id      kyro.ID
	changes []change
	gone    int64 // the changes up to this position may be missing
	last    time.Time
	place   *list.Element // nil while there are no changes
}

type change struct {
	position int64
	progress kyro.DocumentProgress
}

// NewProgress makes an empty progress board.
func NewProgress(cfg ProgressConfig) *Progress {
	p := &Progress{
		size: cfg.TopicSize, topicCount: cfg.Topics, ttl: cfg.TTL, now: cfg.Now,
		topics: map[kyro.ID]*progressTopic{}, silent: list.New(),
	}
	if p.size <= 0 {
		p.size = 256
	}
	if p.topicCount <= 0 {
		p.topicCount = 4_096
	}
	if p.ttl <= 0 {
		p.ttl = 10 * time.Minute
	}
	if p.now == nil {
		p.now = time.Now
	}
	return p
}

// Publish tells the watchers of the document and of the bot. It never waits for one.
func (p *Progress) Publish(_ context.Context, bot kyro.ID, progress kyro.DocumentProgress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.end++
	for _, id := range []kyro.ID{progress.DocumentID, bot} {
		p.add(p.topic(id), change{p.end, progress}, now)
	}
	p.expire(now)
}

// lose tells every watcher that changes may have been missed.
func (p *Progress) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end++
	p.gone = p.end
	for _, t := range p.topics {
		t.gone = p.end
		t.open()
	}
}

// Read gives the changes on a topic after a position; see ingest.Progress.
func (p *Progress) Read(
	ctx context.Context, topic kyro.ID, after int64,
) (changes []kyro.DocumentProgress, next int64, lost bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, after, false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if after < 0 {
		return nil, p.end, false, nil
	}
	for {
		t := p.topic(topic)
		if after < t.gone || after > p.end {
			p.forget(t)
			return nil, p.end, true, nil
		}
		if first := t.behind(after); first < len(t.changes) {
			for _, c := range t.changes[first:] {
				changes = append(changes, c.progress)
			}
			return changes, t.changes[len(t.changes)-1].position, false, nil
		}
		err := t.wait(ctx, &p.mu)
		p.forget(t)
		if err != nil {
			return nil, after, false, err
		}
	}
}

// topic gives the topic, which is made where there is none. A new one may stand for one that was dropped.
func (p *Progress) topic(id kyro.ID) *progressTopic {
	t := p.topics[id]
	if t == nil {
		t = &progressTopic{id: id, gone: p.gone}
		p.topics[id] = t
	}
	return t
}

func (p *Progress) add(t *progressTopic, c change, now time.Time) {
	t.changes = append(t.changes, c)
	if len(t.changes) > p.size {
		t.gone = t.changes[0].position
		t.changes = t.changes[1:]
	}
	t.last = now
	if t.place == nil {
		t.place = p.silent.PushBack(t)
	} else {
		p.silent.MoveToBack(t.place)
	}
	t.open()
}

// behind is the index of the first change after the position.
func (t *progressTopic) behind(position int64) int {
	i := len(t.changes)
	for i > 0 && t.changes[i-1].position > position {
		i--
	}
	return i
}

// expire drops topics that were silent for the TTL, and the most silent ones above the bound. Who waits at one
// of them waits on, at the topic that takes its place.
func (p *Progress) expire(now time.Time) {
	for front := p.silent.Front(); front != nil; front = p.silent.Front() {
		t := front.Value.(*progressTopic)
		if now.Sub(t.last) < p.ttl && p.silent.Len() <= p.topicCount {
			return
		}
		p.gone = max(p.gone, t.changes[len(t.changes)-1].position)
		p.silent.Remove(front)
		delete(p.topics, t.id)
		t.open()
	}
}

// forget removes a topic that has nothing and nobody.
func (p *Progress) forget(t *progressTopic) {
	if len(t.changes) == 0 && len(t.waiting) == 0 && p.topics[t.id] == t {
		delete(p.topics, t.id)
	}
}
