package auth

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"time"

	"kyrochat/kyro"
)

// A device token is "kyr_dt_", then version, user key, a random id, the time of issue and a MAC in base 62, then a
// checksum. Nothing of it is stored. It lets nobody in: it only tells that somebody has signed in with this device
// before, so that others who guess at the password are not in its way.
const (
	devicePrefix  = "kyr_dt_"
	deviceVersion = 1
	deviceID      = 16
	deviceBody    = 1 + 8 + deviceID + 8 // version, user key, id, microseconds
	deviceMAC     = 16
	deviceDigits  = 66 // base-62 digits of 49 bytes
)

// Device makes the token by which a device of the user is known again.
func (t *Tokens) Device(user kyro.ID, now time.Time) string {
	body := make([]byte, deviceBody, deviceBody+deviceMAC)
	body[0] = deviceVersion
	binary.BigEndian.PutUint64(body[1:], uint64(user.Key))
	if _, err := io.ReadFull(t.o.Random, body[9:9+deviceID]); err != nil {
		panic("auth: no random numbers: " + err.Error()) // which the system's source never is without
	}
	binary.BigEndian.PutUint64(body[9+deviceID:], uint64(now.UnixMicro()))
	body = append(body, keyedSum(t.keys()[0], "device token", body)[:deviceMAC]...)
	return withChecksum(devicePrefix + base62(body, deviceDigits))
}

// ParseDevice reads a device token made under any of the secrets. known is false for anything else.
func (t *Tokens) ParseDevice(token string) (device kyro.DeviceToken, known bool) {
	text, ok := checksummed(token, devicePrefix, len(devicePrefix)+deviceDigits+checksumDigits)
	if !ok {
		return kyro.DeviceToken{}, false
	}
	data, ok := unbase62(text[len(devicePrefix):], deviceBody+deviceMAC)
	if !ok || data[0] != deviceVersion {
		return kyro.DeviceToken{}, false
	}
	body, mac := data[:deviceBody], data[deviceBody:]
	for _, key := range t.keys() {
		known = hmac.Equal(mac, keyedSum(key, "device token", body)[:deviceMAC]) || known
	}
	if !known {
		return kyro.DeviceToken{}, false
	}
	return kyro.DeviceToken{
		UserID: kyro.UserID(int64(binary.BigEndian.Uint64(body[1:]))),
		ID:     base64.RawURLEncoding.EncodeToString(body[9 : 9+deviceID]),
		Issued: time.UnixMicro(int64(binary.BigEndian.Uint64(body[9+deviceID:]))).UTC(),
	}, true
}

// Pseudonym stands for a text where nobody is to read it: the same each time under today's secret, and of no use to
// whoever has not got that.
func (t *Tokens) Pseudonym(text string) string {
	return base64.RawURLEncoding.EncodeToString(keyedSum(t.keys()[0], "pseudonym", []byte(text))[:16])
}

// keyedSum is the MAC of data under a key that is derived for the use alone.
func keyedSum(key tokenKey, use string, data []byte) []byte {
	own, err := hkdf.Key(sha256.New, key.refresh, nil, use, sha256.Size)
	if err != nil {
		panic("auth: " + err.Error()) // only for lengths beyond 8 KiB
	}
	mac := hmac.New(sha256.New, own)
	mac.Write(data)
	return mac.Sum(nil)
}
