package kyro

import "time"

// Account is what whoever runs the server sees of a person's account: that it is there and how much is in it, never what.
type Account struct {
	User
	HasPassword   bool       // false for an invited person who has not set one yet
	DeactivatedAt *time.Time // nil while the account is in use
	PurgeAfter    *time.Time // when a deactivated account is deleted; nil: not by itself
	LastUsedAt    *time.Time // by a session or an API key; nil: never
	Sessions      int        // that live
	APIKeys       int        // that live
	Bots          int        // deleted ones are not counted
	Documents     int        // of those bots, deleted ones not counted
}

// AccountQuery says which accounts are wanted. They come in the order of their ids.
type AccountQuery struct {
	After       ID     // behind this one; zero: from the beginning
	Limit       int    // at most so many
	Deactivated bool   // those alone that are deactivated
	Search      string // in address and name, without regard to case and accents; empty: all
}

// Remains is what is there of an account that is being deleted, deleted things included.
type Remains struct {
	Account                        bool // false where nothing is left
	Bots, Documents, Conversations int
}
