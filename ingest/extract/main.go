package extract

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"kyrochat/kyro"
)

const (
	// childMemory is where a child's collector starts to work hard, in bytes.
	childMemory = 384 << 20
	// tidyAbove is how much memory a child may keep between two documents before it gives some back.
	tidyAbove = 128 << 20
)

// Main is the command `extract`: it reads files for a [Pool] until standard input ends, and then ends itself, also
// in the middle of a file, so that no child outlives its parent. It first gives up what it does not need of the
// machine; with the first request, which says where the PDF engine's machine code is, also files and connections. It needs
// nothing from the environment.
func Main(stdin io.Reader, stdout io.Writer) error {
	debug.SetMemoryLimit(childMemory)
	runtime.GOMAXPROCS(2) // one reads; the other watches standard input and collects garbage
	if err := confine(); err != nil {
		return err
	}
	return serve(stdin, stdout, &reader{given: receiver(), enclose: enclose}, func() { os.Exit(1) })
}

// serve answers requests in order. abandon is called when the input ends while a file is being read.
func serve(stdin io.Reader, stdout io.Writer, r *reader, abandon func()) error {
	requests := make(chan request)
	var busy atomic.Int32 // requests that were read and not answered
	var broken error
	go func() {
		defer close(requests)
		for {
			var req request
			if err := readFrame(stdin, maxRequest, &req); err != nil {
				if !errors.Is(err, io.EOF) {
					broken = err
				}
				if busy.Load() > 0 {
					abandon()
				}
				return
			}
			busy.Add(1)
			requests <- req
		}
	}()
	defer r.close()
	for req := range requests {
		if err := r.answer(stdout, req); err != nil {
			return err
		}
		busy.Add(-1)
	}
	return broken
}

// answer reads one file and writes the replies.
func (r *reader) answer(stdout io.Writer, req request) error {
	if r.enclose != nil {
		// Only a child that gets no file may write: what one leaves in the cache, those that read others' files run.
		if err := r.enclose(req.CacheDir, req.Original.Path == ""); err != nil {
			return fmt.Errorf("giving up files and connections: %w", err)
		}
		r.enclose = nil
	}
	if err := writeFrame(stdout, reply{Begun: true}); err != nil {
		return err
	}
	allowCPU(req.Limits.ExtractTimeout)
	r.cacheDir = req.CacheDir
	told := -1
	ex, err := r.read(req.Original, req.Limits, func(done, total int) {
		// A hundred steps are as fine as anybody looks.
		if percent := done * 100 / max(total, 1); percent != told {
			told = percent
			_ = writeFrame(stdout, reply{Progress: &stage{done, total}})
		}
	})
	out := reply{Memory: heldMemory()}
	if err == nil {
		out.Result = &ex
		return writeResult(stdout, out)
	}
	out.Failure = &failure{Message: err.Error()}
	if e, ok := errors.AsType[*kyro.Error](err); ok {
		out.Failure = &failure{Code: e.Code, Message: e.Message}
	}
	return writeFrame(stdout, out)
}

func (r *reader) close() {
	if r.pdf != nil {
		r.pdf.close()
	}
}

// heldMemory is what this process keeps of the machine's memory, after giving back what it can.
func heldMemory() uint64 {
	held := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.Sys - m.HeapReleased
	}
	n := held()
	if n > tidyAbove {
		debug.FreeOSMemory()
		n = held()
	}
	return n
}
