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
	"sync/atomic"
	"time"

	"kyrochat/kyro"
)

// child is a process that reads files. One goroutine at a time talks to it.
type child struct {
	process   *os.Process
	in        *os.File
	out       *bufio.Reader
	outFile   *os.File
	files     *handover
	ended     chan struct{} // closed when the process is gone and why is known
	why       error
	spent     time.Duration // on processors, known when it has ended
	modest    bool          // it has begun with a file, at a lower priority
	documents int           // answered so far
	memory    uint64        // held after the last one
	fat       atomic.Bool   // it was killed because it took too much memory
	stopTimer func() bool
}

const (
	// maxResident is the memory that a child may take while it reads, in bytes: what is beyond it when somebody looks again
	// stays below 512 MiB.
	maxResident = 448 << 20
	// watchEvery is how often somebody looks.
	watchEvery = 20 * time.Millisecond
)

// watch kills the child when it takes more memory than it may, until it is called off. The limits that the child sets
// itself cannot do that: the runtime reserves far more than it uses.
func (c *child) watch() (stop func()) {
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		look := time.NewTicker(watchEvery)
		defer look.Stop()
		for {
			select {
			case <-look.C:
				if resident(c.process.Pid) > maxResident {
					c.fat.Store(true)
					_ = c.process.Kill()
					return
				}
			case <-c.ended:
				return
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-gone }
}

// startChild starts a process with an empty environment in the folder for temporary files. The goroutine that
// starts it keeps its thread until the process has ended, for the kernel takes that thread for the parent. The process starts
// with the priority of this one, and is made to come after it when it begins with a file.
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
	cmd := exec.Command(command[0], command[1:]...) //nolint:gosec,noctx // this program itself; its owner ends it
	cmd.Env, cmd.Dir = []string{}, os.TempDir()
	cmd.Stdin, cmd.Stdout = inRead, outWrite
	var said firstLine
	cmd.Stderr = &said
	cmd.WaitDelay = time.Second
	dieWithParent(cmd)
	files, err := newHandover(cmd)
	if err != nil {
		_, _, _, _ = inRead.Close(), inWrite.Close(), outRead.Close(), outWrite.Close()
		return nil, err
	}
	c := &child{in: inWrite, out: bufio.NewReaderSize(outRead, 64<<10), outFile: outRead, files: files, ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread has given up rights, and ends with this goroutine
		giveUpRights()
		err := cmd.Start()
		_, _ = inRead.Close(), outWrite.Close()
		files.started()
		c.process = cmd.Process
		started <- err
		if err != nil {
			return
		}
		c.why = cmd.Wait()
		if end := cmd.ProcessState; end != nil {
			c.spent = end.UserTime() + end.SystemTime()
		}
		if c.why != nil && said.String() != "" {
			c.why = fmt.Errorf("%w: %s", c.why, said.String())
		}
		close(c.ended)
	}()
	if err := <-started; err != nil {
		_, _ = inWrite.Close(), outRead.Close()
		files.close()
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
	c.files.close()
}

// errStopped is the end of a child that was not asked to end.
var errStopped = errors.New("the extractor ended")

// errReported is an error that a child met, told and survived, and that the file is not to blame for.
var errReported = errors.New("extracting")

// extract has one file read. The child is killed when the context ends. silent reports that it ended without
// having said anything about this file, not even that it begins with it.
func (c *child) extract(ctx context.Context, req request, progress func(done, total int)) (ex kyro.Extraction, silent bool, err error) {
	stopKilling := context.AfterFunc(ctx, func() { _ = c.process.Kill() })
	defer stopKilling()
	stopWatching := c.watch()
	defer stopWatching()
	if req.Original.Path != "" {
		if err := c.files.give(req.Original.Path); err != nil {
			return ex, true, err
		}
	}
	silent = true
	if err := writeFrame(c.in, req); err != nil {
		return ex, silent, errors.Join(errStopped, err)
	}
	limit, steps := maxReply(req.Limits), 0
	for {
		var r reply
		if err := readFrame(c.out, limit, &r); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errStopped
			}
			return ex, silent, err
		}
		silent = false
		if steps++; steps > maxSteps || r.Progress != nil && !r.Progress.sane() {
			return ex, silent, errors.New("the extractor told of progress that there cannot be")
		}
		switch {
		case r.Begun:
			if !c.modest {
				makeModest(c.process.Pid)
				c.modest = true
			}
		case r.Progress != nil:
			progress(r.Progress.Done, r.Progress.Total)
		case r.Failure != nil:
			err := r.Failure.err()
			if answered(err) {
				c.documents, c.memory = c.documents+1, r.Memory
			}
			return ex, silent, err
		case r.Result != nil:
			text, err := receiveText(c.out, r.TextBytes, req.Limits.MaxExtractedText)
			if err != nil {
				return ex, silent, err
			}
			c.documents, c.memory = c.documents+1, r.Memory
			r.Result.Text, r.Result.MimeType = text, req.Original.MimeType
			return *r.Result, silent, sane(r.Result, req.Limits)
		default:
			return ex, silent, errors.New("the extractor sent an empty reply")
		}
	}
}
