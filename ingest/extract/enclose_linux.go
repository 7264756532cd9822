package extract

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// enclose takes from this process, for good and in all its threads, what a file that took it over could do with it: opening
// files, but for those of the PDF engine's cache, connections, other programs, and other processes. What the kernel does not
// offer is left out; [unconfined] says what. What it offers and then refuses is an error.
func enclose(cacheDir string, writes bool) error {
	if landlocked() {
		if err := encloseFiles(cacheDir, writes); err != nil {
			return err
		}
	}
	if filtered() {
		return encloseCalls()
	}
	return nil
}

// unconfined names what a child could still do on this kernel; "" for nothing.
func unconfined() string {
	var open []string
	if !landlocked() {
		open = append(open, "opening files (no Landlock)")
	}
	if !filtered() {
		open = append(open, "connections and other programs (no seccomp)")
	}
	return strings.Join(open, ", ")
}

// landlocked reports whether the kernel has Landlock, from 5.13 on, and it is switched on.
func landlocked() bool {
	abi, err := ll.LandlockGetABIVersion()
	return err == nil && abi > 0
}

// encloseFiles forbids to open any file that is not in the folder; where the folder is not written to, also to run what is
// there. From Linux 6.7 it forbids TCP as well, and from 6.12 signals to processes outside.
func encloseFiles(cacheDir string, writes bool) error {
	var rules []landlock.Rule
	if cacheDir != "" {
		if info, err := os.Stat(filepath.Clean(cacheDir)); err == nil && info.IsDir() {
			rights := landlock.AccessFSSet(ll.AccessFSReadFile | ll.AccessFSReadDir)
			if writes {
				rights |= ll.AccessFSWriteFile | ll.AccessFSMakeReg | ll.AccessFSMakeDir | ll.AccessFSRemoveFile | ll.AccessFSTruncate
			}
			rules = append(rules, landlock.PathAccess(rights, cacheDir))
		}
	}
	if err := landlock.V7.BestEffort().Restrict(rules...); err != nil {
		return fmt.Errorf("restricting files: %w", err)
	}
	return nil
}

// filtered reports whether the kernel filters system calls, and we know their numbers.
func filtered() bool {
	action := uint32(unix.SECCOMP_RET_ERRNO)
	_, _, err := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action))) //nolint:gosec // as the call wants it
	return architecture != 0 && err == 0
}

// Offsets in what a filter sees of a call (struct seccomp_data).
const (
	callNumber       = 0
	callArchitecture = 4
	callArgument     = 16 // the lower half of the first, where the least byte comes first
)

// encloseCalls has the kernel refuse every call but those that reading a file needs. What is refused looks as if the kernel had
// no such call, which programs are used to. Calls in the form of another architecture end the process, since their numbers
// mean something else; that is why this is written out here and not left to a library, which lets them through.
func encloseCalls() error {
	refuse := bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)}
	allow := bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: callArchitecture, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: architecture, SkipTrue: 1},
		bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS},
		bpf.LoadAbsolute{Off: callNumber, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: otherNumbers, SkipTrue: 1},
		bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS},
	}
	for _, call := range append(needed, neededHere...) {
		program = append(program, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: call, SkipTrue: 1}, allow)
	}
	program = append(program,
		// The threads of this process come by clone, which libraries in C try only after clone3.
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_CLONE, SkipTrue: 4},
		bpf.LoadAbsolute{Off: callArgument, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: unix.CLONE_THREAD, SkipTrue: 1},
		refuse,
		allow,
		// Limits are its own.
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_PRLIMIT64, SkipTrue: 4},
		bpf.LoadAbsolute{Off: callArgument, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1},
		refuse,
		allow,
		// Signals go to its own threads only.
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_TGKILL, SkipTrue: 4},
		bpf.LoadAbsolute{Off: callArgument, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(os.Getpid()), SkipTrue: 1},
		refuse,
		allow,
		refuse)
	raw, err := bpf.Assemble(program)
	if err != nil {
		return fmt.Errorf("making the filter of calls: %w", err)
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	// Set on one thread, and by the kernel on all others.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("giving up privileges: %w", err)
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	thread, _, failed := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog))) //nolint:gosec // as the call wants it
	if failed != 0 {
		return fmt.Errorf("filtering calls: %w", failed)
	}
	if thread != 0 {
		return fmt.Errorf("filtering calls: thread %d has a filter of its own", thread)
	}
	return nil
}

// needed are the calls of Go's runtime, of the files that are given and of the engine's cache, and what a C library asks for
// under a race detector; those that are called most come first. None of them makes a connection, runs a program, reaches
// another process or changes what belongs to a file, such as its mode: where files may be opened, Landlock says.
var needed = []uint32{
	unix.SYS_READ, unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_EPOLL_PWAIT, unix.SYS_SCHED_YIELD, unix.SYS_WRITE, unix.SYS_RT_SIGRETURN,
	unix.SYS_GETPID, unix.SYS_FCNTL, unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_CLOSE,
	// Memory.
	unix.SYS_MPROTECT, unix.SYS_MREMAP, unix.SYS_BRK, unix.SYS_MINCORE,
	// Files.
	unix.SYS_PREAD64, unix.SYS_PWRITE64, unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_LSEEK, unix.SYS_FSTAT, unix.SYS_STATX, unix.SYS_OPENAT,
	unix.SYS_GETDENTS64, unix.SYS_FTRUNCATE, unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_UNLINKAT,
	unix.SYS_MKDIRAT, unix.SYS_FACCESSAT, unix.SYS_FACCESSAT2, unix.SYS_READLINKAT, unix.SYS_GETCWD, unix.SYS_DUP, unix.SYS_DUP3, unix.SYS_PIPE2,
	unix.SYS_RECVMSG, // by which files are given
	// Threads, time and signals.
	unix.SYS_GETTID, unix.SYS_GETPPID, unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ, unix.SYS_MEMBARRIER, unix.SYS_SCHED_GETAFFINITY,
	unix.SYS_EXIT, unix.SYS_EXIT_GROUP, unix.SYS_RESTART_SYSCALL, unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_GETRES, unix.SYS_CLOCK_NANOSLEEP,
	unix.SYS_GETTIMEOFDAY, unix.SYS_SETITIMER, unix.SYS_TIMER_CREATE, unix.SYS_TIMER_SETTIME, unix.SYS_TIMER_DELETE, unix.SYS_RT_SIGACTION,
	unix.SYS_RT_SIGPROCMASK, unix.SYS_SIGALTSTACK,
	unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT2, unix.SYS_EVENTFD2, unix.SYS_PPOLL, unix.SYS_PSELECT6,
	// What this process is and may.
	unix.SYS_GETRLIMIT, unix.SYS_SETRLIMIT, unix.SYS_GETRUSAGE, unix.SYS_PRCTL, unix.SYS_UNAME, unix.SYS_SYSINFO, unix.SYS_GETRANDOM,
	unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID,
}
