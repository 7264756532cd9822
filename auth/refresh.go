package auth

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"kyrochat/kyro"
)

// A refresh token is "kyr_rt_", then version, session key, counter and a MAC in base 62, then a checksum. The
// database holds nothing that it could be made from, and the server can make the same one again.
const (
	refreshPrefix  = "kyr_rt_"
	refreshVersion = 1
	refreshBody    = 1 + 8 + 8 // version, session key, counter
	refreshMAC     = 16
	refreshDigits  = 45 // base-62 digits of 33 bytes
)

// Refresh makes the refresh token of a session at a counter: the same one each time, under the first secret.
func (t *Tokens) Refresh(session kyro.ID, counter int64) string {
	body := make([]byte, refreshBody, refreshBody+refreshMAC)
	body[0] = refreshVersion
	binary.BigEndian.PutUint64(body[1:], uint64(session.Key))
	binary.BigEndian.PutUint64(body[9:], uint64(counter))
	body = append(body, refreshSum(t.keys()[0].refresh, body)...)
	return withChecksum(refreshPrefix + base62(body, refreshDigits))
}

// ParseRefresh reads a refresh token made under any of the secrets. Anything else is INVALID_TOKEN.
func (t *Tokens) ParseRefresh(token string) (kyro.ID, int64, error) {
	invalid := kyro.Errorf(kyro.CodeInvalidToken, "This is not a refresh token of this server. Sign in again.").At("refreshToken")
	const length = len(refreshPrefix) + refreshDigits + checksumDigits
	text, ok := checksummed(token, refreshPrefix, length)
	if !ok {
		return kyro.ID{}, 0, invalid
	}
	data, ok := unbase62(text[len(refreshPrefix):], refreshBody+refreshMAC)
	if !ok || data[0] != refreshVersion {
		return kyro.ID{}, 0, invalid
	}
	body, mac := data[:refreshBody], data[refreshBody:]
	key, counter := int64(binary.BigEndian.Uint64(body[1:])), int64(binary.BigEndian.Uint64(body[9:]))
	if !t.signedByUs(body, mac) || key < 1 || counter < 1 {
		return kyro.ID{}, 0, invalid
	}
	return kyro.SessionID(key), counter, nil
}

func (t *Tokens) signedByUs(body, mac []byte) bool {
	found := false
	for _, key := range t.keys() {
		if hmac.Equal(mac, refreshSum(key.refresh, body)) {
			found = true
		}
	}
	return found
}

// refreshSum signs under a key of the session's own, as the body names it.
func refreshSum(key, body []byte) []byte {
	own, err := hkdf.Key(sha256.New, key, nil, "session "+string(body[1:9]), sha256.Size)
	if err != nil {
		panic("auth: " + err.Error()) // only for lengths beyond 8 KiB
	}
	mac := hmac.New(sha256.New, own)
	mac.Write(body)
	return mac.Sum(nil)[:refreshMAC]
}
