package extract

import "golang.org/x/sys/unix"

const (
	architecture = unix.AUDIT_ARCH_X86_64
	// otherNumbers is where those of programs with 32-bit addresses begin, which the kernel tells by their numbers alone.
	otherNumbers = 0x40000000
)

// fewHave are forbidden calls that not every architecture has.
var fewHave = []uint32{unix.SYS_ACCEPT, unix.SYS_FORK, unix.SYS_VFORK}
