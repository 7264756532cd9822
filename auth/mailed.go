package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"kyrochat/kyro"
)

// Mailed is what the token of a link may be, one for each secret.
func (t *Tokens) Mailed(purpose kyro.TokenPurpose, seed string) []string {
	tokens := make([]string, len(t.keys))
	for i, key := range t.keys {
		mac := hmac.New(sha256.New, key.refresh)
		mac.Write([]byte("mail " + string(purpose) + " " + seed))
		tokens[i] = base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	return tokens
}
