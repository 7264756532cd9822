package auth

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Lengths of a new hash, in bytes, and the bounds within which a stored one is believed: whoever can write a
// hash must not be able to make the server spend any amount of memory on it.
const (
	saltBytes = 16
	tagBytes  = 32

	maxMemory = 256 << 10 // KiB
	maxPasses = 10
	maxLanes  = 4
	maxPHC    = 256
	minField  = 8
	maxField  = 64
)

// hash is a password hash with everything needed to compare a password with it.
type hash struct {
	cost      cost
	salt, tag []byte
}

func newHash(password string, c cost) hash {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	return hash{c, salt, c.tag(password, salt, tagBytes)}
}

// outdated reports whether a hash of today would look different.
func (h hash) outdated(today cost) bool {
	return h.cost != today || len(h.salt) != saltBytes || len(h.tag) != tagBytes
}

// String is the PHC string: $argon2id$v=19$m=19456,t=2,p=1$salt$tag.
func (h hash) String() string {
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.cost.memory, h.cost.passes, h.cost.lanes, encode(h.salt), encode(h.tag))
}

var errPHC = errors.New("not an argon2id PHC string within the bounds")

// parseHash reads what String wrote, and nothing else. The error never holds the string.
func parseHash(phc string) (hash, error) {
	parts := strings.Split(phc, "$")
	if len(phc) > maxPHC || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return hash{}, errPHC
	}
	var h hash
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.cost.memory, &h.cost.passes, &h.cost.lanes); err != nil {
		return hash{}, errPHC
	}
	c := h.cost
	if c.lanes < 1 || c.lanes > maxLanes || c.passes < 1 || c.passes > maxPasses || c.memory > maxMemory || c.memory < 8*uint32(c.lanes) {
		return hash{}, errPHC
	}
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	h.tag, err2 = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	for _, field := range [][]byte{h.salt, h.tag} {
		if len(field) < minField || len(field) > maxField {
			return hash{}, errPHC
		}
	}
	// Written again it must be the same: that also checks the version and refuses any other spelling.
	if err1 != nil || err2 != nil || h.String() != phc {
		return hash{}, errPHC
	}
	return h, nil
}
