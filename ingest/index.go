package ingest

import (
	"context"
	"slices"
	"time"

	"kyrochat/kyro"
)

const (
	indexBatches  = 4                      // batches of embeddings that are put into the index at once, each time a checkpoint
	lookPause     = 250 * time.Millisecond // the first one between two looks into the index
	lookMost      = 8 * time.Second        // how long a turn looks where somebody waits for the document
	lookAgain     = 5 * time.Second        // before the next turn looks, doubled each time
	lookPatience  = 5                      // turns that look in vain before everything is put in again
	takeBackShare = 5 * time.Second        // for what is done after the end of a turn
)

// project puts the stored vectors of the version into the index, batch by batch, and comes back once they can be seen
// there.
func (e *embedding) project(ctx context.Context) error {
	model, dims := e.embedder.Model()
	at, err := e.store.Indexing(ctx, e.version, e.with)
	if err != nil {
		return err
	}
	for began := at.Done; at.Done < e.version.Chunks; {
		if err := e.next(ctx, e.progress(e.version.Chunks, at.Done), at.Done > began); err != nil {
			return err
		}
		vectors, err := e.store.VersionVectors(ctx, e.version, model, dims, at.Done, indexBatches*e.batch)
		if err != nil {
			return err
		}
		if len(vectors) == 0 || vectors[len(vectors)-1].Index != at.Done+len(vectors)-1 {
			return kyro.JobAgainAfter(elsewherePause) // some went meanwhile, or the document did: the next turn finds out
		}
		e.put = true
		if err := ask(ctx, theIndex, func(ctx context.Context) error { return e.index.Upsert(ctx, vectors) }); err != nil {
			return err
		}
		at.Done += len(vectors)
		if err := e.store.SaveIndexing(ctx, e.version, e.with, at); err != nil {
			return err
		}
		e.busy = true
	}
	return e.look(ctx, at)
}

// look waits until the index shows the version. What an index took it may show later, or lose: after some turns
// everything is put in again.
func (e *embedding) look(ctx context.Context, at kyro.Indexing) error {
	if err := e.next(ctx, e.progress(e.version.Chunks, at.Done), false); err != nil {
		return err
	}
	began := time.Now()
	for pause := lookPause; ; pause *= 2 {
		seen := false
		err := ask(ctx, theIndex, func(ctx context.Context) (err error) {
			seen, err = e.index.Visible(ctx, e.version)
			return err
		})
		if err != nil || seen {
			return err
		}
		if time.Since(began)+pause > e.looks || e.late(ctx) {
			break
		}
		if err := kyro.Pause(ctx, pause); err != nil {
			return err
		}
	}
	pause := lookAgain << at.Looked
	if at.Looked++; at.Looked == lookPatience {
		at = kyro.Indexing{}
	}
	if err := e.store.SaveIndexing(ctx, e.version, e.with, at); err != nil {
		return err
	}
	again := kyro.Errorf(kyro.CodeUnavailable, "The index does not show all of the version yet.")
	again.RetryAfter = pause
	return notVisible.because(again)
}

// takeBack removes from the index what this turn put in, where the version is dead by now: the purge may have come in
// between. Where it does not succeed, Reconcile does.
func (e *embedding) takeBack(ctx context.Context) {
	if !e.put {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackShare)
	defer cancel()
	states, err := e.store.VectorStates(ctx, []kyro.ID{e.version.DocumentID})
	place := kyro.VectorPlace{BotID: e.version.BotID, DocumentID: e.version.DocumentID, Version: e.version.Version}
	if err == nil && !slices.ContainsFunc(states, func(s kyro.VectorState) bool { return s.Holds(place) }) {
		err = e.index.Remove(ctx, e.version)
	}
	if err != nil {
		e.log.InfoContext(ctx, "vectors of a dead version stay in the index until it is reconciled",
			"document", e.version.DocumentID.String(), "version", e.version.Version, "error", err)
	}
}
