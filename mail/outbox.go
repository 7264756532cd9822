package mail

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"

	"kyrochat/kyro"
)

// MaxKept is how many mails the outbox keeps, the newest.
const MaxKept = 1_000

// Outbox is a folder of mails that nobody sends: "<UTC time>-<kind>-<id>.eml", which only the owner of the process can
// read, since links are in it. The time is that of what the mail tells of. Several processes may share the folder.
type Outbox struct {
	folder string
	log    *slog.Logger
	mu     sync.Mutex
}

const (
	nameTime  = "20060102T150405Z"
	extension = ".eml"
	temporary = ".tmp"
)

// names are those of mails; the id may have dashes.
var names = regexp.MustCompile(`^\d{8}T\d{6}Z-[a-z-]+-[A-Za-z0-9._-]+\.eml$`)

// keep writes the file of the mail, in place of one that it has already.
func (o *Outbox) keep(m kyro.Mail, msg *gomail.Msg) error {
	var content bytes.Buffer
	if _, err := msg.WriteTo(&content); err != nil {
		return fmt.Errorf("write a mail for the outbox: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := os.MkdirAll(o.folder, 0o700); err != nil {
		return fmt.Errorf("make the outbox: %w", err)
	}
	if err := os.Chmod(o.folder, 0o700); err != nil { //nolint:gosec // one that was there; folders are entered
		return fmt.Errorf("close the outbox to others: %w", err)
	}
	name := m.At.UTC().Format(nameTime) + "-" + string(m.Kind) + "-" + m.ID + extension
	if err := writeWhole(filepath.Join(o.folder, name), content.Bytes()); err != nil {
		return fmt.Errorf("keep a mail in the outbox: %w", err)
	}
	o.log.Info("mail kept in the outbox", "file", filepath.Join(o.folder, name), "kind", m.Kind)
	return o.tidy(name, m.ID)
}

// writeWhole writes a file that nobody sees half of.
func writeWhole(path string, content []byte) error {
	f, err := os.OpenFile(path+temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(path+temporary, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(path+temporary))
	}
	return nil
}

// tidy removes what the mail was before, where it became another kind meanwhile, and the oldest beyond MaxKept.
func (o *Outbox) tidy(name, id string) error {
	list, err := o.names()
	if err != nil {
		return err
	}
	kept := 0
	for _, other := range list {
		_, _, otherID := parseName(other)
		if kept < MaxKept && (other == name || otherID != id) {
			kept++
			continue
		}
		if err := os.Remove(filepath.Join(o.folder, other)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove an old mail from the outbox: %w", err)
		}
	}
	return nil
}

// names gives the files of mails, newest first.
func (o *Outbox) names() ([]string, error) {
	entries, err := os.ReadDir(o.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look into the outbox: %w", err)
	}
	var list []string
	for _, entry := range entries {
		if names.MatchString(entry.Name()) && entry.Type().IsRegular() {
			list = append(list, entry.Name())
		}
	}
	slices.Reverse(list) // they are sorted by name, which begins with the time
	return list, nil
}

// parseName says what the name of a file tells: where the kind ends and the id begins, only the kinds say.
func parseName(name string) (at time.Time, kind kyro.LetterKind, id string) {
	if len(name) < len(nameTime)+1 {
		return time.Time{}, "", ""
	}
	at, _ = time.Parse(nameTime, name[:len(nameTime)])
	rest := strings.TrimSuffix(name[len(nameTime)+1:], extension)
	for each := range kinds {
		if after, ok := strings.CutPrefix(rest, string(each)+"-"); ok {
			return at, each, after
		}
	}
	return at, "", rest
}
