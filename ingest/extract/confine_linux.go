package extract

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// addressSpace bounds the memory a child may map. The runtime reserves far more than it uses.
	addressSpace = 4 << 30
	// openFiles is what a child may hold open: its pipes, the file, the engine's cache and what polls them.
	openFiles = 32
	// writtenFile bounds a file a child writes: the engine's machine code takes about 21 MiB.
	writtenFile = 64 << 20
)

// confine lowers what this process may take from the machine. Limits already lower stay.
func confine() error {
	for _, l := range []struct {
		name     string
		resource int
		limit    uint64
	}{
		{"address space", syscall.RLIMIT_AS, addressSpace},
		{"open files", syscall.RLIMIT_NOFILE, openFiles},
		{"file size", syscall.RLIMIT_FSIZE, writtenFile},
		{"core size", syscall.RLIMIT_CORE, 0},
	} {
		var now syscall.Rlimit
		if err := syscall.Getrlimit(l.resource, &now); err != nil {
			return fmt.Errorf("reading the limit of %s: %w", l.name, err)
		}
		limit := min(l.limit, now.Max)
		if err := syscall.Setrlimit(l.resource, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			return fmt.Errorf("limiting %s: %w", l.name, err)
		}
	}
	// The runtime ignores the signal of used-up processor time unless somebody listens.
	spent := make(chan os.Signal, 1)
	signal.Notify(spent, syscall.SIGXCPU)
	go func() {
		<-spent
		os.Exit(1)
	}()
	return nil
}

// allowCPU gives the next document the processor time that it may take on the clock. The parent watches the clock;
// this holds where the parent cannot.
func allowCPU(d time.Duration) {
	var used syscall.Rusage
	if d <= 0 || syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return
	}
	var now syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_CPU, &now) != nil {
		return
	}
	seconds := uint64(used.Utime.Sec+used.Stime.Sec) + uint64(2*d/time.Second) + 2 // both threads may run
	now.Cur = min(seconds, now.Max)
	_ = syscall.Setrlimit(syscall.RLIMIT_CPU, &now)
}

// dieWithParent has the kernel kill a child when the thread that started it ends.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// noNewPrivileges is PR_SET_NO_NEW_PRIVS.
const noNewPrivileges = 38

// modesty is the niceness of children: requests that people wait for come before the files that are read meanwhile.
const modesty = 10

// makeModest lowers the priority of all threads of a process, which those that they start from then on have too. It is lower than
// that by itself where this process runs at a low one.
func makeModest(pid int) {
	for again := true; again; { // for a thread that another one had started meanwhile
		again = false
		threads, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
		if err != nil {
			return
		}
		for _, thread := range threads {
			id, err := strconv.Atoi(thread.Name())
			if err != nil {
				continue
			}
			// The call tells priorities as 20 less the niceness.
			if now, err := syscall.Getpriority(syscall.PRIO_PROCESS, id); err == nil && 20-now < modesty {
				again = syscall.Setpriority(syscall.PRIO_PROCESS, id, modesty) == nil || again
			}
		}
	}
}

// giveUpRights keeps the processes that the calling thread starts, and itself, from gaining rights by programs that have more.
func giveUpRights() {
	_, _, _ = syscall.RawSyscall6(syscall.SYS_PRCTL, noNewPrivileges, 1, 0, 0, 0, 0)
}

// ticks is what the kernel counts times of processes in (USER_HZ), a second.
const ticks = 100

// spent is the time that a process has had on processors, to a hundredth of a second; 0 where that cannot be told.
func spent(pid int) time.Duration {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// The name in brackets may hold anything; behind it, the state is the third field of all, and the times are the 14th and 15th.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticks
}

// resident is the memory that a process takes, in bytes; 0 where that cannot be told.
func resident(pid int) uint64 {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), " ")
	pages, _, _ := strings.Cut(rest, " ")
	n, _ := strconv.ParseUint(pages, 10, 64)
	return n * uint64(os.Getpagesize())
}
