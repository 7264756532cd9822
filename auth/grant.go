package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

const (
	grantBytes    = 9 * 8 // of what a capability is about, with its end: at most
	maxGrantChars = 200
)

// Grant makes a capability: whoever has it may do one thing, the use, with what it is about, until it expires. It is the
// expiry and what it is about with a MAC of HMAC-SHA256 over both and the use, under a key of its own: the database has
// nothing of it, and nothing to make it from. All secrets in use verify it.
func (t *Tokens) Grant(use string, expires time.Time, about ...int64) string {
	said := binary.AppendVarint(make([]byte, 0, grantBytes+sha256.Size), expires.Unix())
	for _, each := range about {
		said = binary.AppendVarint(said, each)
	}
	return base64.RawURLEncoding.EncodeToString(append(said, grantMAC(t.keys()[0], use, said)...))
}

// Granted gives what a capability for the use is about; nil where it is none of this server's, is for something else, or is
// over.
func (t *Tokens) Granted(use, token string, now time.Time) (about []int64) {
	if len(token) > maxGrantChars {
		return nil
	}
	whole, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(whole) <= sha256.Size {
		return nil
	}
	said, mac := whole[:len(whole)-sha256.Size], whole[len(whole)-sha256.Size:]
	good := false
	for _, key := range t.keys() {
		if hmac.Equal(mac, grantMAC(key, use, said)) {
			good = true
		}
	}
	if !good {
		return nil
	}
	for len(said) > 0 {
		n, size := binary.Varint(said)
		if size <= 0 {
			return nil
		}
		about, said = append(about, n), said[size:]
	}
	if now.Unix() >= about[0] {
		return nil
	}
	return about[1:]
}

func grantMAC(key tokenKey, use string, said []byte) []byte {
	mac := hmac.New(sha256.New, key.grant)
	mac.Write([]byte(use + "\x00"))
	mac.Write(said)
	return mac.Sum(nil)
}
