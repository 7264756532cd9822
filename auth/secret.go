package auth

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/trustelem/zxcvbn"
)

// MinSecretBytes is the least length of a server secret (RFC 7518 §3.2: a key as long as the hash).
const MinSecretBytes = 32

// minDistinct is how many different bytes a secret must have; 32 random hexadecimal digits have 8 or more with
// all but certainty.
const minDistinct = 8

// samples are what manuals and templates put where a secret belongs.
var samples = []string{
	"changeme", "change-me", "change_me", "change this", "example", "your-secret", "your_secret", "yoursecret",
	"supersecret", "super-secret", "super_secret", "secretsecret", "mysecret", "my-secret", "my_secret", "kyrochat",
	"kyro-secret", "password", "insecure", "placeholder", "replace-me", "replaceme", "notasecret", "not-a-secret",
	"0123456789abcdef", "abcdefghijklmnop", "1234567890123456", "lorem ipsum", "default-secret", "test-secret",
}

// CheckSecret says what is wrong with a server secret: shorter than 32 bytes, a known sample, or made of few or
// repeated characters. The message never holds the secret.
func CheckSecret(s string) error {
	if err := checkLength(s); err != nil {
		return err
	}
	lower := strings.ToLower(s)
	for _, sample := range samples {
		if strings.Contains(lower, sample) {
			return fmt.Errorf("the secret looks like a sample (it contains %q)", sample)
		}
	}
	distinct := map[byte]bool{}
	for i := range len(s) {
		distinct[s[i]] = true
	}
	if len(distinct) < minDistinct {
		return fmt.Errorf("the secret has only %d different characters", len(distinct))
	}
	// A text is a repetition when it occurs in its double before the end.
	if strings.Index((s + s)[1:], s)+1 < len(s) {
		return errors.New("the secret repeats a short piece")
	}
	return nil
}

func checkLength(s string) error {
	if len(s) < MinSecretBytes {
		return fmt.Errorf("the secret has %d bytes and needs at least %d; \"openssl rand -base64 32\" makes a good one", len(s), MinSecretBytes)
	}
	return nil
}

// SecretBits estimates how hard a server secret is to guess, in bits: what zxcvbn says of its beginning. A secret of 32
// random hexadecimal digits is told to have 90 to 106.
func SecretBits(s string) int {
	return int(math.Log2(zxcvbn.PasswordStrength(estimable(s), nil).Guesses))
}
