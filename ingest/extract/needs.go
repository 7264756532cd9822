package extract

import "runtime"

// Needs is how many processes read files at the same time, and how much memory each may take, in bytes.
func Needs() (children int, memory uint64) { return min(runtime.NumCPU(), maxChildren), maxResident }

// Unconfined names what a process that reads files could still do on this system; "" for nothing.
func Unconfined() string { return unconfined() }
