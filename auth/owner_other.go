//go:build !unix

package auth

import "io/fs"

// keepOwner does nothing: the rights come from the folder.
func keepOwner(string, fs.FileInfo) error { return nil }
