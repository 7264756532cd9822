package extract_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"kyrochat/ingest/extract"
	"kyrochat/kyro"
)

func TestPoolReadsAndReuses(t *testing.T) {
	t.Parallel()
	p := newPool(t, kyro.DefaultLimits())
	for _, c := range []struct{ mime, content, text string }{
		{extract.Plain, "Hello\r\nworld", "Hello\nworld"},
		{extract.Markdown, "# Title\n\nText", "# Title\n\nText"},
	} {
		done := 0
		ex, err := p.Extract(t.Context(), kyro.Original{Path: file(t, []byte(c.content)), MimeType: c.mime}, func(n, _ int) { done = n })
		if err != nil || ex.Text != c.text || ex.MimeType != c.mime || done != 1 {
			t.Errorf("%s: %q, progress %d, %v", c.mime, ex.Text, done, err)
		}
	}
	if ids := p.Children(); len(ids) != 1 {
		t.Errorf("children %v: the second file should have found the first one's", ids)
	}
}

func TestPoolAsksForAnotherTurnWhileTheEngineIsCompiled(t *testing.T) {
	t.Parallel()
	p := extract.NewPool([]string{"sleep", "600"}, kyro.DefaultLimits(), discard()) // for a slow machine
	defer p.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := p.Extract(ctx, kyro.Original{Path: file(t, []byte("%PDF-")), MimeType: extract.PDF}, nil); !errors.Is(err, kyro.ErrJobAgain) {
		t.Error(err)
	}
}

func TestPoolPassesErrorsOn(t *testing.T) {
	t.Parallel()
	limits := kyro.DefaultLimits()
	limits.MaxExtractedText = 1000
	p := newPool(t, limits)
	for name, c := range map[string]struct {
		mime    string
		content []byte
		code    kyro.Code
		message string
	}{
		"empty":        {extract.Plain, nil, kyro.CodeFileEmpty, "empty"},
		"empty pdf":    {extract.PDF, nil, kyro.CodeFileEmpty, "empty"},
		"binary":       {extract.Plain, []byte("some text\x00\x01\x02"), kyro.CodeUnsupportedType, "binary"},
		"too long":     {extract.Plain, bytes.Repeat([]byte("words "), 200), kyro.CodeLimitReached, "1000 bytes"},
		"far too long": {extract.Plain, bytes.Repeat([]byte("words "), 2000), kyro.CodeLimitReached, "1000 bytes"},
		"type":         {"image/png", []byte("x"), kyro.CodeUnsupportedType, "Markdown, CSV, JSON and plain text"},
	} {
		_, err := p.Extract(t.Context(), kyro.Original{Path: file(t, c.content), MimeType: c.mime}, nil)
		wantError(t, name, err, c.code, c.message)
	}
	_, err := p.Extract(t.Context(), kyro.Original{Path: "/nowhere/at/all", MimeType: extract.Plain}, nil)
	if err == nil || kyro.ErrorCode(err) != kyro.CodeInternal {
		t.Errorf("a missing file gives %v", err)
	}
	if n := len(p.Children()); n != 1 {
		t.Errorf("%d children are left, want the one that answered all", n)
	}
}

func wantError(t *testing.T, name string, err error, code kyro.Code, message string) {
	t.Helper()
	e, ok := errors.AsType[*kyro.Error](err)
	if !ok || e.Code != code || !strings.Contains(e.Message, message) {
		t.Errorf("%s: got %v, want %s with %q", name, err, code, message)
	}
}

