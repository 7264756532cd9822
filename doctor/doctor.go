// Package doctor looks whether a server can run here and do its work, says what it found, and what to do about it. It changes
// nothing. docs/doctor.md lists all that it says.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"kyrochat/command"
	"kyrochat/config"
	"kyrochat/live"
	"kyrochat/store"
)

// doctorTime is how long all of it may take.
const doctorTime = 15 * time.Second

// Options are what is looked at, and how it is told.
type Options struct {
	Getenv  func(string) string // the settings, as a server reads them
	Environ []string            // the whole environment, where names are looked for that are misspelt
	Version string              // of this program
	Now     func() time.Time    // the clock of this machine
	MailTo  string              // who gets a mail that says that it is a test; empty: nobody
	JSON    bool
	Lenient bool // where there are warnings and no failures, nothing is wrong
}

// Examine looks at everything and tells what it found. Where something is to be mended it ends with command.Told: 1 for warnings, 2 for
// failures.
func Examine(ctx context.Context, o Options, out, errOut io.Writer) error {
	report := newReport(o.Version)
	p := newPatient(ctx, o)
	told := func(Finding) error { return nil }
	if !o.JSON {
		told = report.begin(out, p)
	}
	err := p.look(ctx, checks, newProgress(errOut), func(f Finding) error {
		f = p.scrub(f)
		report.add(f)
		return told(f)
	})
	if err == nil {
		err = report.end(out, o.JSON)
	}
	if err != nil {
		return err
	}
	if status := report.exitStatus(o.Lenient); status != 0 {
		return command.Told(status)
	}
	return nil
}

// patient is what is looked at: an installation with its settings, on this machine. What several checks want to know is
// found out once.
type patient struct {
	cfg     config.Config
	wrong   config.Mistakes
	getenv  func(string) string
	environ []string
	mailTo  string
	now     func() time.Time // of this machine

	ctx      context.Context // of everything that is asked
	database func() examinedDatabase
	redis    func() examinedRedis
	dates    func() []datedAnswer
	inUse    func() (bool, error) // whether a server has the folder
}

// newPatient reads the settings. Those that are wrong are left as far as they could be read.
func newPatient(ctx context.Context, o Options) *patient {
	p := &patient{getenv: o.Getenv, environ: o.Environ, mailTo: o.MailTo, now: o.Now, ctx: ctx}
	var err error
	p.cfg, err = config.Read(o.Getenv)
	if wrong, ok := errors.AsType[config.Mistakes](err); ok {
		p.wrong = wrong
	}
	p.database = sync.OnceValue(p.askDatabase)
	p.redis = sync.OnceValue(p.askRedis)
	p.dates = sync.OnceValue(p.askDates)
	p.inUse = sync.OnceValues(func() (bool, error) { return store.InUse(p.cfg.DataDir) })
	return p
}

// within is the context of one question.
func (p *patient) within(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.ctx, d)
}

// examinedDatabase and examinedRedis are what these say of themselves, or why they do not.
type examinedDatabase struct {
	store.Examined
	err error
}

type examinedRedis struct {
	live.Examined
	err error
}

// look has the checks done side by side, and tells what they found in their order. It returns when all is told, ctx ends,
// or telling fails. What does not come to its end by itself is left behind, until the process ends.
func (p *patient) look(ctx context.Context, list []check, shown *progress, told func(Finding) error) error {
	whole, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	p.ctx = whole
	found := make([]chan []Finding, len(list))
	for i, c := range list {
		found[i] = make(chan []Finding, 1)
		shown.began(c.name)
		go func() {
			began := time.Now()
			findings := p.check(c)
			for i := range findings {
				findings[i].Check, findings[i].Took = c.name, time.Since(began).Milliseconds()
			}
			shown.ended(c.name)
			found[i] <- findings
		}()
	}
	stop := shown.start(whole)
	defer stop()
	for _, each := range found {
		select {
		case findings := <-each:
			for _, f := range findings {
				if err := shown.beside(func() error { return told(f) }); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return errors.New("stopped before it was done")
		}
	}
	return nil
}

// check does one check, within its time.
func (p *patient) check(c check) []Finding {
	for _, each := range p.wrong {
		for _, name := range c.settings {
			if each.Setting == name || each.Setting == name+"_FILE" {
				return []Finding{note("Not looked at: "+each.Setting+" is wrong, see above.", "")}
			}
		}
	}
	ended := make(chan []Finding, 1)
	go func() { ended <- c.look(p) }()
	limit, cancel := p.within(c.within)
	defer cancel()
	select {
	case findings := <-ended:
		return findings
	case <-limit.Done():
	}
	// What was asked ends by the same clock, and tells more.
	select {
	case findings := <-ended:
		return findings
	case <-time.After(500 * time.Millisecond):
		return []Finding{{Status: c.silent, Found: fmt.Sprintf("Nothing was found out within %s.", c.within), Mend: cmp.Or(c.unheard, "See whether the machine is busy with something else (uptime, dmesg), and look again.")}}
	}
}
