package extract

import "golang.org/x/sys/unix"

const (
	architecture = unix.AUDIT_ARCH_X86_64
	// otherNumbers is where those of programs with 32-bit addresses begin, which the kernel tells by their numbers alone.
	otherNumbers = 0x40000000
)

// neededHere are needed calls that not every architecture has, or not under this name.
var neededHere = []uint32{unix.SYS_NEWFSTATAT, unix.SYS_ARCH_PRCTL, unix.SYS_EPOLL_WAIT, unix.SYS_POLL}
