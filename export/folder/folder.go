// Package folder keeps the files of exports of one node, readable by the server only: those that are being made, and those
// that are kept, by the key of their export. Names come from row keys, never from clients. What is kept survives a crash.
package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"kyrochat/kyro"
)

const (
	making    = "tmp"     // files that are being made
	forgotten = time.Hour // none takes so long
)

// Folder satisfies export.Folder.
type Folder struct{ dir string }

// Open makes the folder where it is not there, and clears away what a crash cut off. alone says that no other process uses
// it; otherwise a file counts as cut off after an hour without a change.
func Open(dir string, alone bool) (*Folder, error) {
	if err := os.MkdirAll(filepath.Join(dir, making), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of exports: %w", err)
	}
	left, err := os.ReadDir(filepath.Join(dir, making))
	if err != nil {
		return nil, fmt.Errorf("look for exports that were cut off: %w", err)
	}
	for _, entry := range left {
		info, err := entry.Info()
		if err == nil && (alone || time.Since(info.ModTime()) > forgotten) {
			err = os.Remove(filepath.Join(dir, making, entry.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("clear away an export that was cut off: %w", err)
		}
	}
	return &Folder{dir}, nil
}

// Create implements export.Folder.
func (f *Folder) Create() (*os.File, error) {
	file, err := os.CreateTemp(filepath.Join(f.dir, making), "*")
	if err != nil {
		return nil, orNoRoom(fmt.Errorf("open a file for an export: %w", err))
	}
	return file, nil
}

// Discard implements export.Folder. A file that cannot be removed goes when the folder is opened the next time.
func (f *Folder) Discard(file *os.File) {
	_ = file.Close()
	_ = os.Remove(file.Name())
}

// Keep implements export.Folder.
func (f *Folder) Keep(file *os.File, id kyro.ID) error {
	err := errors.Join(file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), f.path(id))
	}
	if err == nil && runtime.GOOS != "windows" { // which has no such call and needs none
		err = syncFolder(f.dir)
	}
	if err != nil {
		return orNoRoom(fmt.Errorf("keep the file of %s: %w", id, err))
	}
	return nil
}

// syncFolder makes sure that names in the folder are on the disk.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
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
