package ingest

import (
	"context"
	"iter"
	"time"

	"kyrochat/kyro"
)

// Watch gives the present state of a document of the viewer, then every change, and ends after a final state or
// the deletion. NOT_FOUND for what is not the viewer's. It ends silently with ctx.
func (s *Service) Watch(ctx context.Context, v kyro.Viewer, id kyro.ID) iter.Seq2[kyro.DocumentProgress, error] {
	return func(yield func(kyro.DocumentProgress, error) bool) {
		if err := v.MustFor(id, kyro.KindDocument, kyro.ScopeRead, kyro.ScopeIngest); err != nil {
			yield(kyro.DocumentProgress{}, err)
			return
		}
		w := s.newWatch(v, id, yield)
		w.single = true
		w.present = func(ctx context.Context) error {
			documents, err := s.store.Documents(ctx, v.UserID, []kyro.ID{id})
			if err == nil && len(documents) == 0 && len(w.told) == 0 {
				err = kyro.NotFound(kyro.KindDocument)
			}
			if err == nil {
				w.tellStates([]kyro.ID{id}, documents)
			}
			return err
		}
		w.run(ctx)
	}
}

// WatchBot gives the present state of each unfinished document of a bot of the viewer, oldest first, then every
// change of any of its documents, without end. NOT_FOUND for what is not the viewer's, also once the bot is deleted.
func (s *Service) WatchBot(ctx context.Context, v kyro.Viewer, botID kyro.ID) iter.Seq2[kyro.DocumentProgress, error] {
	return func(yield func(kyro.DocumentProgress, error) bool) {
		if err := v.MustFor(botID, kyro.KindBot, kyro.ScopeRead, kyro.ScopeIngest); err != nil {
			yield(kyro.DocumentProgress{}, err)
			return
		}
		w := s.newWatch(v, botID, yield)
		w.present = func(ctx context.Context) error {
			if err := s.ownBot(ctx, v, botID); err != nil {
				return err
			}
			still, err := w.tellUnfinished(ctx, botID)
			if err != nil || w.over {
				return err
			}
			return w.tellLost(ctx, still)
		}
		w.run(ctx)
	}
}

// watch is one watcher of a document or of a bot's documents. The row is the truth: changes say when to tell what,
// and where they could be late or in doubt the row is read.
type watch struct {
	*Service
	owner   kyro.ID
	topic   kyro.ID
	single  bool                        // ends with the document's final state
	present func(context.Context) error // tells what the rows say
	told    map[kyro.ID]kyro.DocumentProgress
	yield   func(kyro.DocumentProgress, error) bool
	over    bool
}

func (s *Service) newWatch(v kyro.Viewer, topic kyro.ID, yield func(kyro.DocumentProgress, error) bool) *watch {
	return &watch{Service: s, owner: v.UserID, topic: topic, told: map[kyro.ID]kyro.DocumentProgress{}, yield: yield}
}

// run tells until the watch is over or nobody listens. It reads the topic's end before the rows, so that no change
// falls between the two.
func (w *watch) run(ctx context.Context) {
	position, err := w.end(ctx)
	w.check(ctx, true)
	checked := time.Now()
	for !w.over && ctx.Err() == nil {
		var changes []kyro.DocumentProgress
		var lost bool
		if err == nil {
			var next int64
			changes, next, lost, err = w.wait(ctx, position, checked.Add(w.recheck))
			if err == nil {
				position = next
			}
		}
		for _, c := range changes {
			w.consider(ctx, c)
		}
		if err != nil {
			w.pause(ctx, checked.Add(w.recheck))
			position, err = w.end(ctx)
		}
		if lost || time.Since(checked) >= w.recheck {
			w.check(ctx, false)
			checked = time.Now()
		}
	}
}

// wait gives the next changes, or none at the time the rows are to be looked at again.
func (w *watch) wait(
	ctx context.Context, position int64, until time.Time,
) (changes []kyro.DocumentProgress, next int64, lost bool, err error) {
	waiting, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	changes, next, lost, err = w.progress.Read(waiting, w.topic, position)
	if err != nil && waiting.Err() != nil {
		return nil, position, false, nil
	}
	return changes, next, lost, err
}

// end is the topic's present end. Where it cannot be had, the watch lives by looking at the rows.
func (w *watch) end(ctx context.Context) (int64, error) {
	_, position, _, err := w.progress.Read(ctx, w.topic, -1)
	if err != nil && ctx.Err() == nil {
		w.log.DebugContext(ctx, "progress cannot be read", "topic", w.topic.String(), "error", err)
	}
	return position, err
}

