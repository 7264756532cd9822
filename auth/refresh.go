package auth

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"math/big"
	"strings"

	"kyrochat/kyro"
)

// A refresh token is "kyr_rt_", then version, session key, counter and a MAC in base 62, then a checksum. The
// database holds nothing that it could be made from, and the server can make the same one again. The checksum
// lets secret scanners, and the parser, tell a token from noise without a key.
const (
	refreshPrefix  = "kyr_rt_"
	refreshVersion = 1
	refreshBody    = 1 + 8 + 8 // version, session key, counter
	refreshMAC     = 16
	refreshDigits  = 45 // base-62 digits of 33 bytes
	checksumDigits = 6  // base-62 digits of 32 bits
)

// Refresh makes the refresh token of a session at a counter: the same one each time, under the first secret.
func (t *Tokens) Refresh(session kyro.ID, counter int64) string {
	body := make([]byte, refreshBody, refreshBody+refreshMAC)
	body[0] = refreshVersion
	binary.BigEndian.PutUint64(body[1:], uint64(session.Key))
	binary.BigEndian.PutUint64(body[9:], uint64(counter))
	body = append(body, refreshSum(t.keys()[0].refresh, body)...)
	token := refreshPrefix + base62(body, refreshDigits)
	return token + checksum(token)
}

// ParseRefresh reads a refresh token made under any of the secrets. Anything else is INVALID_TOKEN.
func (t *Tokens) ParseRefresh(token string) (kyro.ID, int64, error) {
	invalid := kyro.Errorf(kyro.CodeInvalidToken, "This is not a refresh token of this server. Sign in again.").At("refreshToken")
	const length = len(refreshPrefix) + refreshDigits + checksumDigits
	if len(token) != length || !strings.HasPrefix(token, refreshPrefix) {
		return kyro.ID{}, 0, invalid
	}
	text, sum := token[:length-checksumDigits], token[length-checksumDigits:]
	if checksum(text) != sum {
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

func checksum(text string) string {
	return base62(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text))), checksumDigits)
}

// base62 writes the bytes as one number of exactly that many digits.
func base62(data []byte, digits int) string {
	text := new(big.Int).SetBytes(data).Text(62)
	return strings.Repeat("0", digits-len(text)) + text
}

// unbase62 reads what base62 wrote of size bytes.
func unbase62(text string, size int) ([]byte, bool) {
	for i := range len(text) {
		c := text[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return nil, false
		}
	}
	number, ok := new(big.Int).SetString(text, 62)
	if !ok || number.BitLen() > size*8 {
		return nil, false
	}
	return number.FillBytes(make([]byte, size)), true
}
