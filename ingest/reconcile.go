package ingest

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"kyrochat/kyro"
)

const (
	expectBatch = 1_000  // documents that are read at once
	judgeBatch  = 1_000  // places that are looked up at once, and removed at once
	removeMost  = 50_000 // places that one turn removes
)

// Reconcile compares the index with the rows, which alone decide: what belongs to no version that is there, or that may
// be there again, is removed; and where something is missing, the next Refresh finds the document. It answers
// kyro.ErrJobAgain where there is more to remove, or the index is away. What a walk found before it broke off is removed
// all the same, so that an index that fails now and then comes clean too; of one that is too large for a turn the rest is
// left alone.
func (s *Service) Reconcile(ctx context.Context) error {
	if s.index == nil {
		return nil
	}
	r := &reconciliation{Service: s, expected: map[int64]*tally{}}
	if err := r.expect(ctx); err != nil {
		return err
	}
	complete, walked := r.walk(ctx)
	if _, away := errors.AsType[*upstream](walked); walked != nil && !away {
		return walked
	}
	var missing []kyro.IndexedVersion
	if complete {
		missing = r.missing()
	}
	if len(missing)+len(r.dead) > 0 {
		s.log.InfoContext(ctx, "the index is not what the database says", "removing", len(r.dead), "incomplete", len(missing))
	}
	if len(missing) > 0 {
		if err := s.store.Doubt(ctx, s.with, missing); err != nil {
			return err
		}
		if err := s.Refresh(ctx); err != nil && !errors.Is(err, kyro.ErrJobAgain) {
			return err
		}
	}
	if err := cmp.Or(r.remove(ctx), walked); err != nil {
		return s.later(ctx, kyro.JobReconcile, 0, laterPause, err)
	}
	if len(r.dead) == removeMost {
		return kyro.JobAgainAfter(laterPause) // there may be more, and what was removed may be listed for a while
	}
	return nil
}

// Compare compares the index with the rows as Reconcile does, and changes nothing: dead are vectors that belong to no version that
// is there or may be there again, removeMost at most, missing are documents that lack some of theirs. What it comes to is looked at a
// second time: documents are replaced and deleted meanwhile, and an index lists late what was put in or removed. There is an
// index. It may take as long as ctx lasts.
func (s *Service) Compare(ctx context.Context) (dead []kyro.VectorPlace, missing []kyro.ID, err error) {
	first, lacks, err := s.compared(ctx)
	if err != nil || len(first.dead)+len(lacks) == 0 {
		return nil, nil, err
	}
	second, still, err := s.compared(ctx)
	if err != nil {
		return nil, nil, err
	}
	was := map[kyro.VectorPlace]bool{}
	for _, p := range first.dead {
		was[p] = true
	}
	for _, p := range second.dead {
		if was[p] {
			dead = append(dead, p)
		}
	}
	for _, v := range still {
		if slices.Contains(lacks, v) {
			missing = append(missing, v.DocumentID)
		}
	}
	return dead, missing, nil
}

// compared is one walk, with the versions of which the index has less than it should.
func (s *Service) compared(ctx context.Context) (r *reconciliation, missing []kyro.IndexedVersion, err error) {
	r = &reconciliation{Service: s, expected: map[int64]*tally{}}
	if err := r.expect(ctx); err != nil {
		return nil, nil, err
	}
	complete, err := r.walk(ctx)
	if err == nil && complete {
		missing = r.missing()
	}
	return r, missing, err
}

// With says what the vectors of documents are made with, and where they are, as far as the settings go.
func (s *Service) With() string { return s.with }

// reconciliation is one walk through the index.
type reconciliation struct {
	*Service
	expected map[int64]*tally // by document
	places   []kyro.VectorPlace
	judged   int
	dead     []kyro.VectorPlace
}

// tally is how much of a version should be in the index, and how much is.
type tally struct{ version, chunks, seen int }

// expect reads what should be in the index. It does so before the walk: what is put in later is not missed, and all that
// it reads had been seen in the index by then.
func (r *reconciliation) expect(ctx context.Context) error {
	for last := (kyro.ID{}); ; {
		states, err := r.store.Embedded(ctx, r.with, last, expectBatch)
		if err != nil {
			return err
		}
		for _, s := range states {
			r.expected[s.DocumentID.Key] = &tally{version: s.ActiveVersion, chunks: s.Chunks}
			last = s.DocumentID
		}
		if len(states) < expectBatch {
			return nil
		}
	}
}

// walk judges everything that is in the index, unless the turn is too short for that, or the index breaks it off.
func (r *reconciliation) walk(ctx context.Context) (complete bool, err error) {
	within, cancel := withinTurn(ctx)
	defer cancel(nil)
	var broken error // of the database
	err = r.index.Walk(within, func(page []kyro.VectorPlace) error {
		if r.places = append(r.places, page...); len(r.places) >= judgeBatch {
			broken = r.judge(ctx)
		}
		return broken
	})
	switch {
	case broken != nil:
		return false, broken
	case err != nil && ctx.Err() == nil && within.Err() != nil:
		r.log.WarnContext(ctx, "the index is too large to be compared with the database in one turn", "judged", r.judged)
	case err != nil:
		return false, cmp.Or(r.judge(ctx), theIndex.because(err))
	}
	return err == nil, r.judge(ctx)
}

// judge decides by the rows, which are read after the places were: so what is of a version that is being made has its
// row by then, and what is dead now was dead or never is alive again.
func (r *reconciliation) judge(ctx context.Context) error {
	if len(r.places) == 0 {
		return nil
	}
	ids := map[kyro.ID]bool{}
	for _, p := range r.places {
		ids[p.DocumentID] = true
	}
	asked := make([]kyro.ID, 0, len(ids))
	for id := range ids {
		asked = append(asked, id)
	}
	found, err := r.store.VectorStates(ctx, asked)
	if err != nil {
		return err
	}
	states := make(map[kyro.ID]kyro.VectorState, len(found))
	for _, s := range found {
		states[s.DocumentID] = s
	}
	for _, p := range r.places {
		if state, live := states[p.DocumentID]; !live || !state.Holds(p) {
			if len(r.dead) < removeMost {
				r.dead = append(r.dead, p)
			}
			continue
		}
		if t := r.expected[p.DocumentID.Key]; t != nil && t.version == p.Version {
			t.seen++
		}
	}
	r.judged += len(r.places)
	r.places = r.places[:0]
	return nil
}

// missing are the versions of which the index has less than it should.
func (r *reconciliation) missing() (versions []kyro.IndexedVersion) {
	for document, t := range r.expected {
		if t.seen < t.chunks {
			versions = append(versions, kyro.IndexedVersion{DocumentID: kyro.DocumentID(document), Version: t.version, Chunks: t.chunks})
		}
	}
	return versions
}

// remove takes out of the index what is dead. That comes after the walk, which it might upset.
func (r *reconciliation) remove(ctx context.Context) error {
	for at := 0; at < len(r.dead); at += judgeBatch {
		batch := r.dead[at:min(at+judgeBatch, len(r.dead))]
		if err := ask(ctx, theIndex, func(ctx context.Context) error { return r.index.RemovePlaces(ctx, batch) }); err != nil {
			return err
		}
	}
	return nil
}
