package extract

import "golang.org/x/sys/unix"

const (
	architecture = unix.AUDIT_ARCH_AARCH64
	otherNumbers = 1 << 31 // there are none
)

// fewHave are forbidden calls that not every architecture has.
var fewHave = []uint32{unix.SYS_ACCEPT}
