package ingest

import (
	"context"

	"kyrochat/kyro"
)

// Heads remembers documents that are ready, which only change when they are deleted. Every one it gives is a copy.
// Searches never ask it: they begin at the rows.
type Heads interface {
	// Read gives the owner's documents with the ids, in any order: those it remembers, and the others by one call of
	// read. What is not there is not remembered.
	Read(
		ctx context.Context, owner kyro.ID, ids []kyro.ID,
		read func(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Document, error),
	) ([]kyro.Document, error)
	// Forget is called after every write of a document, before watchers are told. No Read that begins afterwards
	// gives what was read before.
	Forget(owner, id kyro.ID)
}
