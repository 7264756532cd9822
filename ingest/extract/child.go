package extract

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"kyrochat/kyro"
)

// child is a process that reads files. One goroutine at a time talks to it.
type child struct {
	process   *os.Process
	in        *os.File
	out       *bufio.Reader
	outFile   *os.File
	ended     chan struct{} // closed when the process is gone and why is known
	why       error
	documents int    // answered so far
	memory    uint64 // held after the last one
	stopTimer func() bool
}

// startChild starts a process with an empty environment in the folder for temporary files. The goroutine that
// starts it keeps its thread until the process has ended, for the kernel takes that thread for the parent.
func startChild(command []string) (*child, error) {
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		_, _ = inRead.Close(), inWrite.Close()
		return nil, err
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env, cmd.Dir = []string{}, os.TempDir()
	cmd.Stdin, cmd.Stdout = inRead, outWrite
	var said firstLine
	cmd.Stderr = &said
	cmd.WaitDelay = time.Second
	dieWithParent(cmd)
	c := &child{in: inWrite, out: bufio.NewReaderSize(outRead, 64<<10), outFile: outRead, ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		_, _ = inRead.Close(), outWrite.Close()
		c.process = cmd.Process
		started <- err
		if err != nil {
			return
		}
		c.why = cmd.Wait()
		if c.why != nil && said.String() != "" {
			c.why = fmt.Errorf("%w: %s", c.why, said.String())
		}
		close(c.ended)
	}()
	if err := <-started; err != nil {
		_, _ = inWrite.Close(), outRead.Close()
		return nil, err
	}
	return c, nil
}

// firstLine keeps the first line of what a process writes and drops the rest.
type firstLine struct{ b strings.Builder }

func (l *firstLine) Write(p []byte) (int, error) {
	if room := 200 - l.b.Len(); room > 0 && !strings.Contains(l.b.String(), "\n") {
		l.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (l *firstLine) String() string {
	s, _, _ := strings.Cut(l.b.String(), "\n")
	return strings.ToValidUTF8(s, "")
}

// stop kills the process and waits until it is gone.
func (c *child) stop() {
	_ = c.process.Kill()
	<-c.ended
	_, _ = c.in.Close(), c.outFile.Close()
}

// errStopped is the end of a child that was not asked to end.
var errStopped = errors.New("the extractor ended")

// errReported is an error that a child met, told and survived, and that the file is not to blame for.
var errReported = errors.New("extracting")

// extract has one file read. The child is killed when the context ends. silent reports that it ended without
// having said anything about this file.
func (c *child) extract(ctx context.Context, req request, progress func(done, total int)) (ex kyro.Extraction, silent bool, err error) {
	stopKilling := context.AfterFunc(ctx, func() { _ = c.process.Kill() })
	defer stopKilling()
	silent = true
	if err := writeFrame(c.in, req); err != nil {
		return ex, silent, errors.Join(errStopped, err)
	}
	limit := maxReply(req.Limits)
	for {
		var r reply
		if err := readFrame(c.out, limit, &r); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errStopped
			}
			return ex, silent, err
		}
		silent = false
		switch {
		case r.Progress != nil:
			progress(r.Progress.Done, r.Progress.Total)
		case r.Failure != nil:
			c.documents, c.memory = c.documents+1, r.Memory
			if r.Failure.Code != "" {
				return ex, silent, kyro.Errorf(r.Failure.Code, "%s", r.Failure.Message)
			}
			return ex, silent, fmt.Errorf("%w: %s", errReported, r.Failure.Message)
		case r.Result != nil:
			c.documents, c.memory = c.documents+1, r.Memory
			return *r.Result, silent, sane(r.Result, req.Limits)
		default:
			return ex, silent, errors.New("the extractor sent an empty reply")
		}
	}
}

// sane distrusts what comes out of a child: a file may have taken it over.
func sane(ex *kyro.Extraction, limits kyro.Limits) error {
	if len(ex.Text) > limits.MaxExtractedText || len(ex.Blocks) > maxBlocks || ex.Pages > limits.MaxPages || len(ex.Warnings) > limits.MaxPages+1 {
		return errors.New("the extractor sent more than its limits")
	}
	at := 0
	for _, b := range ex.Blocks {
		if b.Start < at || b.End < b.Start || b.End > len(ex.Text) || !onRune(ex.Text, b.Start) || !onRune(ex.Text, b.End) {
			return errors.New("the extractor sent blocks outside of the text")
		}
		at = b.End
	}
	return nil
}

func onRune(s string, i int) bool { return i == len(s) || utf8.RuneStart(s[i]) }
