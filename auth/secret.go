package auth

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
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

// LoadOrCreateSecret reads the secret of a file, or makes a random one and keeps it there with mode 0600. Of
// several processes that start at once, one makes it and all read the same. A file that others may read, or
// that CheckSecret refuses, is an error.
func LoadOrCreateSecret(path string) (string, error) {
	secret, err := loadSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if err := createSecret(path); err != nil {
		return "", fmt.Errorf("keep a new secret: %w", err)
	}
	return loadSecret(path)
}

func loadSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	// Windows has no such modes: there the folder's own rights decide.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return "", fmt.Errorf("the secret in %s can be read by others (mode %04o): run chmod 600 on it", path, mode)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	if err := CheckSecret(secret); err != nil {
		return "", fmt.Errorf("the secret in %s is of no use: %w", path, err)
	}
	return secret, nil
}

// createSecret writes a whole file beside the path and then gives it the name, so that nobody ever reads half.
func createSecret(path string) error {
	var key [32]byte
	if _, err := rand.Read(key[:]); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // CreateTemp makes it 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(base64.RawURLEncoding.EncodeToString(key[:]) + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	err = os.Link(file.Name(), path)
	switch {
	case err == nil, errors.Is(err, fs.ErrExist):
		return nil
	default:
		// Some file systems have no hard links; there the last one to rename wins, and all read that one.
		return os.Rename(file.Name(), path)
	}
}
