package backup

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// Keys say for whom a backup is encrypted, or who opens it. The zero Keys encrypt nothing and open nothing that is.
type Keys struct {
	recipients []age.Recipient
	identities []age.Identity
}

// None reports whether nothing is encrypted.
func (k Keys) None() bool { return len(k.recipients) == 0 }

// Recipients reads public keys, as age-keygen prints them. Whoever has one of the identities that belong to them can open the
// backup; the machine that makes it cannot. Errors do not repeat what was given, which may be an identity by mistake.
func Recipients(keys []string) (Keys, error) {
	var k Keys
	for _, key := range keys {
		read, err := age.ParseRecipients(strings.NewReader(key))
		if err != nil {
			if strings.Contains(strings.ToUpper(key), secretKey) {
				return Keys{}, errors.New("this is a secret key of age, which opens backups: give the public one, which looks like age1… and which age-keygen -y prints")
			}
			return Keys{}, errors.New("there is no public key of age in it, which looks like age1…")
		}
		k.recipients = append(k.recipients, read...)
	}
	return k, nil
}

// secretKey is how each line of a secret key begins.
const secretKey = "AGE-SECRET-KEY-"

// Identities reads the secret keys that open a backup, as age-keygen writes them to a file. Errors do not repeat them.
func Identities(file io.Reader) (Keys, error) {
	read, err := age.ParseIdentities(file)
	if err != nil {
		return Keys{}, errors.New("there is no identity of age in it: it has a line that begins with " + secretKey)
	}
	return Keys{identities: read}, nil
}

// shortest is how long a passphrase is at least: whoever has the file can try as many as they like.
const shortest = 12

// Passphrase is the keys of a passphrase, which both encrypts and opens.
func Passphrase(phrase string) (Keys, error) {
	if len(phrase) < shortest {
		return Keys{}, fmt.Errorf("the passphrase must have at least %d characters", shortest)
	}
	recipient, err := age.NewScryptRecipient(phrase)
	if err != nil {
		return Keys{}, err
	}
	identity, err := age.NewScryptIdentity(phrase)
	if err != nil {
		return Keys{}, err
	}
	return Keys{recipients: []age.Recipient{recipient}, identities: []age.Identity{identity}}, nil
}

// encrypt gives what is written to instead of w.
func (k Keys) encrypt(w io.Writer) (io.WriteCloser, error) {
	if k.None() {
		return plain{w}, nil
	}
	return age.Encrypt(w, k.recipients...)
}

// plain has nothing to close.
type plain struct{ io.Writer }

func (plain) Close() error { return nil }
