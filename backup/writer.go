// Package backup reads and writes backups as files: one stream of named entries, compressed, and encrypted where somebody
// says for whom. It knows nothing of what is in them.
//
// A backup is a tar file, compressed by Zstandard and, where it is encrypted, put into age (https://age-encryption.org), so that
// each layer can be opened by tools that everybody has. The first entry says what it is. The last one lists all others with
// their sizes and SHA-256: where it is missing, the backup was cut off; where it says something else than what was read, the
// backup was damaged.
package backup

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Names of the entries that every backup has.
const (
	manifestName = "manifest.json"
	indexName    = "index.jsonl" // which no other entry may be called
)

// line is an entry as the index has it.
type line struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Writer writes one backup.
type Writer struct {
	layers []io.Closer // from the innermost on
	tar    *tar.Writer
	at     time.Time
	index  bytes.Buffer
	names  map[string]struct{}
	copy   []byte
}

// NewWriter begins a backup of the moment with what it says of itself. Without keys it is not encrypted. What is written to w
// is a backup only once Close has returned without an error.
func NewWriter(w io.Writer, manifest any, at time.Time, keys Keys) (*Writer, error) {
	out := &Writer{at: at, names: map[string]struct{}{}, copy: make([]byte, 128<<10)}
	sealed, err := keys.encrypt(w)
	if err != nil {
		return nil, fmt.Errorf("begin to encrypt the backup: %w", err)
	}
	packed, err := zstd.NewWriter(sealed, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2))
	if err != nil {
		return nil, fmt.Errorf("begin to compress the backup: %w", err)
	}
	out.tar = tar.NewWriter(packed)
	out.layers = []io.Closer{out.tar, packed, sealed}
	text, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write what the backup is: %w", err)
	}
	return out, out.Add(manifestName, int64(len(text)), bytes.NewReader(text))
}

// Add adds an entry, which must have exactly the size, and a name that no other one has.
func (w *Writer) Add(name string, size int64, r io.Reader) error {
	if _, taken := w.names[name]; taken || name == indexName {
		return fmt.Errorf("add %s to the backup: the name is taken", name)
	}
	w.names[name] = struct{}{}
	sum := sha256.New()
	if err := w.put(name, size, io.TeeReader(r, sum)); err != nil {
		return fmt.Errorf("add %s to the backup: %w", name, err)
	}
	return json.NewEncoder(&w.index).Encode(line{name, size, hex.EncodeToString(sum.Sum(nil))})
}

func (w *Writer) put(name string, size int64, r io.Reader) error {
	head := &tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: w.at.UTC().Truncate(time.Second), Format: tar.FormatPAX}
	if err := w.tar.WriteHeader(head); err != nil {
		return err
	}
	n, err := io.CopyBuffer(onlyWriter{w.tar}, onlyReader{r}, w.copy)
	if err == nil && n != size {
		err = fmt.Errorf("there are %d bytes instead of %d", n, size)
	}
	return err
}

// onlyWriter and onlyReader have a copy use the buffer that it is given.
type (
	onlyWriter struct{ io.Writer }
	onlyReader struct{ io.Reader }
)

// Close writes the index and ends the backup. It does not close what the backup was written to.
func (w *Writer) Close() error {
	errs := []error{w.put(indexName, int64(w.index.Len()), bytes.NewReader(w.index.Bytes()))}
	for _, layer := range w.layers {
		errs = append(errs, layer.Close())
	}
	return errors.Join(errs...)
}
