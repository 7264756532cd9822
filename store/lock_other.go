//go:build !unix

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

// fileLock keeps other processes from the same file: it is a file that is made by whoever holds the lock and
// removed at the end. After a crash the file stays, and the operator removes it.
type fileLock struct{ path string }

func lockFile(path string) (*fileLock, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w: stop it, or, if none runs, remove %s", errLocked, path)
	}
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	_, err = file.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &fileLock{path}, nil
}

// held reports whether the lock is this process's.
func (l *fileLock) held() bool { return l.path != "" }

// fileLocked reports whether a process holds the lock, or held it when it crashed.
func fileLocked(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (l *fileLock) release() error {
	if l.path == "" {
		return nil
	}
	path := l.path
	l.path = ""
	return os.Remove(path)
}
