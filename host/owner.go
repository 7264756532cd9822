// Package host asks the operating system what Go's library does not: whose a file is, how many may be open, that names are on the disk,
// whether somebody looks, and that nobody reads this process's memory. Where a system has no such thing, it says that it knows nothing.
package host

import "strconv"

// SudoUser is what stands behind "sudo -u" in a shell for a user: a name, or a number as '#1000' where there is no name.
func SudoUser(owner string) string {
	if _, err := strconv.Atoi(owner); err == nil {
		return "'#" + owner + "'"
	}
	return owner
}
