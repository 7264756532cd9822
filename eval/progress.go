package eval

import (
	"fmt"
	"io"
	"sync"

	"kyrochat/host"
	"kyrochat/text"
)

// progress tells whoever waits how far it is: in one line that is drawn again on a terminal, elsewhere in a line at
// every tenth. A screen that cannot be written to is ignored, as the work goes on without it.
type progress struct {
	out      io.Writer
	terminal bool

	mu           sync.Mutex
	what         string // "" between two parts of the work
	steps, total int
}

func newProgress(out io.Writer) *progress {
	_, terminal := host.Terminal(out)
	return &progress{out: out, terminal: terminal}
}

// begin starts a part of the work that has so many steps.
func (p *progress) begin(what string, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what, p.steps, p.total = what, 0, total
	p.draw()
}

// step counts one step as done.
func (p *progress) step() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps++
	p.draw()
}

// done ends a part of the work.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal && p.what != "" {
		_, _ = io.WriteString(p.out, "\n")
	}
	p.what = ""
}

// say tells something on a line of its own.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := text.Printable(fmt.Sprintf(format, args...)) + "\n"
	if p.terminal && p.what != "" {
		line = "\r\x1b[K" + line
	}
	_, _ = io.WriteString(p.out, line)
	if p.terminal && p.what != "" {
		p.draw()
	}
}

func (p *progress) draw() {
	line := fmt.Sprintf("%s: %d of %d", p.what, p.steps, p.total)
	switch tenth := max(1, p.total/10); {
	case p.terminal:
		_, _ = io.WriteString(p.out, "\r\x1b[K"+line)
	case p.steps == p.total || p.steps > 0 && p.steps%tenth == 0:
		_, _ = io.WriteString(p.out, line+"\n")
	}
}
