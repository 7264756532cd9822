package doctor

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"kyrochat/host"
)

// progress shows on a terminal what is still waited for.
type progress struct {
	out      io.Writer
	terminal bool

	mu      sync.Mutex
	waiting []string
	shown   bool
}

// newProgress shows nothing where nobody looks.
func newProgress(out io.Writer) *progress {
	_, terminal := host.Terminal(out)
	return &progress{out: out, terminal: terminal}
}

func (p *progress) began(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = append(p.waiting, name)
}

func (p *progress) ended(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, each := range p.waiting {
		if each == name {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			return
		}
	}
}

// start shows what is waited for until it is stopped.
func (p *progress) start(ctx context.Context) (stop func()) {
	if !p.terminal {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.mu.Lock()
				p.wipe()
				if len(p.waiting) > 0 {
					line := "… " + strings.Join(p.waiting, ", ")
					_, _ = io.WriteString(p.out, line[:min(len(line), 78)])
					p.shown = true
				}
				p.mu.Unlock()
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.wipe()
	}
}

// wipe takes the line away. The caller holds mu.
func (p *progress) wipe() {
	if p.shown {
		_, _ = io.WriteString(p.out, "\r\x1b[K")
		p.shown = false
	}
}

// beside does what writes, with the line out of the way.
func (p *progress) beside(write func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	return write()
}
