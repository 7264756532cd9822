// Package files keeps the files of one node in a folder, readable by the server only: those on their way, and the
// originals of documents, as <document>/<version>, where the database does not keep them. Names come from row keys,
// never from clients. What was placed survives a crash.
package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"kyrochat/host"
	"kyrochat/ingest"
	"kyrochat/kyro"
	"kyrochat/text"
)

const (
	incoming  = "tmp"     // uploads on their way in
	forgotten = time.Hour // no upload takes this long
)

// Files is a folder of originals. It satisfies ingest.Files.
type Files struct{ dir string }

// Open makes the folder where it is not there, and clears away uploads that a crash cut off. alone says that no
// other process uses the folder; otherwise an upload counts as cut off after an hour.
func Open(dir string, alone bool) (*Files, error) {
	dir, err := filepath.Abs(dir) // paths go to another process, which works in another folder
	if err != nil {
		return nil, fmt.Errorf("find the folder of uploads: %w", err)
	}
	f := &Files{dir}
	for _, folder := range []string{incoming, arriving} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			return nil, fmt.Errorf("make the folder of uploads: %w", err)
		}
	}
	left, err := os.ReadDir(filepath.Join(dir, incoming))
	if err != nil {
		return nil, fmt.Errorf("look for uploads that were cut off: %w", err)
	}
	for _, entry := range left {
		info, err := entry.Info()
		if err == nil && (alone || time.Since(info.ModTime()) > forgotten) {
			err = os.Remove(filepath.Join(dir, incoming, entry.Name()))
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("clear away an upload that was cut off: %w", err)
		}
	}
	return f, nil
}

// Receive implements ingest.Files.
func (f *Files) Receive(ctx context.Context, r io.Reader, limit int64) (_ ingest.Received, err error) {
	file, err := os.CreateTemp(filepath.Join(f.dir, incoming), "*")
	if err != nil {
		return ingest.Received{}, orNoRoom(fmt.Errorf("open a file for an upload: %w", err))
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(file.Name())
			err = orNoRoom(err)
		}
	}()
	in := &intake{file: file, hash: sha256.New(), limit: limit}
	if err := in.copy(ctx, r); err != nil {
		return ingest.Received{}, err
	}
	// A server that acknowledges an upload has it, also when the power fails the moment after.
	if err := file.Sync(); err != nil {
		return ingest.Received{}, fmt.Errorf("write an upload: %w", err)
	}
	if err := file.Close(); err != nil {
		return ingest.Received{}, fmt.Errorf("write an upload: %w", err)
	}
	return ingest.Received{Path: file.Name(), Size: in.size, SHA256: hex.EncodeToString(in.hash.Sum(nil))}, nil
}

// orNoRoom tells a full disk from what is wrong.
func orNoRoom(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return kyro.NoRoom(err)
	}
	return err
}

// intake is an upload being written.
type intake struct {
	file  io.Writer
	hash  hash.Hash
	limit int64
	size  int64
}

func (in *intake) copy(ctx context.Context, r io.Reader) error {
	buffer := make([]byte, 64<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(buffer)
		if in.size += int64(n); in.size > in.limit {
			return tooLarge(in.limit)
		}
		if err := in.write(buffer[:n]); err != nil {
			return fmt.Errorf("write an upload: %w", err)
		}
		switch {
		case err == io.EOF && in.size == 0:
			return kyro.Errorf(kyro.CodeFileEmpty, "The file is empty.").At("file")
		case err == io.EOF:
			return nil
		case err != nil:
			return broken(ctx, err)
		}
	}
}

func (in *intake) write(p []byte) error {
	in.hash.Write(p)
	_, err := in.file.Write(p)
	return err
}

func tooLarge(limit int64) error {
	return kyro.Errorf(kyro.CodeFileTooLarge, "The file is larger than %s, the most for one file.", text.Bytes(limit)).At("file")
}

// broken is what an upload that cannot be read to its end is answered with.
func broken(ctx context.Context, err error) error {
	var over *http.MaxBytesError
	var known *kyro.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &over):
		return tooLarge(over.Limit)
	case errors.As(err, &known):
		return known
	default:
		return kyro.Errorf(kyro.CodeBadUserInput, "The upload is incomplete. Send the file again.").Because(err)
	}
}

// Open implements ingest.Files.
func (f *Files) Open(r ingest.Received) (ingest.File, error) {
	file, err := os.Open(r.Path)
	if err != nil {
		return nil, fmt.Errorf("open an upload: %w", err)
	}
	return file, nil
}

// Place implements ingest.Files.
func (f *Files) Place(r ingest.Received, document kyro.ID, version int) (err error) {
	defer func() { err = orNoRoom(err) }()
	path := f.Path(document, version)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the folder of %s: %w", document, err)
	}
	if err := os.Rename(r.Path, path); err != nil {
		return fmt.Errorf("place the file of %s: %w", document, err)
	}
	if err := errors.Join(host.SyncFolder(filepath.Dir(path)), host.SyncFolder(f.dir)); err != nil {
		return fmt.Errorf("place the file of %s: %w", document, err)
	}
	return nil
}

// Discard implements ingest.Files. A file that cannot be removed goes when the folder is opened the next time.
func (f *Files) Discard(r ingest.Received) {
	_ = os.Remove(r.Path)
}

// Path implements ingest.Files.
func (f *Files) Path(document kyro.ID, version int) string {
	return filepath.Join(f.folder(document), strconv.Itoa(version))
}

func (f *Files) folder(document kyro.ID) string {
	return filepath.Join(f.dir, strconv.FormatInt(document.Key, 10))
}

// Remove implements ingest.Files.
func (f *Files) Remove(document kyro.ID) error {
	if document.Kind != kyro.KindDocument || document.Key < 1 {
		return fmt.Errorf("remove the files of %q: not a document", document)
	}
	if err := os.RemoveAll(f.folder(document)); err != nil {
		return fmt.Errorf("remove the files of %s: %w", document, err)
	}
	return nil
}

// Documents implements ingest.Files.
func (f *Files) Documents(before time.Time) ([]kyro.ID, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, fmt.Errorf("list the files of documents: %w", err)
	}
	var ids []kyro.ID
	for _, entry := range entries {
		key, err := strconv.ParseInt(entry.Name(), 10, 64)
		if err != nil || key < 1 || !entry.IsDir() {
			continue
		}
		// A folder changes when a file is placed in it. One that is gone by now was removed a moment ago.
		if info, err := entry.Info(); err == nil && info.ModTime().Before(before) {
			ids = append(ids, kyro.DocumentID(key))
		}
	}
	return ids, nil
}
