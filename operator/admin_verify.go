package operator

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"kyrochat/command"
	"kyrochat/ingest"
	"kyrochat/inspect"
	"kyrochat/kyro"
	"kyrochat/setup"
)

const verifyUsage = `usage: kyrochat admin verify [--repair] [--json]

Checks everything that is stored, beside a running server or without one: the files of the database, what refers to
what, what belongs to nothing, documents with their passages, words and vectors, counters, the audit log, the originals
of documents with their sizes and hashes, and Pinecone where it is used. All of it is read, which takes a while. Each
finding says what mends it. What is only just being made or removed is none.

  --repair  repair what can be repaired without losing anything: orphans are removed, counters counted again, and
            documents, files and vectors put right by jobs, which a running server works on. It is written down in the
            audit log
  --json    one JSON object a line for each finding, and one for the end

Exit status: 0 where there is no damage, or all of it is repaired or being repaired, 1 where it could not be checked, 2
where the command line is wrong, 3 where there is damage.
`

// foundLine is a finding as JSON.
type foundLine struct {
	Check    string   `json:"check"`
	Severity string   `json:"severity"` // damage or note
	Count    int      `json:"count"`
	Found    string   `json:"found"`
	Examples []string `json:"examples,omitempty"`
	Mend     string   `json:"mend"`
	Repairs  bool     `json:"repairable"`
	Repaired bool     `json:"repaired"`
}

// verifiedLine is the end of it as JSON.
type verifiedLine struct {
	Damage   int `json:"damage"`
	Notes    int `json:"notes"`
	Repaired int `json:"repairs"` // how many; "repaired" of a finding says whether
}

func readVerify(flags *flag.FlagSet) func(context.Context, *operator, []string) error {
	repair := flags.Bool("repair", false, "")
	asJSON := flags.Bool("json", false, "")
	return func(ctx context.Context, o *operator, _ []string) error {
		o.unhurried, o.needs = true, schemaAsIs // who looks before an upgrade can still go back
		if err := o.open(ctx); err != nil {
			return err
		}
		options, stop, err := o.inspection(ctx)
		if err != nil {
			return err
		}
		defer stop()
		findings, cutShort := inspectAll(ctx, options)
		if len(findings) == 0 && cutShort != nil {
			return cutShort
		}
		var failed error
		if *repair && cutShort == nil { // after everything was looked at, which holds a snapshot; and not on what cannot be read
			failed = o.repair(ctx, findings)
		}
		end, err := o.printFindings(findings, *asJSON)
		if err != nil {
			return err
		}
		return verdict(end, cutShort, failed, *repair)
	}
}

// inspectAll gives everything that is found, also where it ends before its end, with why.
func inspectAll(ctx context.Context, options inspect.Options) (findings []inspected, cutShort error) {
	cutShort = inspect.Run(ctx, options, func(f kyro.Finding, repair func(context.Context) error) error {
		findings = append(findings, inspected{Finding: f, repair: repair})
		return nil
	})
	return findings, cutShort
}

// printFindings prints what was found and became of it, and gives how much there is of what.
func (o *operator) printFindings(findings []inspected, asJSON bool) (end verifiedLine, err error) {
	for _, f := range findings {
		severity := "note"
		if f.Damage {
			severity = "damage"
		}
		switch {
		case f.repaired():
			end.Repaired++
		case f.Damage:
			end.Damage++
		default:
			end.Notes++
		}
		if asJSON {
			err = o.printJSON(foundLine{f.Check, severity, f.Count, f.Found, f.Examples, f.Mend, f.Repairs, f.repaired()})
		} else {
			err = o.printf("%s\n", inspect.Text(f.Finding)+f.doneText())
		}
		if err != nil {
			return end, err
		}
	}
	switch {
	case asJSON:
		err = o.printJSON(end)
	case len(findings) == 0:
		err = o.printf("Everything is as it should be.\n")
	}
	return end, err
}

// verdict is what the command ends with: cutShort is why not everything was looked at, failed why not everything was repaired that
// could be, and repair says whether that was asked for.
func verdict(end verifiedLine, cutShort, failed error, repair bool) error {
	switch {
	case cutShort != nil && end.Damage > 0: // what is found so far counts all the same
		return command.Found(fmt.Errorf("admin verify: damage was found, and the rest could not be looked at: %w", cutShort))
	case cutShort != nil:
		return cutShort
	case failed != nil:
		return command.Found(fmt.Errorf("admin verify: not everything could be repaired: %w", failed))
	case end.Damage > 0 && repair:
		return command.Found(errors.New("admin verify: damage was found that is not repaired yet"))
	case end.Damage > 0:
		return command.Found(errors.New("admin verify: damage was found"))
	}
	return nil
}

// inspected is a finding with what repairs it; nil where nothing does.
type inspected struct {
	kyro.Finding
	repair func(context.Context) error
	did    int // of how many things it was repaired
}

// repaired reports whether nothing of it is left.
func (f *inspected) repaired() bool { return f.did > 0 && f.did == f.Count }

func (f *inspected) doneText() string {
	switch {
	case f.repaired():
		return " Done."
	case f.did > 0:
		return fmt.Sprintf(" Done for %d of them: repair once more.", f.did)
	}
	return ""
}

// recordTime is for the line of the audit log about repairs, which is written also where somebody stops the command.
const recordTime = 10 * time.Second

// repair repairs what can be repaired, goes on after what cannot, and writes down what was done.
func (o *operator) repair(ctx context.Context, findings []inspected) (failed error) {
	var done []string
	for i := range findings {
		f := &findings[i]
		if f.repair == nil || ctx.Err() != nil {
			continue
		}
		if err := f.repair(ctx); err != nil {
			failed = errors.Join(failed, fmt.Errorf("repair %s: %w", f.Check, err))
			continue
		}
		f.did = f.Count
		if f.Most > 0 {
			f.did = min(f.did, f.Most)
		}
		done = append(done, fmt.Sprintf("%s (%d)", f.Check, f.did))
	}
	if len(done) > 0 {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
		defer cancel()
		failed = errors.Join(failed, o.admin.Repaired(ctx, strings.Join(slices.Compact(done), ", ")))
	}
	return errors.Join(failed, ctx.Err())
}

// inspection says what is looked at: the installation, with the providers that the settings name, which stop ends.
func (o *operator) inspection(ctx context.Context) (options inspect.Options, stop func(), err error) {
	installation, folder, bucket, err := o.originals(ctx)
	if err != nil {
		return options, nil, err
	}
	providers, err := setup.NewProviders(ctx, o.cfg, setup.ProviderOptions{Store: o.store, Installation: installation, Log: o.log})
	if err != nil {
		return options, nil, err
	}
	documents := ingest.New(ingest.Config{
		Store: o.store, Bots: o.store, Files: folder, Embedder: providers.Passages, Index: providers.Index, Log: o.log,
	})
	told := newHowFar(o.ErrOut)
	options = inspect.Options{
		Store: o.store, Folder: folder, Bucket: bucket, With: documents.With(), Now: o.Now, Doing: func(what string) { told.at("verifying: %s", what) },
	}
	options.Model, options.Dims = o.cfg.Providers.Embeddings()
	if providers.Index != nil {
		options.Index = documents
	}
	return options, providers.Close, nil
}
