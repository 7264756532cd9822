package kyro_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/kyro"
)

func TestNewAPIKeys(t *testing.T) {
	t.Parallel()
	some := func(change func(*kyro.NewAPIKey)) kyro.NewAPIKey {
		k := kyro.NewAPIKey{Name: "Robot", Scopes: []kyro.Scope{kyro.ScopeRead, kyro.ScopeChat}}
		change(&k)
		return k
	}
	for name, c := range map[string]struct {
		wanted kyro.NewAPIKey
		fields []string // that are wrong
	}{
		"good":              {some(func(*kyro.NewAPIKey) {}), nil},
		"for ever":          {some(func(k *kyro.NewAPIKey) { k.Expires = kyro.Opt[time.Time]{Set: true} }), nil},
		"for a moment":      {some(func(k *kyro.NewAPIKey) { k.Expires = kyro.Some(now.Add(time.Microsecond)) }), nil},
		"until now":         {some(func(k *kyro.NewAPIKey) { k.Expires = kyro.Some(now) }), []string{"expiresAt"}},
		"until before":      {some(func(k *kyro.NewAPIKey) { k.Expires = kyro.Some(now.Add(-time.Hour)) }), []string{"expiresAt"}},
		"without a name":    {some(func(k *kyro.NewAPIKey) { k.Name = "  " }), []string{"name"}},
		"with a long name":  {some(func(k *kyro.NewAPIKey) { k.Name = strings.Repeat("é", 101) }), []string{"name"}},
		"without scopes":    {some(func(k *kyro.NewAPIKey) { k.Scopes = nil }), []string{"scopes"}},
		"scopes twice":      {some(func(k *kyro.NewAPIKey) { k.Scopes = []kyro.Scope{"READ", "CHAT", "READ"} }), []string{"scopes"}},
		"another scope":     {some(func(k *kyro.NewAPIKey) { k.Scopes = []kyro.Scope{"ROOT"} }), []string{"scopes"}},
		"ten networks":      {some(func(k *kyro.NewAPIKey) { k.Networks = slices.Repeat([]string{"192.0.2.7"}, 10) }), nil},
		"eleven networks":   {some(func(k *kyro.NewAPIKey) { k.Networks = make([]string, 11) }), []string{"allowedNetworks"}},
		"no network":        {some(func(k *kyro.NewAPIKey) { k.Networks = []string{"example.com"} }), []string{"allowedNetworks"}},
		"too long a prefix": {some(func(k *kyro.NewAPIKey) { k.Networks = []string{"203.0.113.0/33"} }), []string{"allowedNetworks"}},
		"a zone":            {some(func(k *kyro.NewAPIKey) { k.Networks = []string{"fe80::1%eth0"} }), []string{"allowedNetworks"}},
		"IPv4 in IPv6":      {some(func(k *kyro.NewAPIKey) { k.Networks = []string{"::ffff:203.0.113.0/120"} }), []string{"allowedNetworks"}},
		"all at once":       {kyro.NewAPIKey{Expires: kyro.Some(now), Networks: []string{""}}, []string{"name", "scopes", "expiresAt", "allowedNetworks"}},
	} {
		_, err := c.wanted.Key(kyro.UserID(1), now)
		var fields []string
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			for _, each := range several.Unwrap() {
				var wrong *kyro.Error
				if !errors.As(each, &wrong) || wrong.Code != kyro.CodeValidation {
					t.Errorf("%s: %v", name, each)
					continue
				}
				fields = append(fields, wrong.Field...)
			}
		}
		if !slices.Equal(fields, c.fields) {
			t.Errorf("%s: wrong are %v, want %v", name, fields, c.fields)
		}
	}
}

