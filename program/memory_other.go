//go:build !linux

package program

// keepMemory does nothing: what is done on Linux is the system's own.
func keepMemory() {}
