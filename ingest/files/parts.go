package files

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"kyrochat/host"
	"kyrochat/kyro"
)

// arriving is where files lie that are sent in parts, each by the key of its slot.
const arriving = "parts"

func (f *Files) partsPath(slot kyro.ID) string {
	return filepath.Join(f.dir, arriving, strconv.FormatInt(slot.Key, 10))
}

// AppendPart implements ingest.PartFiles.
func (f *Files) AppendPart(slot kyro.ID, at int64, body []byte) (err error) {
	defer func() { err = orNoRoom(err) }()
	file, err := os.OpenFile(f.partsPath(slot), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the file of %s: %w", slot, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("look at the file of %s: %w", slot, err)
	}
	if info.Size() < at {
		return fmt.Errorf("the file of %s has %d bytes, less than the %d that were stored", slot, info.Size(), at)
	}
	if err := file.Truncate(at); err != nil {
		return fmt.Errorf("cut the file of %s: %w", slot, err)
	}
	if _, err := file.WriteAt(body, at); err != nil {
		return fmt.Errorf("write the file of %s: %w", slot, err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("write the file of %s: %w", slot, err)
	}
	if at == 0 { // its name is new
		return host.SyncFolder(filepath.Join(f.dir, arriving))
	}
	return nil
}

// OpenParts implements ingest.PartFiles.
func (f *Files) OpenParts(slot kyro.ID, size int64) (io.ReadCloser, error) {
	file, err := os.Open(f.partsPath(slot))
	if err != nil {
		return nil, fmt.Errorf("open the file of %s: %w", slot, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(file, size), file}, nil
}

// DropParts implements ingest.PartFiles.
func (f *Files) DropParts(slot kyro.ID) error {
	if err := os.Remove(f.partsPath(slot)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the file of %s: %w", slot, err)
	}
	return nil
}

// SlotsWithParts implements ingest.PartFiles.
func (f *Files) SlotsWithParts(before time.Time) (slots []kyro.ID, err error) {
	entries, err := os.ReadDir(filepath.Join(f.dir, arriving))
	if err != nil {
		return nil, fmt.Errorf("list the files of uploads: %w", err)
	}
	for _, entry := range entries {
		key, err := strconv.ParseInt(entry.Name(), 10, 64)
		if err != nil {
			continue
		}
		if info, err := entry.Info(); err == nil && info.ModTime().Before(before) {
			slots = append(slots, kyro.UploadID(key))
		}
	}
	return slots, nil
}
