//go:build unix

package host

import "syscall"

// OpenFiles is how many files this process may hold open, connections among them.
func OpenFiles() (limit uint64, known bool) {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 0, false
	}
	return uint64(r.Cur), true //nolint:unconvert // an int64 on some systems
}
