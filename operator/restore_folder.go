package operator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"kyrochat/host"
	"kyrochat/store"
)

const (
	restoreFolder = "restore.tmp" // in the data folder: what is not live yet
	restoreMark   = "complete"    // in it: from here on it goes live
)

// restoreFolder restores beside the data folder's own files, and puts them in place once all is there.
func (t *target) restoreFolder(ctx context.Context) (findings int, err error) {
	dir := t.cfg.DataDir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, fmt.Errorf("make the data folder (KYRO_DATA_DIR): %w", err)
	}
	if err := refuseForeign(dir, "restore"); err != nil {
		return 0, err
	}
	if err := t.emptyFolder(ctx); err != nil {
		return 0, err
	}
	release, err := store.LockFolder(dir)
	if err != nil {
		return 0, err
	}
	defer func() { _ = release() }()
	tmp := filepath.Join(dir, restoreFolder)
	if err := clearRestore(dir); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = clearRestore(dir)
		}
	}()
	t.folder = filepath.Join(tmp, "files")
	if err := os.MkdirAll(t.folder, 0o700); err != nil {
		return 0, err
	}
	if err := t.open(ctx, store.Config{DataDir: tmp, Log: t.log}); err != nil {
		return 0, err
	}
	if err = t.fill(ctx); err == nil {
		findings, err = t.verify(ctx)
	}
	if err == nil {
		err = t.pools.Settle(ctx)
	}
	if closing := t.pools.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return 0, err
	}
	t.live, err = goLive(dir)
	return findings, err
}

// emptyFolder sees that there is nothing in the data folder that somebody could miss.
func (t *target) emptyFolder(ctx context.Context) error {
	dir := t.cfg.DataDir
	_, err := os.Stat(filepath.Join(dir, restoreFolder, restoreMark))
	if _, there := os.Stat(filepath.Join(dir, "kyro.db")); errors.Is(there, fs.ErrNotExist) {
		entries, listed := os.ReadDir(filepath.Join(dir, "files"))
		if listed != nil && !errors.Is(listed, fs.ErrNotExist) {
			return listed
		}
		for _, e := range entries {
			if _, no := strconv.ParseInt(e.Name(), 10, 64); no == nil && err != nil { // else a restore was cut off as it put them there
				return fmt.Errorf("there are files of documents in %s: restore into an empty folder, or move them away", filepath.Join(dir, "files"))
			}
		}
		return nil
	}
	pools, err := store.Open(ctx, store.Config{DataDir: dir, Log: t.log})
	if err != nil {
		return err
	}
	inhabited, err := pools.Inhabited(ctx)
	if closing := pools.Close(); err == nil {
		err = closing
	}
	if err == nil && inhabited {
		err = fmt.Errorf("there are accounts in the database in %s: restore into an empty data folder (KYRO_DATA_DIR)", dir)
	}
	return err
}

// clearRestore removes what a restore left that was cut off.
func clearRestore(dir string) error {
	tmp := filepath.Join(dir, restoreFolder)
	_, live := os.Stat(filepath.Join(dir, "kyro.db"))
	if _, err := os.Stat(filepath.Join(tmp, restoreMark)); err == nil && errors.Is(live, fs.ErrNotExist) {
		if err := os.RemoveAll(filepath.Join(dir, "files")); err != nil {
			return err
		}
	}
	return os.RemoveAll(tmp)
}

// goLive puts in place what was restored, the database last: before that nothing is live, after it everything, also where it
// gives an error.
func goLive(dir string) (live bool, err error) {
	tmp := filepath.Join(dir, restoreFolder)
	if log, err := os.Stat(filepath.Join(tmp, "kyro.db-wal")); err == nil && log.Size() > 0 { // which would stay behind
		return false, errors.New("what was written last is not in the database's file yet: is there room on the disk?")
	}
	if err := syncAll(tmp); err != nil {
		return false, err
	}
	for _, name := range []string{"kyro.db", "kyro.db-wal", "kyro.db-shm", "files", "exports"} { // of an empty installation
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return false, err
		}
	}
	if err := os.WriteFile(filepath.Join(tmp, restoreMark), nil, 0o600); err != nil {
		return false, err
	}
	if err := errors.Join(host.SyncFolder(tmp), os.Rename(filepath.Join(tmp, "files"), filepath.Join(dir, "files")), host.SyncFolder(dir)); err != nil {
		return false, err
	}
	if err := os.Rename(filepath.Join(tmp, "kyro.db"), filepath.Join(dir, "kyro.db")); err != nil {
		return false, err
	}
	return true, errors.Join(host.SyncFolder(dir), os.RemoveAll(tmp))
}

// syncAll makes sure that a folder is on the disk with all that is in it.
func syncAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return host.SyncFolder(path)
		}
		file, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // nobody else may write to the folder
		if err != nil {
			return err
		}
		return errors.Join(file.Sync(), file.Close())
	})
}
