// Package eval measures how well a server answers: it feeds it documents, asks it questions whose answers are known,
// and counts what comes back, as an ordinary client of the public API. It believes nothing that it can check: a
// citation counts as valid when the document's stored text has the quote at the offsets, not when the server says so.
//
// What failed counts as missed. A share is of all that was asked for, so that errors make figures worse, never better,
// and every figure carries what it was counted over.
package eval

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"kyrochat/client"
)

// Bounds of Options.
const (
	MinDepth           = 10 // that of the figures
	MaxDepth           = 50 // that of Bot.search
	DefaultConcurrency = 4
	MaxConcurrency     = 64
)

// Options are how a set is run. The zero values of the bot's settings leave them to the server.
type Options struct {
	Depth       int  // passages of a search that count, MinDepth to MaxDepth
	Concurrency int  // documents or questions in work at once, 1 to MaxConcurrency
	Limit       int  // of the questions, in their order; 0: all
	NoAnswers   bool // retrieval only

	TopK     *int
	MinScore *float64
	Model    *string
}

// Server is a server to be measured, which nobody else uses.
type Server struct {
	URL string
	// Settled returns once the server has nothing left to do in the background and the index outside of it nothing left
	// of the deleted bot, or with an error that says what is left when ctx ends.
	Settled func(ctx context.Context, bot string) error
	Stop    func() error
}

// Start starts a server that keeps its data in the folder.
type Start func(ctx context.Context, dataDir string) (Server, error)

// settleTime is how long the server gets to remove what it made elsewhere.
const settleTime = 3 * time.Minute

var errUnasked = errors.New("interrupted before a question was asked")

// Run measures a server of its own, in a folder that is removed at the end, as is what the server put into an index
// outside of it. The report is nil when nothing was measured. Together with an error it tells what was measured until
// then: when ctx ended, or when what was made elsewhere could not be removed.
func Run(ctx context.Context, set *Set, o Options, start Start, screen io.Writer) (report *Report, err error) {
	dataDir, err := os.MkdirTemp("", "kyrochat-eval-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	also := func(what string, act func() error) {
		if e := act(); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", what, e))
		}
	}
	defer also("remove the folder", func() error { return os.RemoveAll(dataDir) })
	server, err := start(ctx, dataDir)
	if err != nil && ctx.Err() != nil {
		return nil, errUnasked
	}
	if err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	defer also("stop the server", server.Stop)
	api, err := client.New(server.URL, client.Options{})
	if err != nil {
		return nil, err
	}
	r := &run{api: api, set: set, options: o, progress: newProgress(screen), now: time.Now}
	defer also("clean up", func() error { return r.cleanUp(context.WithoutCancel(ctx), server) })
	report, err = r.measure(ctx)
	if ctx.Err() == nil {
		return report, err
	}
	if report == nil {
		return nil, errUnasked
	}
	return report, fmt.Errorf("interrupted after %d of %d questions", len(report.Outcomes), report.Chosen)
}

// run is one evaluation in progress.
type run struct {
	api       *client.Client
	set       *Set
	options   Options
	progress  *progress
	now       func() time.Time
	info      ServerInfo
	bot       string
	documents []*stored // in the set's order
}

// measure gives a report, also with the error of ctx, as soon as questions were asked.
func (r *run) measure(ctx context.Context) (*Report, error) {
	if err := r.setUp(ctx); err != nil {
		return nil, err
	}
	if err := r.ingest(ctx); err != nil {
		return nil, err
	}
	if err := r.locate(); err != nil {
		return nil, err
	}
	chosen := r.set.Questions
	if r.options.Limit > 0 {
		chosen = chosen[:min(r.options.Limit, len(chosen))]
	}
	outcomes, err := r.askAll(ctx, chosen)
	if err != nil && (ctx.Err() == nil || len(outcomes) == 0) {
		return nil, err
	}
	return newReport(r, len(chosen), outcomes), err
}

// cleanUp deletes the bot, which removes from an index outside of the server what the server put there.
func (r *run) cleanUp(ctx context.Context, server Server) error {
	if r.bot == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	if err := r.deleteBot(ctx); err != nil {
		return err
	}
	if r.info.Vectors == embedded { // goes with the folder
		return nil
	}
	r.progress.say("removing what was put into the index (%s)", r.info.Vectors)
	defer r.progress.done()
	if err := server.Settled(ctx, r.bot); err != nil {
		return fmt.Errorf("the index (%s) may still hold vectors of this run: %w", r.info.Vectors, err)
	}
	return nil
}
