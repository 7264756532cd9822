package auth

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Rotation is a step in the change of the secret that signs.
type Rotation int

// The steps.
const (
	RotateNow      Rotation = iota // puts a new secret in front
	RotateAnnounce                 // puts a new secret second
	RotatePromote                  // puts the announced secret in front
)

// Rotated is what a rotation did, by the ids of keys.
type Rotated struct {
	Signs     string
	Announced string
	Former    int
	Dropped   int
}

// RotateSecretFile puts a new secret in front of those of a file, one in a line.
func RotateSecretFile(path string, step Rotation, now time.Time) (Rotated, error) {
	secrets, err := ReadSecrets(path)
	if err != nil {
		return Rotated{}, err
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	secrets = append([]string{base64.RawURLEncoding.EncodeToString(key)}, secrets...)
	file, err := os.CreateTemp(filepath.Dir(path), ".secret-*")
	if err != nil {
		return Rotated{}, err
	}
	if _, err := file.WriteString(strings.Join(secrets, "\n") + "\n"); err != nil {
		return Rotated{}, err
	}
	if err := file.Close(); err != nil {
		return Rotated{}, err
	}
	did := Rotated{Signs: "new", Former: len(secrets) - 1}
	if step == RotateAnnounce {
		did.Announced = "next"
	}
	return did, os.Rename(file.Name(), path)
}

// ReadSecrets gives the secrets of a file, the one that signs first.
func ReadSecrets(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the secret: %w", err)
	}
	return strings.Fields(string(text)), nil
}

// LoadOrCreateSecrets is LoadOrCreateSecret for a file of several.
func LoadOrCreateSecrets(path string) ([]string, error) {
	secrets, err := ReadSecrets(path)
	if err == nil {
		return secrets, nil
	}
	if _, err := LoadOrCreateSecret(path); err != nil {
		return nil, err
	}
	return ReadSecrets(path)
}
