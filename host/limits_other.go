//go:build !unix

package host

// OpenFiles knows no limit.
func OpenFiles() (limit uint64, known bool) { return 0, false }
