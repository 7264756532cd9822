//go:build !linux

package host

// KeepMemory does nothing: what is done on Linux is the system's own.
func KeepMemory() {}
