package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"strings"
)

// The secret of an API key is "kyr_sk_live_", then 30 random digits of base 62, which are 178 bits, then a checksum.
const (
	keyPrefix = "kyr_sk_live_"
	keyDigits = 30
	keyShown  = 8 // digits that tell keys apart in a list
	keyLength = len(keyPrefix) + keyDigits + checksumDigits
)

// NewAPIKey makes the secret of an API key, and what may be kept of it: how it begins, and its hash.
func (t *Tokens) NewAPIKey() (secret, prefix, hash string) {
	number, err := rand.Int(t.o.Random, new(big.Int).Exp(big.NewInt(62), big.NewInt(keyDigits), nil))
	if err != nil {
		panic("auth: no random numbers: " + err.Error()) // which the system's source never is without
	}
	secret = withChecksum(keyPrefix + base62(number.Bytes(), keyDigits))
	return secret, secret[:len(keyPrefix)+keyShown], hashKey(secret)
}

// isAPIKey reports whether credentials are meant as an API key, good or not.
func isAPIKey(secret string) bool { return strings.HasPrefix(secret, "kyr_sk_") }

// parseAPIKey gives the hash of what can be the secret of an API key. Whether it is one, its row says.
func parseAPIKey(secret string) (hash string, ok bool) {
	before, ok := checksummed(secret, keyPrefix, keyLength)
	if !ok || !isBase62(before[len(keyPrefix):]) {
		return "", false
	}
	return hashKey(secret), true
}

// hashKey is the SHA-256 of a secret, in hexadecimal: 178 random bits need no slow hash.
func hashKey(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
