package kyro

import (
	"net/netip"
	"slices"
	"time"
)

// Limits of API keys.
const (
	MaxAPIKeysPerUser = 20
	MaxAPIKeyName     = 100                  // characters
	MaxAPIKeyNetworks = 10                   // networks one key may be bound to
	APIKeyLife        = 365 * 24 * time.Hour // where nothing else is asked for
)

// Scope is something an API key may do. Without any it may see who its user is, and the bots' names and settings.
type Scope string

// The scopes.
const (
	ScopeRead   Scope = "READ"   // read and follow everything but the account
	ScopeChat   Scope = "CHAT"   // hold conversations
	ScopeIngest Scope = "INGEST" // feed bots with documents
)

// APIKey is a secret for programs that act for a user. The secret itself is kept by nobody: the row has its hash.
type APIKey struct {
	ID         ID
	UserID     ID
	Name       string
	Prefix     string // how the secret begins
	Scopes     []Scope
	Networks   []netip.Prefix // where it may be used from; empty: anywhere
	CreatedAt  time.Time
	ExpiresAt  *time.Time // nil: never
	LastUsedAt *time.Time // to a minute
	RevokedAt  *time.Time
}

// NodeID makes APIKey a Node.
func (k *APIKey) NodeID() ID { return k.ID }

// Clone copies what a key points to.
func (k *APIKey) Clone() APIKey {
	c := *k
	c.Scopes, c.Networks = slices.Clone(k.Scopes), slices.Clone(k.Networks)
	return c
}

// Live reports whether the key works at the time.
func (k *APIKey) Live(now time.Time) bool {
	return k.RevokedAt == nil && (k.ExpiresAt == nil || now.Before(*k.ExpiresAt))
}

// AllowedFrom reports whether the key may be used from a network, as Viewer.Network names it.
func (k *APIKey) AllowedFrom(network netip.Prefix) bool {
	if len(k.Networks) == 0 {
		return true
	}
	return slices.ContainsFunc(k.Networks, func(allowed netip.Prefix) bool {
		return network.IsValid() && allowed.Contains(network.Addr())
	})
}

// NewAPIKey is an API key somebody asks for.
type NewAPIKey struct {
	Name     string
	Scopes   []Scope
	Expires  Opt[time.Time] // left out: after APIKeyLife; null: never
	Networks []string       // as somebody wrote them
}
