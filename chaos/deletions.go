package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"kyrochat/client"
)

// deletions has people delete and replace documents in the middle of everything.
var deletions = scenario{
	name: "deletions",
	promise: "after a deletion is acknowledged no search gives a passage of it, and in the end nothing of it is left, nor in the index; " +
		"while a document is read again its former version answers",
	setups: []setup{onSQLite, onNodes},
	short:  size{count: 24, kills: 1, people: 4},
	long:   size{count: 2_000, kills: 50, people: 16},
	play:   playDeletions,
}

const botLives = 10 // documents, and then it is deleted with them

func playDeletions(ctx context.Context, r *round) error {
	d, err := r.openData(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	var living, breaking sync.WaitGroup
	works, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	t := &trash{round: r, data: d}
	for i := range r.size.people {
		p, err := r.newPerson(ctx, fmt.Sprintf("tidy-%d", i))
		if err != nil {
			return err
		}
		living.Go(func() {
			if err := t.live(works, p, i); err != nil {
				stop(err)
			}
			r.count("requests that were repeated", int(p.tried.Load()))
		})
	}
	enough := make(chan struct{})
	breaking.Go(func() {
		defer close(enough)
		list := append(r.killers(), r.cutters(map[string]*link{"the index": r.vectors}, []string{"the index"}, 2*time.Second)...)
		if err := r.faults(works, list, r.size.kills, 500*time.Millisecond, 2*time.Second); err != nil {
			stop(err)
		}
	})
	living.Wait()
	breaking.Wait()
	if err := context.Cause(works); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if err := r.documentsFinal(ctx, d); err != nil {
		return err
	}
	if err := r.checkVectors(ctx, d, vectorsWithin); err != nil {
		return err
	}
	return t.check(ctx, d)
}

// trash is what people kept and threw away. It is safe for use by many at once.
type trash struct {
	*round
	data    *data
	mu      sync.Mutex
	kept    []added
	deleted []added
	bots    []string // that were deleted
}

func (t *trash) note(list *[]added, a added) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*list = append(*list, a)
}

// live is what one person does.
func (t *trash) live(ctx context.Context, p *person, number int) error {
	share := t.size.count / t.size.people
	bot := ""
	var mine []added // of this bot
	for i := range share {
		if bot == "" {
			var err error
			if bot, err = p.newBot(ctx); err != nil {
				return err
			}
		}
		a, err := p.add(ctx, bot, patterns[1].paper(markOf(number*share+i)))
		if err != nil {
			return err
		}
		if err := pause(ctx, p.dice.between(0, min(2*spread(t.size), 2*time.Second))); err != nil {
			return err
		}
		switch p.dice.n(4) {
		case 0:
			if err := t.readAgain(ctx, p, a); err != nil {
				return err
			}
			mine = append(mine, a)
		case 1:
			mine = append(mine, a)
		default:
			if err := t.delete(ctx, p, a); err != nil {
				return err
			}
		}
		if i%botLives == botLives-1 && p.dice.n(2) == 0 {
			if err := t.deleteBot(ctx, p, bot, mine); err != nil {
				return err
			}
			bot, mine = "", nil
		}
	}
	for _, a := range mine {
		t.note(&t.kept, a)
	}
	return nil
}

// delete deletes a document and searches for it.
func (t *trash) delete(ctx context.Context, p *person, a added) error {
	if err := notThere(p.deleteDocument(ctx, a.id)); err != nil {
		return fmt.Errorf("delete %s: %w", a.id, err)
	}
	t.note(&t.deleted, a)
	for range 3 {
		hits, _, err := p.search(ctx, a)
		if err != nil {
			return err
		}
		t.count("searches for what was deleted", 1)
		if len(hits) == 0 {
			continue
		}
		twins := 0
		if err := await(ctx, startPatience, func() (asked bool) { // it may be killed now
			twins, err = t.data.number(ctx, fmt.Sprintf(`SELECT count(*) FROM documents d JOIN documents o ON o.bot_id = d.bot_id AND o.id <> d.id AND o.title = d.title
				WHERE d.id = %d`, key(a.id)))
			return err == nil
		}); err != nil {
			return err
		}
		if twins > 0 { // whose acknowledgement was lost, so that it was added once more
			t.count("searches that found a document that was added twice", 1)
		} else {
			t.violated("the deleted document %s is found: %.100q %s", a.id, hits[0].Chunk.Text, hits[0])
		}
	}
	return nil
}

// deleteBot deletes a bot with its documents. Nobody can search it any more.
func (t *trash) deleteBot(ctx context.Context, p *person, bot string, mine []added) error {
	if err := p.deleteBot(ctx, bot); err != nil {
		return fmt.Errorf("delete %s: %w", bot, err)
	}
	t.mu.Lock()
	t.bots = append(t.bots, bot)
	t.deleted = append(t.deleted, mine...)
	t.mu.Unlock()
	for _, a := range mine {
		hits, _, err := p.search(ctx, a)
		if err = notThere(err); err != nil {
			return err
		}
		t.count("searches for what was deleted", 1)
		if len(hits) > 0 {
			t.violated("the document %s of the deleted bot %s is found", a.id, bot)
		}
	}
	return nil
}

