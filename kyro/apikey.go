package kyro

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
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

// AllowedFrom reports whether the key may be used from an address.
func (k *APIKey) AllowedFrom(from netip.Addr) bool {
	if len(k.Networks) == 0 {
		return true
	}
	return slices.ContainsFunc(k.Networks, func(allowed netip.Prefix) bool { return allowed.Contains(from) })
}

// NewAPIKey is an API key somebody asks for.
type NewAPIKey struct {
	Name     string
	Scopes   []Scope
	Expires  Opt[time.Time] // left out: after APIKeyLife; null: never
	Networks []string       // as somebody wrote them
}

// Key is the key of a user that is asked for, without its secret. All fields that are wrong are told together, joined by
// errors.Join: each is VALIDATION.
func (n NewAPIKey) Key(user ID, now time.Time) (APIKey, error) {
	name, err1 := checkLine("name", "The name", n.Name, MaxAPIKeyName)
	expires, err2 := n.expires(now)
	networks, err3 := parseNetworks(n.Networks)
	key := APIKey{
		UserID: user, Name: name, Scopes: slices.Clone(n.Scopes), Networks: networks, CreatedAt: now, ExpiresAt: expires,
	}
	return key, errors.Join(err1, checkScopes(n.Scopes), err2, err3)
}

func (n NewAPIKey) expires(now time.Time) (*time.Time, error) {
	if !n.Expires.Set {
		end := now.Add(APIKeyLife)
		return &end, nil
	}
	if n.Expires.Value == nil {
		return nil, nil
	}
	if end := Moment(*n.Expires.Value); end.After(now) {
		return &end, nil
	}
	return nil, Invalid("expiresAt", "The key would not work at all: it must expire in the future.")
}

func checkScopes(scopes []Scope) error {
	if len(scopes) == 0 {
		return Invalid("scopes", "The key needs at least one scope.")
	}
	for i, scope := range scopes {
		switch {
		case !slices.Contains([]Scope{ScopeRead, ScopeChat, ScopeIngest}, scope):
			return Invalid("scopes", "%s is not a scope.", quoteShort(string(scope)))
		case slices.Contains(scopes[:i], scope):
			return Invalid("scopes", "The scope %s is given twice.", scope)
		}
	}
	return nil
}

// parseNetworks reads networks (such as 203.0.113.0/24) and single addresses. Addresses of IPv4 that are written in IPv6
// are those of IPv4, as senders have them.
func parseNetworks(texts []string) ([]netip.Prefix, error) {
	if len(texts) > MaxAPIKeyNetworks {
		return nil, Invalid("allowedNetworks", "At most %d networks; these are %d.", MaxAPIKeyNetworks, len(texts))
	}
	var networks []netip.Prefix
	for _, text := range texts {
		network, ok := parseNetwork(strings.TrimSpace(text))
		if !ok {
			return nil, Invalid("allowedNetworks",
				"%s is neither a network, such as 203.0.113.0/24 or 2001:db8::/32, nor an address.", quoteShort(text))
		}
		if !slices.Contains(networks, network) {
			networks = append(networks, network)
		}
	}
	return networks, nil
}

func parseNetwork(text string) (netip.Prefix, bool) {
	addr, err := netip.ParseAddr(text)
	if err == nil {
		return netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), addr.Zone() == ""
	}
	network, err := netip.ParsePrefix(text)
	if err != nil || network.Addr().Is4In6() {
		return netip.Prefix{}, false
	}
	return network.Masked(), true
}
