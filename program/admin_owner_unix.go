//go:build unix

package program

import (
	"os"
	"strconv"
	"syscall"
)

// foreignFolder reports whether this is root in the folder of another user, whose id it gives.
func foreignFolder(dir string) (owner string, foreign bool) {
	info, err := os.Stat(dir)
	if err != nil || os.Geteuid() != 0 {
		return "", false
	}
	known, ok := info.Sys().(*syscall.Stat_t)
	if !ok || known.Uid == 0 {
		return "", false
	}
	return strconv.FormatUint(uint64(known.Uid), 10), true
}
