package catalog

import (
	"context"

	"kyrochat/kyro"
)

// Bots remembers bots for a while. Every bot it gives is a copy.
type Bots interface {
	// Read gives the owner's bots with the ids, in any order: those it remembers, and the others by one call of read.
	// What is not there is not remembered.
	Read(
		ctx context.Context, owner kyro.ID, ids []kyro.ID,
		read func(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Bot, error),
	) ([]kyro.Bot, error)
	// Forget is called after every write of a bot, whatever the write answered: an error may hide that it was stored.
	// No Read that begins afterwards gives what was read before.
	Forget(owner, id kyro.ID)
}

// Documents remembers documents, which go with their bot.
type Documents interface {
	// ForgetAll is Forget for all documents of the owner.
	ForgetAll(owner kyro.ID)
}

// Caches are what the use cases read through and keep true.
type Caches struct {
	Bots      Bots
	Documents Documents
}