func TestAPIKeysAreBoundToNetworks(t *testing.T) {
	t.Parallel()
	key, err := kyro.NewAPIKey{Name: "x", Scopes: []kyro.Scope{kyro.ScopeRead}, Networks: []string{
		" 203.0.113.77/24 ", "192.0.2.7", "2001:db8:1::/48", "2001:db8:2::7", "::ffff:198.51.100.7", "203.0.113.0/24",
	}}.Key(kyro.UserID(1), now)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(key.Networks); got != 5 {
		t.Errorf("the networks %v", key.Networks)
	}
	for address, allowed := range map[string]bool{
		"203.0.113.1": true, "203.0.114.1": false, "192.0.2.7": true, "192.0.2.8": false, "2001:db8:1:ffff::1": true,
		"2001:db8:2::7": true, "2001:db8:2::8": false, "198.51.100.7": true, "::1": false,
	} {
		if got := key.AllowedFrom(netip.MustParseAddr(address)); got != allowed {
			t.Errorf("from %s: %v", address, got)
		}
	}
	if key.AllowedFrom(netip.Addr{}) {
		t.Error("a sender without an address is let in")
	}
	anywhere := kyro.APIKey{}
	if !anywhere.AllowedFrom(netip.Addr{}) {
		t.Error("a key without networks is bound to some")
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	key := kyro.Viewer{UserID: kyro.UserID(1), KeyID: kyro.APIKeyID(1), Scopes: []kyro.Scope{kyro.ScopeChat}}
	person := kyro.Viewer{UserID: kyro.UserID(1), SessionID: kyro.SessionID(1)}
	for name, c := range map[string]struct {
		err  error
		code kyro.Code
	}{
		"a person":                  {person.Must(kyro.ScopeIngest), ""},
		"a person, in person":       {person.MustBePerson(), ""},
		"nobody":                    {kyro.Viewer{}.Must(kyro.ScopeRead), kyro.CodeUnauthenticated},
		"the scope":                 {key.Must(kyro.ScopeChat), ""},
		"one of the scopes":         {key.Must(kyro.ScopeRead, kyro.ScopeChat), ""},
		"another scope":             {key.Must(kyro.ScopeRead, kyro.ScopeIngest), kyro.CodeForbidden},
		"what every key may":        {key.MustSignIn(), ""},
		"what every key may, by id": {key.MustSignInFor(kyro.BotID(1), kyro.KindBot), ""},
		"by another id":             {key.MustSignInFor(kyro.BotID(1), kyro.KindUser), kyro.CodeBadUserInput},
		"nobody by id":              {kyro.Viewer{}.MustSignInFor(kyro.ReadID("x"), kyro.KindBot), kyro.CodeUnauthenticated},
		"in person by id":           {person.MustBePersonFor(kyro.BotID(1), kyro.KindBot), ""},
		"in person by another id":   {person.MustBePersonFor(kyro.BotID(1), kyro.KindUser), kyro.CodeBadUserInput},
		"no key by a bad id":        {key.MustBePersonFor(kyro.ReadID("x"), kyro.KindBot), kyro.CodeForbidden},
		"what no key may":           {key.MustBePerson(), kyro.CodeForbidden},
		"forbidden before a bad id": {key.MustFor(kyro.ReadID("x"), kyro.KindBot, kyro.ScopeRead), kyro.CodeForbidden},
		"a bad id":                  {key.MustFor(kyro.ReadID("x"), kyro.KindBot, kyro.ScopeChat), kyro.CodeBadUserInput},
	} {
		if got := kyro.ErrorCode(c.err); got != c.code {
			t.Errorf("%s: %v, want %s", name, c.err, c.code)
		}
	}
}

func TestAPIKeysLive(t *testing.T) {
	t.Parallel()
	before, after := now.Add(-time.Second), now.Add(time.Second)
	for name, c := range map[string]struct {
		key  kyro.APIKey
		live bool
	}{
		"for ever":            {kyro.APIKey{}, true},
		"until later":         {kyro.APIKey{ExpiresAt: &after}, true},
		"until now":           {kyro.APIKey{ExpiresAt: &now}, false},
		"until before":        {kyro.APIKey{ExpiresAt: &before}, false},
		"revoked":             {kyro.APIKey{RevokedAt: &before}, false},
		"revoked before time": {kyro.APIKey{RevokedAt: &before, ExpiresAt: &after}, false},
	} {
		if got := c.key.Live(now); got != c.live {
			t.Errorf("%s: %t", name, got)
		}
	}
}
