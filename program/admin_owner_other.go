//go:build !unix

package program

// foreignFolder reports whether files that this user makes in the folder are not for the server, which is not known here.
func foreignFolder(string) (owner string, foreign bool) { return "", false }