func TestPoolSurvivesItsChildren(t *testing.T) {
	t.Parallel()
	limits := kyro.DefaultLimits()
	limits.MaxExtractedText = 1000
	for how, want := range map[string]struct {
		code    kyro.Code
		message string
	}{
		"crash":                   {kyro.CodeValidation, "is stopped by it"},
		"progress-then-crash":     {kyro.CodeValidation, "is stopped by it"},
		"garbage":                 {kyro.CodeValidation, "is stopped by it"},
		"empty":                   {kyro.CodeValidation, "is stopped by it"},
		"bad-blocks":              {kyro.CodeValidation, "is stopped by it"},
		"bad-pages":               {kyro.CodeValidation, "is stopped by it"},
		"half-a-text":             {kyro.CodeValidation, "is stopped by it"},
		"long-text":               {kyro.CodeLimitReached, "1000 bytes"},
		"fat":                     {kyro.CodeLimitReached, "more memory than one file may"},
		"huge":                    {kyro.CodeLimitReached, "1000 bytes"},
		"no-utf8":                 {kyro.CodeValidation, "is stopped by it"},
		"nul":                     {kyro.CodeValidation, "is stopped by it"},
		"not-composed":            {kyro.CodeValidation, "is stopped by it"},
		"unseen":                  {kyro.CodeValidation, "is stopped by it"},
		"odd-block":               {kyro.CodeValidation, "is stopped by it"},
		"block-of-no-page":        {kyro.CodeValidation, "is stopped by it"},
		"negative-pages":          {kyro.CodeValidation, "is stopped by it"},
		"odd-warning":             {kyro.CodeValidation, "is stopped by it"},
		"warning-of-no-page":      {kyro.CodeValidation, "is stopped by it"},
		"endless-progress":        {kyro.CodeValidation, "is stopped by it"},
		"more-done-than-there-is": {kyro.CodeValidation, "is stopped by it"},
		// What would mean to whoever works on the document that its run is over, or that it is to be read for ever.
		"run-is-over":    {kyro.CodeValidation, "is stopped by it"},
		"come-again":     {kyro.CodeValidation, "is stopped by it"},
		"silent-failure": {kyro.CodeValidation, "is stopped by it"},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			p := newPool(t, limits, how)
			for range 2 {
				_, err := p.Extract(t.Context(), kyro.Original{Path: file(t, []byte("x")), MimeType: extract.Plain}, nil)
				wantError(t, how, err, want.code, want.message)
				if ids := p.Children(); len(ids) != 0 {
					t.Errorf("children %v are kept", ids)
				}
			}
		})
	}
}

// TestChildrenSayLittleToPeople: what they say is one line, and no longer than it needs to be.
func TestChildrenSayLittleToPeople(t *testing.T) {
	t.Parallel()
	p := newPool(t, kyro.DefaultLimits(), "long-story")
	_, err := p.Extract(t.Context(), kyro.Original{Path: file(t, []byte("x")), MimeType: extract.Plain}, nil)
	if known, ok := errors.AsType[*kyro.Error](err); !ok || len(known.Message) > 1_000 || strings.ContainsAny(known.Message, "\r\n\u202e") {
		t.Errorf("%.300v", err)
	}
	p = newPool(t, kyro.DefaultLimits(), "tall-tales")
	ex, err := p.Extract(t.Context(), kyro.Original{Path: file(t, []byte("x")), MimeType: extract.Plain}, nil)
	if err != nil || ex.MimeType != extract.Plain || len(ex.Title) > 1_000 || strings.Contains(ex.Title, "\a") || len(ex.Warnings) != 1 ||
		len(ex.Warnings[0].Message) > 1_000 || strings.Contains(ex.Warnings[0].Message, "\n") {
		t.Errorf("%v, %.3000v", err, ex)
	}
}

func TestPoolTimesOut(t *testing.T) {
	t.Parallel()
	limits := kyro.DefaultLimits()
	limits.ExtractTimeout = 300 * time.Millisecond
	p := newPool(t, limits, "stall")
	_, err := p.Extract(t.Context(), kyro.Original{Path: file(t, []byte("x")), MimeType: extract.Plain}, nil)
	wantError(t, "stall", err, kyro.CodeTimeout, "300ms")
	if !errors.Is(err, kyro.ErrNotRun) {
		t.Errorf("the file is to blame, to which the process did not come: %v", err)
	}
	idle := limits
	idle.ExtractTimeout = 3 * time.Second // of which its start is a small part
	p = newPool(t, idle, "hang")
	_, err = p.Extract(t.Context(), kyro.Original{Path: file(t, []byte("x")), MimeType: extract.Plain}, nil)
	wantError(t, "hang", err, kyro.CodeTimeout, "3s")
	if !errors.Is(err, kyro.ErrNotRun) {
		t.Errorf("a process that does nothing is taken for one that worked: %v", err)
	}
	if runtime.GOOS != "linux" {
		return // nobody can tell what a process had before
	}
	p = newPool(t, limits, "spin")
	for begin := time.Now(); time.Since(begin) < 5*time.Minute; { // on a busy machine, one that would work may not be let
		_, err = p.Extract(t.Context(), kyro.Original{Path: file(t, []byte("x")), MimeType: extract.Plain}, nil)
		wantError(t, "spin", err, kyro.CodeTimeout, "300ms")
		if !errors.Is(err, kyro.ErrNotRun) {
			return
		}
	}
	t.Error("a process that works all the time is taken for one that hardly ran")
}

