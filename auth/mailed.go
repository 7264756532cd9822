package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"kyrochat/kyro"
)

// Mailed is the token of a mail: 256 bits of HMAC-SHA256 over its purpose and a random seed, as 43 characters of base64url.
// It is the same each time, so that a mail which is sent twice has one token, and yet the database, which has the seed, has
// nothing to make it from. There is one for each secret, today's first; no secret has to be kept for links to stay good,
// since they are found by the hash of the token.
func (t *Tokens) Mailed(purpose kyro.TokenPurpose, seed string) []string {
	keys := t.keys()
	tokens := make([]string, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key.mail)
		mac.Write([]byte(string(purpose) + "\x00" + seed))
		tokens[i] = base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	return tokens
}
