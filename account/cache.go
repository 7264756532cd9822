package account

import (
	"context"

	"kyrochat/kyro"
)

// Cache remembers rows of users for a while. Every row it gives is a copy.
type Cache[T any] interface {
	// Read gives the user's rows with the ids, in any order: those it remembers, and the others by one call of read.
	// What is not there is not remembered.
	Read(
		ctx context.Context, user kyro.ID, ids []kyro.ID,
		read func(ctx context.Context, user kyro.ID, ids []kyro.ID) ([]T, error),
	) ([]T, error)
	// Forget is called after every write of a row, whatever the write answered: an error may hide that it was stored.
	// No Read that begins afterwards gives what was read before.
	Forget(user, id kyro.ID)
}

// Caches are what the use cases read through.
type Caches struct {
	Users    Cache[kyro.User]
	Sessions Cache[kyro.Session] // for a second at the most, since other nodes end sessions too
	Keys     Cache[kyro.APIKey]  // the same
}