// readAgain has a document that answers cut in another way, and searches for it until that is done.
func (t *trash) readAgain(ctx context.Context, p *person, a added) error {
	if err := p.until(ctx, a.id, func(s seenDocument) bool { return s.Status == "READY" }); err != nil {
		return err
	}
	var again struct {
		Done struct {
			Document *struct{ ID string }
			Errors   []problem
		}
	}
	err := p.ask(ctx, `mutation($i: ReprocessDocumentInput!) { done: reprocessDocument(input: $i) `+aboutAdded+` }`,
		map[string]any{"i": map[string]any{"documentId": a.id, "chunkTokens": 64 + p.dice.n(200), "overlapTokens": 8}}, &again)
	if err == nil && again.Done.Document == nil && (len(again.Done.Errors) == 0 || again.Done.Errors[0].Code != "CONFLICT") { // what was asked before is under way
		err = fmt.Errorf("%v", again.Done.Errors)
	}
	if err != nil {
		return fmt.Errorf("read %s again: %w", a.id, err)
	}
	t.count("documents read again", 1)
	return p.until(ctx, a.id, func(s seenDocument) bool {
		hits, all, err := p.search(ctx, a)
		if err != nil {
			return ctx.Err() != nil
		}
		live := false
		for _, h := range hits {
			live = live || h.Dropped == nil || *h.Dropped != "NOT_LIVE"
		}
		t.count("searches for what is read again", 1)
		if !live {
			t.violated("the document %s, %s, is not found by %q at %s: %d hits of %v", a.id, s.Status, a.paper.mark,
				time.Now().UTC().Format(time.RFC3339Nano), len(hits), all)
		}
		return s.Status == "READY"
	})
}

// check looks at what is left in the database.
func (t *trash) check(ctx context.Context, d *data) error {
	stored, err := d.documents(ctx)
	if err != nil {
		return err
	}
	t.count("documents kept", len(t.kept))
	t.count("documents deleted", len(t.deleted))
	t.count("bots deleted", len(t.bots))
	for _, a := range t.kept {
		switch s := stored[key(a.id)]; {
		case s == nil || s.deleted:
			t.violated("the document %s is not there, and nobody deleted it", a.id)
		case s.status != "READY" || len(s.chunks) == 0 || !strings.Contains(s.chunks[0], a.paper.mark):
			t.violated("the document %s is %s with %d chunks: %s", a.id, s.status, len(s.chunks), s.reason)
		}
	}
	for _, a := range t.deleted {
		if s := stored[key(a.id)]; s != nil && !s.deleted {
			t.violated("the document %s was deleted, and is there", a.id)
		}
	}
	for id, s := range stored {
		if s.dead > 0 {
			t.violated("%d chunks of document %d are left (deleted: %t, active version %d)", s.dead, id, s.deleted, s.active)
		}
	}
	for what, statement := range map[string]string{
		"texts of deleted documents":     `SELECT count(*) FROM document_texts x JOIN documents d ON d.id = x.document_id WHERE d.deleted_at IS NOT NULL`,
		"originals of deleted documents": `SELECT count(*) FROM document_files x JOIN documents d ON d.id = x.document_id WHERE d.deleted_at IS NOT NULL`,
		"documents of deleted bots":      `SELECT count(*) FROM documents d JOIN bots b ON b.id = d.bot_id WHERE b.deleted_at IS NOT NULL AND d.deleted_at IS NULL`,
	} {
		if n, err := d.number(ctx, statement); err != nil || n > 0 {
			t.violated("%d %s: %v", n, what, err)
		}
	}
	return t.checkIndexes(ctx, d)
}

// searchHit is what a search gives of a passage.
type searchHit struct {
	Dropped                 *string
	LexicalRank, VectorRank *int
	Chunk                   struct {
		ID, Text string
		Document struct{ ID string }
	}
}

func (h searchHit) String() string {
	rank := func(place *int) string {
		if place == nil {
			return "-"
		}
		return fmt.Sprint(*place)
	}
	dropped := ""
	if h.Dropped != nil {
		dropped = " " + *h.Dropped
	}
	return h.Chunk.ID + " " + rank(h.LexicalRank) + "/" + rank(h.VectorRank) + dropped
}

// search looks for the mark of a document. It gives the hits that are of the document or hold its mark, and all that there
// are. Which of its passages come first is for the ranking: the document's title, which has the mark, counts for all of them,
// and passages of others that are near by their words and their vectors may go before one that is found by words alone.
func (p *person) search(ctx context.Context, a added) (hits, all []searchHit, err error) {
	var found struct {
		Bot *struct{ Search []searchHit }
	}
	err = p.ask(ctx, `query($b: ID!, $q: String!) { bot(id: $b) { search(query: $q, first: 20) { dropped lexicalRank vectorRank chunk { id text document { id } } } } }`,
		map[string]any{"b": a.bot, "q": a.paper.mark}, &found)
	if err == nil && found.Bot == nil {
		err = client.Errors{{Message: "the bot is not there"}}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("search %s: %w", a.bot, err)
	}
	for _, h := range found.Bot.Search {
		if h.Chunk.Document.ID == a.id || strings.Contains(h.Chunk.Text, a.paper.mark) {
			hits = append(hits, h)
		}
	}
	return hits, found.Bot.Search, nil
}

// seenDocument is a document as its owner sees it.
type seenDocument struct{ Status, StatusReason string }

// until looks at a document until it is as wanted.
func (p *person) until(ctx context.Context, id string, wanted func(seenDocument) bool) error {
	var last seenDocument
	for end := time.Now().Add(2 * workPatience); time.Now().Before(end); {
		var seen struct{ Document *seenDocument }
		if err := p.ask(ctx, `query($d: ID!) { document(id: $d) { status statusReason } }`, map[string]any{"d": id}, &seen); err != nil {
			return err
		}
		if seen.Document == nil {
			return client.Errors{{Message: "the document " + id + " is not there"}}
		}
		if last = *seen.Document; wanted(last) {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("the document %s stays %+v", id, last)
}
