package host

import "syscall"

// notDumpable is the argument of PR_SET_DUMPABLE that keeps a process from being written out and looked into.
const notDumpable = 0

// KeepMemory has no image of this process's memory written to a disk, where keys and texts of people would lie, and lets no
// other process of the same user look into it, not by /proc either. Root can.
func KeepMemory() {
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	// A handler that core_pattern names gets an image in spite of the limit, but none of a process that is not dumpable.
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, notDumpable, 0)
}
