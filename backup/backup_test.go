package backup_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"kyrochat/backup"
)

type about struct{ Name string }

// entries are what a test puts into a backup.
func entries() map[string][]byte {
	noise := make([]byte, 3000)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(noise)
	return map[string][]byte{"rows/users/1": []byte("Ada and Bob"), "originals/1/1": noise, "empty": nil, "long": bytes.Repeat([]byte("KyroChat "), 2000)}
}

func write(t *testing.T, keys backup.Keys) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := writeTo(&out, keys); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func writeTo(out io.Writer, keys backup.Keys) error {
	w, err := backup.NewWriter(out, about{"Lindau"}, time.Unix(1_800_000_000, 0), keys)
	if err != nil {
		return err
	}
	all := entries()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		content := all[name]
		if err := w.Add(name, int64(len(content)), bytes.NewReader(content)); err != nil {
			return err
		}
	}
	return w.Close()
}

// read reads a backup to its end, and compares it with the entries.
func read(file io.Reader, keys backup.Keys) error {
	var got about
	r, err := backup.NewReader(file, &got, keys)
	if err != nil {
		return err
	}
	defer r.Close()
	want := entries()
	for {
		name, size, body, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if name == "long" { // which a reader may leave
			delete(want, name)
			continue
		}
		content, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		if !bytes.Equal(content, want[name]) || size != int64(len(content)) {
			return errDiffers
		}
		delete(want, name)
	}
	if len(want) > 0 || got.Name != "Lindau" {
		return errDiffers
	}
	return nil
}

var errDiffers = errors.New("what was read is not what was written")

func pair(t *testing.T) (seal, open backup.Keys) {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if seal, err = backup.Recipients([]string{key.Recipient().String()}); err != nil {
		t.Fatal(err)
	}
	if open, err = backup.Identities(strings.NewReader("# made today\n" + key.String() + "\n")); err != nil {
		t.Fatal(err)
	}
	return seal, open
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	seal, open := pair(t)
	phrase, err := backup.Passphrase("a ferry leaves at nine")
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string][2]backup.Keys{"plain": {}, "for a key": {seal, open}, "with a passphrase": {phrase, phrase}} {
		file := write(t, keys[0])
		if err := read(bytes.NewReader(file), keys[1]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := backup.Encrypted(file); got == keys[0].None() {
			t.Errorf("%s: encrypted: %v", name, got)
		}
		if found := bytes.Contains(file, entries()["originals/1/1"][:500]); found != keys[0].None() {
			t.Errorf("%s: what is in it can be seen: %v", name, found)
		}
	}
}

func TestOthersCannotOpenIt(t *testing.T) {
	t.Parallel()
	seal, _ := pair(t)
	_, other := pair(t)
	phrase, err := backup.Passphrase("a ferry leaves at nine")
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, seal)
	for name, test := range map[string]struct {
		keys backup.Keys
		want error
	}{"nobody": {backup.Keys{}, backup.ErrEncrypted}, "another key": {other, backup.ErrWrongKey}, "a passphrase": {phrase, backup.ErrWrongKey}} {
		if err := read(bytes.NewReader(file), test.keys); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wrong, err := backup.Passphrase("a ferry leaves at ten")
	if err != nil {
		t.Fatal(err)
	}
	if err := read(bytes.NewReader(write(t, phrase)), wrong); !errors.Is(err, backup.ErrWrongKey) {
		t.Errorf("another passphrase: %v", err)
	}
}

// TestDamageIsNoticed: whatever byte is another one, and wherever the file is cut, it is told; or what is read is what was
// written, since a few bits mean nothing.
func TestDamageIsNoticed(t *testing.T) {
	t.Parallel()
	seal, open := pair(t)
	for name, keys := range map[string][2]backup.Keys{"plain": {}, "encrypted": {seal, open}} {
		file := write(t, keys[0])
		noticed := 0
		for at := range file {
			bad := bytes.Clone(file)
			bad[at] ^= 1 << (at % 8)
			switch err := read(bytes.NewReader(bad), keys[1]); {
			case errors.Is(err, errDiffers):
				t.Fatalf("%s: byte %d was changed, and nobody noticed", name, at)
			case err != nil:
				noticed++
			}
		}
		if noticed < len(file)*99/100 {
			t.Errorf("%s: of %d bytes %d were noticed", name, len(file), noticed)
		}
		for end := 0; end < len(file); end += 1 + end%7 {
			if err := read(bytes.NewReader(file[:end]), keys[1]); err == nil {
				t.Fatalf("%s: the file was cut at %d of %d, and nobody noticed", name, end, len(file))
			}
		}
		if err := read(bytes.NewReader(append(bytes.Clone(file), "more"...)), keys[1]); err == nil {
			t.Errorf("%s: something was appended, and nobody noticed", name)
		}
	}
	for _, other := range []string{"", "not a backup at all", "PK\x03\x04", strings.Repeat("x", 1000)} {
		if err := read(strings.NewReader(other), backup.Keys{}); !errors.Is(err, backup.ErrNoBackup) && !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("%.20q: %v", other, err)
		}
	}
}

// full is a disk that has room for so much.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

var errFull = errors.New("no room is left")

func TestAFullDiskIsTold(t *testing.T) {
	t.Parallel()
	seal, _ := pair(t)
	for name, keys := range map[string]backup.Keys{"plain": {}, "encrypted": seal} {
		size := len(write(t, keys))
		for _, room := range []int{0, size / 3, size - 1} {
			if err := writeTo(&full{room}, keys); !errors.Is(err, errFull) {
				t.Errorf("%s, with room for %d of %d: %v", name, room, size, err)
			}
		}
	}
}

func TestEntriesHaveTheSizeTheySay(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{3, 5} {
		w, err := backup.NewWriter(io.Discard, about{}, time.Now(), backup.Keys{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add("four", size, strings.NewReader("four")); err == nil {
			t.Errorf("four bytes were taken for %d", size)
		}
	}
}

func TestEntriesHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	w, err := backup.NewWriter(io.Discard, about{}, time.Now(), backup.Keys{})
	if err == nil {
		err = w.Add("originals/7/1", 4, strings.NewReader("four"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add("originals/7/1", 4, strings.NewReader("four")); err == nil {
		t.Error("a name was taken twice")
	}
}

func TestKeysAreExplained(t *testing.T) {
	t.Parallel()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Recipients([]string{"nonsense"}); err == nil || !strings.Contains(err.Error(), "age1") {
		t.Errorf("nonsense for a key: %v", err)
	}
	for _, given := range []string{key.String(), strings.ToLower(key.String()), "# created: today\n" + key.String() + "\n"} {
		_, err := backup.Recipients([]string{given})
		said := strings.ToUpper(fmt.Sprint(err))
		if err == nil || strings.Contains(said, key.String()) || !strings.Contains(said, "SECRET KEY") {
			t.Errorf("a secret key for a public one: %v", err)
		}
	}
	if _, err := backup.Identities(strings.NewReader(strings.ToLower(key.String()))); err == nil || strings.Contains(strings.ToLower(fmt.Sprint(err)), strings.ToLower(key.String())) {
		t.Errorf("an identity that is none: %v", err)
	}
	if _, err := backup.Passphrase("short"); err == nil {
		t.Error("a short passphrase was taken")
	}
}
