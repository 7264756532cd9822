package extract

import "syscall"

// reserve maps so many bytes, of which none takes memory before it is written to; nil where the system refuses.
func reserve(size uint64) []byte {
	b, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
	if err != nil {
		return nil
	}
	return b
}

func release(b []byte) { _ = syscall.Munmap(b) }