func TestPoolEndsWithTheContext(t *testing.T) {
	t.Parallel()
	p := newPool(t, kyro.DefaultLimits(), "hang")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := p.Extract(ctx, kyro.Original{Path: file(t, []byte("x")), MimeType: extract.Plain}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := p.Extract(ctx, kyro.Original{Path: file(t, []byte("x")), MimeType: extract.Plain}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPoolReplacesADeadChild(t *testing.T) {
	t.Parallel()
	p := newPool(t, kyro.DefaultLimits())
	for range 2 {
		if _, err := p.Extract(t.Context(), kyro.Original{Path: file(t, []byte("x")), MimeType: extract.Plain}, nil); err != nil {
			t.Fatal(err)
		}
		p.KillIdle()
	}
	p2 := newPool(t, kyro.DefaultLimits(), "once")
	for range 2 {
		if ex, err := p2.Extract(t.Context(), kyro.Original{Path: file(t, []byte("x")), MimeType: extract.Plain}, nil); err != nil || ex.Text != "once" {
			t.Fatal(ex, err)
		}
	}
}

func TestPoolReplacesAfterManyDocuments(t *testing.T) {
	t.Parallel()
	p := newPool(t, kyro.DefaultLimits())
	path := file(t, []byte("x"))
	first := 0
	for i := range extract.MaxDocuments {
		if _, err := p.Extract(t.Context(), kyro.Original{Path: path, MimeType: extract.Plain}, nil); err != nil {
			t.Fatal(err)
		}
		ids := p.Children()
		switch {
		case i == 0:
			first = ids[0]
		case i < extract.MaxDocuments-1 && (len(ids) != 1 || ids[0] != first):
			t.Fatalf("after %d documents: children %v, want %d", i+1, ids, first)
		case i == extract.MaxDocuments-1 && len(ids) != 0:
			t.Fatalf("after %d documents: children %v, want none", i+1, ids)
		}
	}
}

// timers collects what would run later.
type timers struct {
	mu  sync.Mutex
	due []func()
	d   time.Duration
}

func (c *timers) after(d time.Duration, f func()) func() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.d = d
	i := len(c.due)
	c.due = append(c.due, f)
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.due[i] = nil
		return true
	}
}

func (c *timers) fire() {
	c.mu.Lock()
	due := c.due
	c.due = nil
	c.mu.Unlock()
	for _, f := range due {
		if f != nil {
			f()
		}
	}
}

func TestPoolStopsIdleChildren(t *testing.T) {
	t.Parallel()
	p := newPool(t, kyro.DefaultLimits())
	var clock timers
	p.SetTimer(clock.after)
	path := file(t, []byte("x"))
	for range 2 {
		if _, err := p.Extract(t.Context(), kyro.Original{Path: path, MimeType: extract.Plain}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.Children()) != 1 || clock.d != extract.IdleTime {
		t.Fatalf("children %v, timer of %s", p.Children(), clock.d)
	}
	clock.fire()
	if ids := p.Children(); len(ids) != 0 {
		t.Errorf("children %v are left", ids)
	}
	if _, err := p.Extract(t.Context(), kyro.Original{Path: path, MimeType: extract.Plain}, nil); err != nil {
		t.Error(err)
	}
}

func TestPoolIsParallel(t *testing.T) {
	t.Parallel()
	if runtime.NumCPU() < 2 {
		t.Skip("one processor: one child")
	}
	p := newPool(t, kyro.DefaultLimits())
	path := file(t, []byte("x"))
	// Two files meet inside of their progress: neither could get there if they took turns.
	var met sync.WaitGroup
	met.Add(2)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			_, err := p.Extract(t.Context(), kyro.Original{Path: path, MimeType: extract.Plain}, func(int, int) { met.Done(); met.Wait() })
			if err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
}

func TestChildHasNoEnvironment(t *testing.T) {
	t.Setenv("KYRO_SECRET", "not for children")
	p := newPool(t, kyro.DefaultLimits(), "environment")
	ex, err := p.Extract(t.Context(), kyro.Original{Path: file(t, []byte("x")), MimeType: extract.Plain}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && ex.Text != "[]" {
		t.Errorf("the child sees %s", ex.Text)
	}
}

func TestPoolCloseStopsWork(t *testing.T) {
	t.Parallel()
	p := newPool(t, kyro.DefaultLimits(), "hang")
	started := make(chan struct{})
	failed := make(chan error)
	path := file(t, []byte("x"))
	go func() {
		close(started)
		_, err := p.Extract(context.Background(), kyro.Original{Path: path, MimeType: extract.Plain}, nil)
		failed <- err
	}()
	<-started
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, "at work", <-failed, kyro.CodeUnavailable, "shutting down")
	_, err := p.Extract(t.Context(), kyro.Original{Path: path, MimeType: extract.Plain}, nil)
	wantError(t, "afterwards", err, kyro.CodeUnavailable, "shutting down")
}

func TestPoolWithoutProgram(t *testing.T) {
	t.Parallel()
	limits := kyro.DefaultLimits()
	p := extract.NewPool([]string{"/nowhere/kyrochat", "extract"}, limits, discard())
	defer p.Close()
	_, err := p.Extract(t.Context(), kyro.Original{Path: file(t, []byte("x")), MimeType: extract.Plain}, nil)
	wantError(t, "no program", err, kyro.CodeUnavailable, "did not start")
}

// A child must not outlive its parent: it ends when its input does, also in the middle of a file.
func TestChildEndsWithItsInput(t *testing.T) {
	t.Parallel()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	process, err := os.StartProcess(os.Args[0], []string{os.Args[0], "extract"}, &os.ProcAttr{Files: []*os.File{in, nil, nil}})
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	state, err := process.Wait()
	if err != nil || !state.Exited() {
		t.Errorf("%v, %v", state, err)
	}
}

func TestPoolReadsPDF(t *testing.T) {
	t.Parallel()
	doc := fpdf.New("P", "mm", "A4", "")
	doc.SetFont("Helvetica", "", 11)
	for i := range 3 {
		doc.AddPage()
		doc.MultiCell(0, 5, fmt.Sprintf("This is what stands on page %d.", i+1), "", "L", false)
	}
	var b bytes.Buffer
	if err := doc.Output(&b); err != nil {
		t.Fatal(err)
	}
	p := newPool(t, kyro.DefaultLimits())
	var done, total []int
	ex, err := p.Extract(t.Context(), kyro.Original{Path: file(t, b.Bytes()), MimeType: extract.PDF}, func(d, n int) { done, total = append(done, d), append(total, n) })
	if err != nil {
		t.Fatal(err)
	}
	if ex.MimeType != extract.PDF || ex.Pages != 3 || len(ex.Blocks) != 3 || ex.Blocks[2].Page != 3 {
		t.Errorf("got %+v", ex)
	}
	if want := "This is what stands on page 1.\n\nThis is what stands on page 2.\n\nThis is what stands on page 3."; ex.Text != want {
		t.Errorf("text %q", ex.Text)
	}
	if fmt.Sprint(done, total) != "[0 1 2 3] [3 3 3 3]" {
		t.Errorf("progress %v of %v", done, total)
	}
	if ids := p.Children(); len(ids) != 1 {
		t.Errorf("children %v: the one that compiled the engine should have read the file", ids)
	}
	_, err = p.Extract(t.Context(), kyro.Original{Path: file(t, []byte("%PDF-1.7 nothing")), MimeType: extract.PDF}, nil)
	wantError(t, "damaged", err, kyro.CodeValidation, "damaged")
}
