package extract

import (
	"context"
	"errors"
	"time"

	"kyrochat/kyro"
)

// warmTime is the longest that the PDF engine may take to compile.
const warmTime = 5 * time.Minute

// warmUp waits until the PDF engine is compiled, which the first PDF does otherwise. It takes seconds once after an
// installation and a moment from then on, and goes on when ctx ends: nobody's patience must be able to prevent that
// it is ever done.
func (p *Pool) warmUp(ctx context.Context) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return errClosed()
	}
	if p.warm == nil {
		p.warm = make(chan struct{})
		p.work.Add(1)
		go func() {
			defer p.work.Done()
			p.compile()
		}()
	}
	warm := p.warm
	p.mu.Unlock()
	select {
	case <-warm:
		return nil
	case <-ctx.Done():
		return errors.Join(kyro.ErrJobAgain, ctx.Err())
	}
}

// compile has a child load the PDF engine, which leaves the machine code in the cache.
func (p *Pool) compile() {
	defer close(p.warm)
	c, cacheDir, err := p.take()
	if err != nil {
		return // whoever reads the next PDF meets the same
	}
	limits := p.limits
	limits.ExtractTimeout = warmTime
	ctx, cancel := context.WithTimeout(context.Background(), warmTime) // Close ends it by killing the child
	defer cancel()
	start := time.Now()
	_, _, err = c.extract(ctx, request{Original: kyro.Original{MimeType: PDF}, Limits: limits, CacheDir: cacheDir}, func(int, int) {})
	if err != nil {
		p.log.Error("PDF engine not compiled", "error", err)
		p.retire(c)
		return
	}
	p.log.Debug("PDF engine ready", "took", time.Since(start))
	p.retire(c) // it may write to the cache, which no child that reads a file may
}