func (w *watch) pause(ctx context.Context, until time.Time) {
	_ = kyro.Pause(ctx, time.Until(until)) // whose end whoever waits sees
}

// check tells what the rows say. What cannot be read in the middle of a watch is read the next time; that the
// document or bot is not the viewer's ends it.
func (w *watch) check(ctx context.Context, first bool) {
	err := w.present(ctx)
	switch {
	case err == nil || w.over || ctx.Err() != nil:
	case first || kyro.ErrorCode(err) == kyro.CodeNotFound:
		w.yield(kyro.DocumentProgress{}, err)
		w.over = true
	default:
		w.log.WarnContext(ctx, "progress cannot be checked", "topic", w.topic.String(), "error", err)
	}
}

// consider tells a change, unless it is older than what was told. Within a run a document only moves forward, so
// that can be seen; where a run may have ended or begun, the row decides.
func (w *watch) consider(ctx context.Context, c kyro.DocumentProgress) {
	last, known := w.told[c.DocumentID]
	switch {
	case last.Deleted:
	case c.Deleted:
		w.tell(c)
	case known && !last.Status.Final() && !c.Status.Final():
		before, after := last.Percent(), c.Percent()
		if after > before || after == before && !c.UpdatedAt.Before(last.UpdatedAt) {
			w.tell(c)
		}
	default:
		documents, err := w.store.Documents(ctx, w.owner, []kyro.ID{c.DocumentID})
		switch {
		case err != nil && ctx.Err() != nil:
		case err != nil, !known && len(documents) == 1 && !c.Status.Final():
			w.tell(c)
		case known || len(documents) == 1:
			w.tellStates([]kyro.ID{c.DocumentID}, documents)
		}
	}
}

// unfinishedBatch is how many unfinished documents are read at once: a bot may have thousands.
const unfinishedBatch = 200

// tellUnfinished tells the state of every unfinished document of the bot and gives their ids.
func (w *watch) tellUnfinished(ctx context.Context, bot kyro.ID) (map[kyro.ID]bool, error) {
	still := map[kyro.ID]bool{}
	for last := (kyro.Document{}); !w.over; {
		documents, err := w.store.Unfinished(ctx, w.owner, bot, last, unfinishedBatch)
		if err != nil {
			return nil, err
		}
		for i := range documents {
			still[documents[i].ID] = true
		}
		w.tellStates(nil, documents)
		if len(documents) < unfinishedBatch {
			break
		}
		last = documents[len(documents)-1]
	}
	return still, nil
}

// tellLost tells what became of documents that were unfinished when last told of, and are not any more.
func (w *watch) tellLost(ctx context.Context, still map[kyro.ID]bool) error {
	var lost []kyro.ID
	for id, last := range w.told {
		if !still[id] && !last.Deleted && !last.Status.Final() {
			lost = append(lost, id)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	documents, err := w.store.Documents(ctx, w.owner, lost)
	if err == nil {
		w.tellStates(lost, documents)
	}
	return err
}

// tellStates tells the rows' states. Those of the asked documents that have no row are deleted.
func (w *watch) tellStates(asked []kyro.ID, documents []kyro.Document) {
	there := make(map[kyro.ID]bool, len(documents))
	for i := range documents {
		there[documents[i].ID] = true
		w.tell(documents[i].Progress())
	}
	for _, id := range asked {
		if last := w.told[id]; !there[id] && !last.Deleted {
			last.DocumentID, last.Deleted, last.UpdatedAt = id, true, w.time()
			w.tell(last)
		}
	}
}

// tell gives a state to the watcher unless it has it.
func (w *watch) tell(p kyro.DocumentProgress) {
	last, known := w.told[p.DocumentID]
	if w.over || known && same(last, p) {
		return
	}
	w.told[p.DocumentID] = p
	if !w.yield(p, nil) || w.single && (p.Deleted || p.Status.Final()) {
		w.over = true
	}
}

// same reports whether two states look the same to a watcher.
func same(a, b kyro.DocumentProgress) bool {
	return a.Deleted == b.Deleted && a.Status == b.Status && a.StageDone == b.StageDone &&
		equal(a.StageTotal, b.StageTotal, func(x, y int) bool { return x == y }) &&
		equal(a.RetryAt, b.RetryAt, time.Time.Equal)
}

func equal[T any](a, b *T, same func(T, T) bool) bool {
	return a == b || a != nil && b != nil && same(*a, *b)
}
