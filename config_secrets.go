package main

import "path/filepath"

// secretFile is the file of secrets that a server follows while it runs; "" where they are in the environment, and
// cannot change.
func (c Config) secretFile() string {
	if len(c.Secrets) > 0 {
		return ""
	}
	return filepath.Join(c.DataDir, "secret")
}
