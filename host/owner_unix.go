//go:build unix

package host

import (
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// OwnerOf is the user that a file belongs to.
func OwnerOf(info fs.FileInfo) (uid int, known bool) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid), true
	}
	return 0, false
}

// ForeignFile reports whether a file belongs to somebody who is neither root nor the user of this process.
func ForeignFile(info fs.FileInfo) (owner string, foreign bool) {
	uid, known := OwnerOf(info)
	if !known || uid == 0 || uid == os.Geteuid() {
		return "", false
	}
	return UserName(uid), true
}

// UserName is the name of a user, or its number.
func UserName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}

// OwnName is the user of this process.
func OwnName() string { return UserName(os.Geteuid()) }

// IsRoot reports whether this process may do anything.
func IsRoot() bool { return os.Geteuid() == 0 }
