package extract

import "golang.org/x/sys/unix"

const (
	architecture = unix.AUDIT_ARCH_AARCH64
	otherNumbers = 1 << 31 // there are none
)

// neededHere are needed calls that not every architecture has, or not under this name.
var neededHere = []uint32{unix.SYS_FSTATAT}
