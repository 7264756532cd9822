package extract

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"kyrochat/kyro"
)

const (
	// maxChildren read at the same time; more files wait.
	maxChildren = 4
	// maxDocuments is how many files a child reads before it is replaced.
	maxDocuments = 50
	// maxMemory is what a child may hold after a file and still be kept, in bytes.
	maxMemory = 256 << 20
	// maxCrashes is how many children a file may end before it counts as the one to blame.
	maxCrashes = 2
	// leastShare is the part of the time, one in so many, that a child has had a processor for where the file is to blame that it
	// took too long.
	leastShare = 4
	// idleTime is how long a child without work is kept.
	idleTime = time.Minute
)

// Pool reads files in processes of its own, which it starts when they are needed, keeps warm, and replaces. It
// is safe for use by several goroutines and satisfies ingest.Extractor. Close ends it.
type Pool struct {
	command   []string
	limits    kyro.Limits
	log       *slog.Logger
	slots     chan struct{}
	afterFunc func(time.Duration, func()) (stop func() bool)

	mu        sync.Mutex
	idle      []*child // the one used last is at the end
	running   map[*child]bool
	closed    bool
	cacheDir  string // "" until the first child starts
	tempCache bool   // the cache is the pool's own and goes with it
	work      sync.WaitGroup
	warm      chan struct{} // closed when the PDF engine was compiled, or will not be; nil before the first PDF
}

// NewPool makes a pool. command starts a process that runs [Main]; nil is this program with the argument extract.
// Of the limits MaxExtractedText, MaxPages and ExtractTimeout hold. No process is started yet.
func NewPool(command []string, limits kyro.Limits, log *slog.Logger) *Pool {
	if open := unconfined(); open != "" {
		log.Warn("files of people are read with fewer walls than there could be: this system has no means for some", "part", "extract", "open", open)
	}
	children, _ := Needs()
	return &Pool{
		command: command, limits: limits, log: log.With("part", "extract"),
		slots:     make(chan struct{}, children),
		afterFunc: func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop },
		running:   map[*child]bool{},
	}
}

// Extract reads one file of a type that [Sniff] gave. progress, which may be nil, is called with the pages done.
//
// Errors are kyro errors: UNSUPPORTED_TYPE, FILE_EMPTY, VALIDATION for a damaged or protected file, LIMIT_REACHED
// for too many pages or too much text, TIMEOUT after ExtractTimeout (not counting the waits for a free process and
// for the PDF engine to be compiled), because of kyro.ErrNotRun where the process did not come to the file or had no
// processor for a quarter of that time, VALIDATION also for one that ends the process twice that reads it, LIMIT_REACHED
// also for one that takes too much memory, UNAVAILABLE when the pool is closed. The end of ctx gives its own error, because
// of kyro.ErrNotRun likewise, or kyro.ErrJobAgain where the PDF engine was still being compiled, which is no fault of the file.
func (p *Pool) Extract(ctx context.Context, original kyro.Original, progress func(done, total int)) (kyro.Extraction, error) {
	if progress == nil {
		progress = func(int, int) {}
	}
	path, err := filepath.Abs(original.Path)
	if err != nil {
		return kyro.Extraction{}, fmt.Errorf("finding the file: %w", err)
	}
	original.Path = path
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return kyro.Extraction{}, ctx.Err()
	}
	if original.MimeType == PDF {
		if err := p.warmUp(ctx); err != nil {
			return kyro.Extraction{}, err
		}
	}
	timed, cancel := ctx, context.CancelFunc(func() {})
	if p.limits.ExtractTimeout > 0 {
		timed, cancel = context.WithTimeout(ctx, p.limits.ExtractTimeout)
	}
	defer cancel()
	for crashes := 0; ; {
		start := time.Now()
		c, cacheDir, err := p.take()
		if err != nil {
			return kyro.Extraction{}, err
		}
		used, had := c.documents > 0, spent(c.process.Pid)
		ex, silent, err := c.extract(timed, request{Original: original, Limits: p.limits, CacheDir: cacheDir}, progress)
		if answered(err) && timed.Err() == nil {
			p.giveBack(c)
			return ex, err
		}
		took := time.Since(start)
		p.retire(c)
		if used && silent && timed.Err() == nil && errors.Is(err, errStopped) {
			continue // it had died since its last file; that is not this file's fault
		}
		worked := c.spent - had
		explained := p.explain(ctx, timed, c, silent || stood(took, worked), err)
		if !answered(err) && errors.Is(timed.Err(), context.DeadlineExceeded) {
			p.log.Warn("extraction timed out", "after", took, "worked", worked, "begun", !silent)
		}
		if crashes++; crashes < maxCrashes && errors.Is(explained, errCrashed) {
			continue // the machine may be to blame
		}
		return ex, explained
	}
}

// stood reports that a child which took so long, and worked for so much of it, hardly had a processor.
func stood(took, worked time.Duration) bool { return took > worked*leastShare }

// answered reports that the child did its work and can be used again.
func answered(err error) bool {
	if err == nil {
		return true
	}
	_, ok := errors.AsType[*kyro.Error](err)
	return ok || errors.Is(err, errReported)
}

