// Package folder keeps the files of exports of one node, readable by the server only: those that are being made, and those
// that are kept, by the key of their export. Names come from row keys, never from clients. What is kept survives a crash.
package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"kyrochat/host"
	"kyrochat/kyro"
)

const (
	making    = "tmp"     // files that are being made
	forgotten = time.Hour // none takes so long
)

// Folder satisfies export.Folder.
type Folder struct {
	dir string

	mu   sync.Mutex
	open map[string]bool // names of the files that this process is making
}

// Open makes the folder where it is not there, and clears away what a crash cut off. alone says that no other process uses
// it; otherwise a file counts as cut off after an hour without a change, and goes then by Create or Sweep.
func Open(dir string, alone bool) (*Folder, error) {
	if err := os.MkdirAll(filepath.Join(dir, making), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of exports: %w", err)
	}
	f := &Folder{dir: dir, open: map[string]bool{}}
	old := forgotten
	if alone {
		old = 0
	}
	return f, f.sweep(old)
}

// Sweep implements export.Folder. Other processes may use the folder, too.
func (f *Folder) Sweep() error { return f.sweep(forgotten) }

// sweep clears away files that nobody here is making, and that were not changed for so long.
func (f *Folder) sweep(old time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	left, err := os.ReadDir(filepath.Join(f.dir, making))
	if err != nil {
		return fmt.Errorf("look for exports that were cut off: %w", err)
	}
	for _, entry := range left {
		name := filepath.Join(f.dir, making, entry.Name())
		if f.open[name] {
			continue
		}
		info, err := entry.Info()
		if err == nil && (old == 0 || time.Since(info.ModTime()) > old) {
			err = os.Remove(name)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("clear away an export that was cut off: %w", err)
		}
	}
	return nil
}

// Create implements export.Folder.
func (f *Folder) Create() (*os.File, error) {
	_ = f.Sweep() // before more comes; what is wrong with it, the next Sweep says
	f.mu.Lock()
	defer f.mu.Unlock()
	file, err := os.CreateTemp(filepath.Join(f.dir, making), "*")
	if err != nil {
		return nil, orNoRoom(fmt.Errorf("open a file for an export: %w", err))
	}
	f.open[file.Name()] = true
	return file, nil
}

// Discard implements export.Folder. A file that cannot be removed goes with a later sweep.
func (f *Folder) Discard(file *os.File) {
	_ = file.Close()
	_ = os.Remove(file.Name())
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, file.Name())
}

// Keep implements export.Folder.
func (f *Folder) Keep(file *os.File, id kyro.ID) error {
	err := errors.Join(file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), f.path(id))
	}
	if err == nil {
		err = host.SyncFolder(f.dir)
	}
	if err != nil {
		return orNoRoom(fmt.Errorf("keep the file of %s: %w", id, err))
	}
	return nil
}

// orNoRoom tells a full disk from what is wrong.
func orNoRoom(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return kyro.NoRoom(err)
	}
	return err
}

// Open implements export.Folder.
func (f *Folder) Open(id kyro.ID) (*os.File, error) {
	file, err := os.Open(f.path(id))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, kyro.NotFound(kyro.KindExport)
	case err != nil:
		return nil, fmt.Errorf("open the file of %s: %w", id, err)
	}
	return file, nil
}

// Remove implements export.Folder.
func (f *Folder) Remove(id kyro.ID) error {
	if err := os.Remove(f.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the file of %s: %w", id, err)
	}
	return nil
}

// Kept implements export.Folder.
func (f *Folder) Kept(before time.Time) (ids []kyro.ID, err error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, fmt.Errorf("list the files of exports: %w", err)
	}
	for _, entry := range entries {
		key, err := strconv.ParseInt(entry.Name(), 10, 64)
		if err != nil || key < 1 {
			continue
		}
		if info, err := entry.Info(); err == nil && info.ModTime().Before(before) {
			ids = append(ids, kyro.ExportID(key))
		}
	}
	return ids, nil
}

func (f *Folder) path(id kyro.ID) string { return filepath.Join(f.dir, strconv.FormatInt(id.Key, 10)) }
