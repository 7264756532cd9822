package operator

import (
	"fmt"
	"io"
	"time"
)

// progressEvery is how often somebody is told how far it is.
const progressEvery = 2 * time.Second

// howFar tells how far something that takes long has come, and how many bytes went through it.
type howFar struct {
	out     io.Writer
	written int64
	told    time.Time
}

func newHowFar(out io.Writer) *howFar { return &howFar{out: out, told: time.Now()} }

// at tells where it is, now and then.
func (p *howFar) at(format string, args ...any) {
	if time.Since(p.told) < progressEvery {
		return
	}
	p.told = time.Now()
	p.say(format, args...)
}

// say tells something at once.
func (p *howFar) say(format string, args ...any) { _, _ = fmt.Fprintf(p.out, format+"\n", args...) }

// count counts what is written.
func (p *howFar) count(w io.Writer) io.Writer { return counting{w, p} }

type counting struct {
	to io.Writer
	p  *howFar
}

func (c counting) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.p.written += int64(n)
	return n, err
}