// explain turns the end of a child into an error for a person. stood says that it hardly ran.
func (p *Pool) explain(ctx, timed context.Context, c *child, stood bool, err error) error {
	var cause error
	if stood {
		cause = kyro.ErrNotRun
	}
	switch {
	case err == nil: // it answered, and was killed only afterwards
		return nil
	case answered(err):
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return errors.Join(ctx.Err(), cause)
	case ctx.Err() != nil:
		return ctx.Err()
	case timed.Err() != nil:
		return kyro.Errorf(kyro.CodeTimeout,
			"The file could not be read within %s. It may be damaged or too complex; try a simpler or smaller file.", p.limits.ExtractTimeout).
			Because(cause)
	case p.isClosed():
		return errClosed()
	case errors.Is(err, errFrameTooLarge):
		return textTooLong(p.limits)
	}
	if c.fat.Load() {
		p.log.Warn("extractor stopped for its memory", "most", maxResident)
		return kyro.Errorf(kyro.CodeLimitReached,
			"Reading the file takes more memory than one file may. It may be damaged or too complex; try a simpler or smaller file.")
	}
	p.log.Error("extractor stopped", "error", err, "process", c.why)
	return kyro.Errorf(kyro.CodeValidation,
		"The file could not be read: whatever reads it is stopped by it. It may be damaged; save it again with the program that made it.").
		Because(errors.Join(errCrashed, err, c.why))
}

// errCrashed is the end of a child in the middle of a file.
var errCrashed = errors.New("the extractor stopped in the middle of a file")

func errClosed() error {
	return kyro.Errorf(kyro.CodeUnavailable, "The file could not be read: the server is shutting down. Try again in a moment.")
}

func (p *Pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// take gives an idle child or starts one, and the folder for what it compiles.
func (p *Pool) take() (c *child, cacheDir string, err error) {
	if c, cacheDir, err = p.takeIdle(); c != nil || err != nil {
		return c, cacheDir, err
	}
	if c, err = p.start(); err != nil {
		p.work.Done()
		return nil, "", err
	}
	p.mu.Lock()
	if !p.closed {
		p.running[c] = true
		p.mu.Unlock()
		return c, cacheDir, nil
	}
	p.mu.Unlock()
	c.stop()
	p.work.Done()
	return nil, "", errClosed()
}

// takeIdle gives an idle child, if there is one. Otherwise there is work for the one that is to be started.
func (p *Pool) takeIdle() (c *child, cacheDir string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, "", errClosed()
	}
	if p.cacheDir == "" {
		p.cacheDir, p.tempCache = makeCacheDir(p.log)
	}
	if n := len(p.idle); n > 0 {
		c = p.idle[n-1]
		p.idle = p.idle[:n-1]
		c.stopTimer()
		p.running[c] = true
		return c, p.cacheDir, nil
	}
	p.work.Add(1)
	return nil, p.cacheDir, nil
}

// start starts a child. Nothing is held meanwhile: on a busy machine it takes a while.
func (p *Pool) start() (*child, error) {
	command := p.command
	if len(command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("finding this program: %w", err)
		}
		command = []string{self, "extract"}
	}
	c, err := startChild(command)
	if err != nil {
		p.log.Error("extractor not started", "error", err)
		return nil, kyro.Errorf(kyro.CodeUnavailable,
			"The file could not be read: the extractor did not start. Try again in a moment.").Because(err)
	}
	return c, nil
}

// giveBack keeps a child for the next file, or replaces it when it has read enough.
func (p *Pool) giveBack(c *child) {
	if c.documents >= maxDocuments || c.memory > maxMemory {
		p.retire(c)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return // Close stops it
	}
	delete(p.running, c)
	p.idle = append(p.idle, c)
	c.stopTimer = p.afterFunc(idleTime, func() { p.retireIdle(c) })
}

// retireIdle stops a child that nobody took in the meantime.
func (p *Pool) retireIdle(c *child) {
	p.mu.Lock()
	found := false
	for i, other := range p.idle {
		if other == c {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			p.running[c], found = true, true // ours to stop
			break
		}
	}
	p.mu.Unlock()
	if found {
		p.retire(c)
	}
}

// retire stops a child for good.
func (p *Pool) retire(c *child) {
	p.mu.Lock()
	mine := p.running[c]
	delete(p.running, c)
	p.mu.Unlock()
	if mine {
		c.stop()
		p.work.Done()
		return
	}
	<-c.ended // Close stops it
}

// Close stops all children, also those at work, and waits until they are gone. Extract fails from then on.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	stop := p.idle
	p.idle = nil
	for _, c := range stop {
		c.stopTimer()
	}
	for c := range p.running {
		stop = append(stop, c)
	}
	clear(p.running)
	temp := ""
	if p.tempCache {
		temp, p.tempCache = p.cacheDir, false
	}
	p.mu.Unlock()
	for _, c := range stop {
		c.stop()
		p.work.Done()
	}
	p.work.Wait()
	if temp != "" {
		return os.RemoveAll(temp)
	}
	return nil
}

// makeCacheDir is where the PDF engine's machine code is kept: below the user's cache folder, which nobody else may
// write to. Where there is none it is a new folder of the pool's own; a fixed name below the folder for temporary
// files would let others put code there.
func makeCacheDir(log *slog.Logger) (dir string, temporary bool) {
	if base, err := os.UserCacheDir(); err == nil {
		dir = filepath.Join(base, "kyrochat")
		if os.MkdirAll(dir, 0o700) == nil && writable(dir) {
			return dir, false
		}
	}
	dir, err := os.MkdirTemp("", "kyrochat-cache-")
	if err != nil {
		log.Warn("no folder for the PDF engine's cache; each extractor starts slowly", "error", err)
		return "", false
	}
	return dir, true
}

func writable(dir string) bool {
	f, err := os.CreateTemp(dir, "probe-*")
	if err != nil {
		return false
	}
	_, _ = f.Close(), os.Remove(f.Name())
	return true
}
