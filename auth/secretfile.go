package auth

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// A file of secrets has one in a line, or several separated by commas: the first signs, all verify. Lines that begin
// with # are notes; those that a rotation writes say how long the secret below is needed.
const (
	noteHead      = "# Secrets of this server: the first one signs, all verify. `kyrochat admin rotate-secret` changes it."
	noteFormer    = "# signed until "
	noteAnnounced = "# announced "
	maxSecretFile = 64 << 10
)

// secretLine is a secret of a file, and what its note says.
type secretLine struct {
	secret    string
	until     time.Time // when it stopped to sign; zero where nothing says so
	announced time.Time // when it was put there to verify before it signs; zero where it was not
}

// ReadPrivateFile gives the text of a file that holds a secret, without the space around it. A file that everybody may
// read, or others than its owner may write (modes beyond 0640), is refused, and so is what is no file: to open a pipe
// would wait, for as long as nobody writes to it.
func ReadPrivateFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil { // of what was opened, which may be another by now
		return "", err
	}
	// Windows has no such modes: there the folder's own rights decide.
	if mode := info.Mode().Perm(); mode&^0o640 != 0 && runtime.GOOS != "windows" {
		return "", fmt.Errorf("%s has the mode %04o, by which others may read or change the secret: run chmod 600 on it, or 640 where a group has to read it", path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxSecretFile {
		return "", fmt.Errorf("%s is too large to be a secret", path)
	}
	return string(bytes.TrimSpace(text)), nil
}

// ReadSecrets gives the secrets of a file, the one that signs first. A file that others may read, that has none, or one
// that CheckSecret refuses, is an error, which never holds a secret.
func ReadSecrets(path string) ([]string, error) {
	lines, err := readSecretLines(path)
	if err != nil {
		return nil, err
	}
	secrets := make([]string, len(lines))
	for i, line := range lines {
		secrets[i] = line.secret
	}
	return secrets, nil
}

func readSecretLines(path string) ([]secretLine, error) {
	text, err := ReadPrivateFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the secret: %w", err)
	}
	lines := parseSecrets(text)
	if len(lines) == 0 {
		return nil, fmt.Errorf("there is no secret in %s", path)
	}
	for i, line := range lines {
		if err := CheckSecret(line.secret); err != nil {
			return nil, fmt.Errorf("secret %d of %s is of no use: %w", i+1, path, err)
		}
	}
	return lines, nil
}

func parseSecrets(text string) []secretLine {
	var lines []secretLine
	var note secretLine
	for row := range strings.Lines(text) {
		row = strings.TrimSpace(row)
		if strings.HasPrefix(row, "#") {
			if moment, found := strings.CutPrefix(row, noteFormer); found {
				note.until, _ = time.Parse(time.RFC3339, moment)
			}
			if moment, found := strings.CutPrefix(row, noteAnnounced); found {
				note.announced, _ = time.Parse(time.RFC3339, moment)
			}
			continue
		}
		for secret := range strings.SplitSeq(row, ",") {
			if note.secret = strings.TrimSpace(secret); note.secret != "" {
				lines = append(lines, note)
				note = secretLine{}
			}
		}
	}
	return lines
}

func writeSecrets(lines []secretLine) string {
	var b strings.Builder
	b.WriteString(noteHead + "\n")
	for _, line := range lines {
		if !line.announced.IsZero() {
			b.WriteString(noteAnnounced + line.announced.UTC().Format(time.RFC3339) + "\n")
		}
		if !line.until.IsZero() {
			b.WriteString(noteFormer + line.until.UTC().Format(time.RFC3339) + "\n")
		}
		b.WriteString(line.secret + "\n")
	}
	return b.String()
}

// LoadOrCreateSecrets reads the secrets of a file, or makes a random one and keeps it there with mode 0600. Of several
// processes that start at once, one makes it and all read the same. It refuses what ReadSecrets refuses.
func LoadOrCreateSecrets(path string) ([]string, error) {
	secrets, err := ReadSecrets(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secrets, err
	}
	if err := createSecret(path); err != nil {
		return nil, fmt.Errorf("keep a new secret: %w", err)
	}
	return ReadSecrets(path)
}

// newSecret is 32 random bytes.
func newSecret() string {
	var key [32]byte
	_, _ = rand.Read(key[:]) // which ends the process rather than to fail
	return base64.RawURLEncoding.EncodeToString(key[:])
}

// createSecret writes a whole file beside the path and then gives it the name, so that nobody ever reads half.
func createSecret(path string) error {
	made, err := writeBeside(path, writeSecrets([]secretLine{{secret: newSecret()}}))
	if err != nil {
		return err
	}
	defer os.Remove(made)
	err = os.Link(made, path)
	switch {
	case err == nil, errors.Is(err, fs.ErrExist):
		return nil
	default:
		// Some file systems have no hard links; there the last one to rename wins, and all read that one.
		return os.Rename(made, path)
	}
}

// writeBeside writes a file of mode 0600 in the folder of path, through to the disk, and gives its name.
func writeBeside(path, text string) (string, error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // CreateTemp makes it 0600
	if err != nil {
		return "", err
	}
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}
