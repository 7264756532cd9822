//go:build unix

package auth

import (
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives a file to whom another one belongs, so that a server which may read the one may read the other, also
// where root rotates for it.
func keepOwner(path string, like fs.FileInfo) error {
	owner, known := like.Sys().(*syscall.Stat_t)
	if !known || int(owner.Uid) == os.Geteuid() && int(owner.Gid) == os.Getegid() {
		return nil
	}
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}
