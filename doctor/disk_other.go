//go:build !linux

package doctor

import "errors"

type disk struct {
	kind         string
	free, size   uint64
	files, inode uint64
	readOnly     bool
}

func diskOf(string) (disk, error) { return disk{}, errors.ErrUnsupported }
