package auth

import (
	"encoding/binary"
	"hash/crc32"
	"math/big"
	"strings"
)

// Secrets that people copy are written in base 62, which a double click selects as a whole, behind a prefix that says
// what they are, and with a checksum: it lets secret scanners, and the parsers here, tell one from noise without a key.

// checksumDigits are the base-62 digits of 32 bits.
const checksumDigits = 6

// withChecksum appends the checksum of a text.
func withChecksum(text string) string {
	return text + base62(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text))), checksumDigits)
}

// checksummed gives what stands before the checksum of a text of that many bytes that begins with the prefix. ok is
// false where any of that does not hold.
func checksummed(text, prefix string, length int) (before string, ok bool) {
	if len(text) != length || !strings.HasPrefix(text, prefix) {
		return "", false
	}
	before = text[:length-checksumDigits]
	return before, withChecksum(before) == text
}

// base62 writes the bytes as one number of exactly that many digits.
func base62(data []byte, digits int) string {
	text := new(big.Int).SetBytes(data).Text(62)
	return strings.Repeat("0", digits-len(text)) + text
}

// unbase62 reads what base62 wrote of size bytes.
func unbase62(text string, size int) ([]byte, bool) {
	if !isBase62(text) {
		return nil, false
	}
	number, ok := new(big.Int).SetString(text, 62)
	if !ok || number.BitLen() > size*8 {
		return nil, false
	}
	return number.FillBytes(make([]byte, size)), true
}

func isBase62(text string) bool {
	for i := range len(text) {
		c := text[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return true
}
