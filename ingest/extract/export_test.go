package extract

import (
	"os"
	"time"
)

// SetTimer replaces the clock that ends idle children.
func (p *Pool) SetTimer(f func(time.Duration, func()) func() bool) { p.afterFunc = f }

// Children are the process ids of the idle children.
func (p *Pool) Children() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []int
	for _, c := range p.idle {
		ids = append(ids, c.process.Pid)
	}
	return ids
}

// KillIdle kills the idle children behind the pool's back and waits until they are gone.
func (p *Pool) KillIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		_ = c.process.Kill()
		<-c.ended
	}
}

const (
	MaxDocuments = maxDocuments
	IdleTime     = idleTime
)

// Spent is the time that a process has had on processors.
func Spent(pid int) time.Duration { return spent(pid) }

// Enclose gives up files and connections, as a child does with its first request.
func Enclose(cacheDir string, writes bool) error { return enclose(cacheDir, writes) }

// Taken is the file that the parent passed on.
func Taken() (*os.File, error) { return receiver().open("") }
