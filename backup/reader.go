package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// What can be wrong with a file, in words for whoever runs the server.
var (
	ErrNoBackup  = errors.New("this is no backup of KyroChat")
	ErrEncrypted = errors.New("the backup is encrypted: give the identity or the passphrase that opens it")
	ErrWrongKey  = errors.New("the backup is encrypted for somebody else: this identity or passphrase does not open it")
	ErrDamaged   = errors.New("the backup is damaged or was cut off: use another one")
)

// most is how much of the entries that are held in memory is believed.
const most = 1 << 30

// Reader reads one backup.
type Reader struct {
	tar    *tar.Reader
	packed *zstd.Decoder
	below  *bufio.Reader // what is compressed
	read   []line
	entry  *entry // that was given last
}

// Encrypted tells whether the beginning of a file is that of an encrypted backup.
func Encrypted(head []byte) bool { return bytes.HasPrefix(head, []byte("age-encryption.org/")) }

// NewReader opens a backup and reads what it says of itself. Its errors are those above, with what they are about, or those of r.
func NewReader(r io.Reader, manifest any, keys Keys) (_ *Reader, err error) {
	below := bufio.NewReaderSize(r, 128<<10)
	head, err := below.Peek(len("age-encryption.org/"))
	if err != nil && len(head) == 0 {
		return nil, orDamaged(err)
	}
	if Encrypted(head) {
		if len(keys.identities) == 0 {
			return nil, ErrEncrypted
		}
		open, err := age.Decrypt(below, keys.identities...)
		if _, wrong := errors.AsType[*age.NoIdentityMatchError](err); wrong {
			return nil, ErrWrongKey
		}
		if err != nil {
			return nil, fmt.Errorf("%w (%w)", ErrDamaged, err)
		}
		below = bufio.NewReaderSize(open, 128<<10)
	}
	in := &Reader{below: below}
	// A decoder of one goroutine reads no further than it has to, and leaves none behind.
	if in.packed, err = zstd.NewReader(below, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20)); err != nil {
		return nil, orDamaged(err)
	}
	defer func() {
		if err != nil {
			in.Close()
		}
	}()
	in.tar = tar.NewReader(in.packed)
	name, size, body, err := in.Next()
	switch {
	case errors.Is(err, zstd.ErrMagicMismatch), err == nil && name != manifestName:
		return nil, ErrNoBackup
	case err == io.EOF:
		return nil, ErrDamaged
	case err != nil:
		return nil, err
	case size > most:
		return nil, ErrDamaged
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, manifest); err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNoBackup, err)
	}
	return in, nil
}

// orDamaged tells what is wrong with the backup from what is wrong with the way it comes.
func orDamaged(err error) error {
	if err == nil || errors.Is(err, ErrDamaged) {
		return err
	}
	return fmt.Errorf("%w (%w)", ErrDamaged, err)
}

// Next gives the next entry, of which what was left of the one before is read first. io.EOF comes only where the index was there and everything
// before it is what it says: nothing that was read counts before that.
func (r *Reader) Next() (name string, size int64, body io.Reader, err error) {
	if err := r.finish(); err != nil {
		return "", 0, nil, err
	}
	head, err := r.tar.Next()
	if err != nil { // also its end, without an index
		return "", 0, nil, orDamaged(err)
	}
	if head.Name == indexName {
		if err := r.check(head.Size); err != nil {
			return "", 0, nil, err
		}
		return "", 0, nil, io.EOF
	}
	r.entry = &entry{from: r.tar, name: head.Name, sum: sha256.New()}
	return head.Name, head.Size, r.entry, nil
}

// entry is the content of an entry, whose sum is taken while it is read.
type entry struct {
	from io.Reader
	name string
	sum  hash.Hash
	size int64
}

// Read implements io.Reader.
func (e *entry) Read(p []byte) (int, error) {
	n, err := e.from.Read(p)
	e.sum.Write(p[:n])
	e.size += int64(n)
	if err != nil && err != io.EOF {
		err = orDamaged(err)
	}
	return n, err
}

// finish reads what is left of the entry that was given last, and notes what it was.
func (r *Reader) finish() error {
	if r.entry == nil {
		return nil
	}
	if _, err := io.Copy(io.Discard, r.entry); err != nil {
		return err
	}
	r.read = append(r.read, line{r.entry.name, r.entry.size, hex.EncodeToString(r.entry.sum.Sum(nil))})
	r.entry = nil
	return nil
}

// check compares what was read with the index, and sees that the backup ends behind it.
func (r *Reader) check(size int64) error {
	if size > most {
		return ErrDamaged
	}
	listed := json.NewDecoder(bufio.NewReader(r.tar))
	for _, was := range r.read {
		var want line
		if err := listed.Decode(&want); err != nil {
			return orDamaged(err)
		}
		if want != was {
			return fmt.Errorf("%w (%s is not what was written)", ErrDamaged, was.Name)
		}
	}
	if listed.More() {
		return fmt.Errorf("%w (entries are missing)", ErrDamaged)
	}
	if _, err := r.tar.Next(); err != io.EOF {
		return fmt.Errorf("%w (something follows its end)", ErrDamaged)
	}
	// Behind the tar file's end there are zeros alone, then the sum of what was compressed, and then nothing.
	rest := make([]byte, 4<<10)
	for {
		n, err := r.packed.Read(rest)
		if len(bytes.Trim(rest[:n], "\x00")) > 0 {
			return fmt.Errorf("%w (something follows its end)", ErrDamaged)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return orDamaged(err)
		}
	}
}

// Close ends the reading. It does not close what is read from.
func (r *Reader) Close() { r.packed.Close() }
