// Package host says what this machine knows of files and processes, and asks it for what a server wants of it.
package host

import "strconv"

// AsSudo is a user as sudo takes it: by name, or by number where there is none.
func AsSudo(owner string) string {
	if _, err := strconv.Atoi(owner); err == nil {
		return "'#" + owner + "'"
	}
	return owner
}
