//go:build !unix

package program

import "io/fs"

func ownerOf(fs.FileInfo) (uid int, known bool) { return 0, false }

func foreignFile(fs.FileInfo) (owner string, foreign bool) { return "", false }

func userName(int) string { return "" }

func ownName() string { return "" }

func isRoot() bool { return false }

func openFiles() (limit uint64, known bool) { return 0, false }
