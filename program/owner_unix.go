//go:build unix

package program

import (
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// ownerOf is the user that a file belongs to.
func ownerOf(info fs.FileInfo) (uid int, known bool) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid), true
	}
	return 0, false
}

// foreignFile reports whether a file belongs to somebody who is neither root nor the user of this process.
func foreignFile(info fs.FileInfo) (owner string, foreign bool) {
	uid, known := ownerOf(info)
	if !known || uid == 0 || uid == os.Geteuid() {
		return "", false
	}
	return userName(uid), true
}

// userName is the name of a user, or its number.
func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}

// ownName is the user of this process.
func ownName() string { return userName(os.Geteuid()) }

// isRoot reports whether this process may do anything.
func isRoot() bool { return os.Geteuid() == 0 }

// openFiles is how many files this process may hold open, connections among them.
func openFiles() (limit uint64, known bool) {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 0, false
	}
	return uint64(r.Cur), true //nolint:unconvert // an int64 on some systems
}
