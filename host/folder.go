package host

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
)

// SyncFolder makes sure that the names in a folder are on the disk: of files that were made, renamed or linked there. Windows has no
// such call and needs none, and some file systems that are elsewhere have none either.
func SyncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrInvalid) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
