package auth

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"
)

const rememberedTokens = 10_000

// ring is the keys of the secrets that are in use, and the access tokens that were found good under them: whoever takes
// a secret away takes those away too. It does not change; another one takes its place.
type ring struct {
	keys []tokenKey // the first one signs, all verify
	good *lru.Cache[[sha256.Size]byte, AccessClaims]
}

// tokenKey is what is derived from one secret.
type tokenKey struct {
	id      string
	access  []byte
	refresh []byte
	mail    []byte
	grant   []byte
}

func newRing(secrets []string) (*ring, error) {
	if len(secrets) == 0 {
		return nil, errors.New("tokens need a secret")
	}
	good, _ := lru.New[[sha256.Size]byte, AccessClaims](rememberedTokens) // fails for sizes below 1 only
	r := &ring{good: good}
	for i, secret := range secrets {
		if err := checkLength(secret); err != nil {
			return nil, fmt.Errorf("secret %d: %w", i+1, err)
		}
		key, err := deriveKeys(secret)
		if err != nil {
			return nil, fmt.Errorf("derive keys from secret %d: %w", i+1, err)
		}
		r.keys = append(r.keys, key)
	}
	return r, nil
}

// deriveKeys gives each use its own key (RFC 5869), so that none says anything about another.
func deriveKeys(secret string) (tokenKey, error) {
	derive := func(use string, length int) ([]byte, error) {
		return hkdf.Key(sha256.New, []byte(secret), nil, "kyrochat "+use+" v1", length)
	}
	access, err1 := derive("access token", 32)
	refresh, err2 := derive("refresh token", 32)
	id, err3 := derive("key id", 6)
	mail, err4 := derive("mail token", 32)
	grant, err5 := derive("capability", 32)
	return tokenKey{base64.RawURLEncoding.EncodeToString(id), access, refresh, mail, grant}, errors.Join(err1, err2, err3, err4, err5)
}

// keys are those in use: the first one signs, all verify.
func (t *Tokens) keys() []tokenKey { return t.ring.Load().keys }

// find is where the key with the id is; -1 where there is none.
func (r *ring) find(id string) int {
	return slices.IndexFunc(r.keys, func(key tokenKey) bool { return key.id == id })
}

// equals reports whether both have the same keys in the same order.
func (r *ring) equals(other *ring) bool {
	return slices.EqualFunc(r.keys, other.keys, func(a, b tokenKey) bool { return a.id == b.id })
}

// verifier finds the key of an access token by its id, and checks the header. One that names keys or extensions, or
// anything else that this server's tokens do not have, is refused rather than followed or passed over.
func (r *ring) verifier(token *jwt.Token) (any, error) {
	for name := range token.Header {
		if name != "alg" && name != "typ" && name != "kid" {
			return nil, errors.New("a header that no token of this server has")
		}
	}
	if token.Header["typ"] != accessType {
		return nil, errors.New("not an access token")
	}
	id, _ := token.Header["kid"].(string)
	i := r.find(id)
	if i < 0 {
		return nil, errors.New("unknown key")
	}
	return r.keys[i].access, nil
}
