package operator

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"kyrochat/command"
	"kyrochat/config"
	"kyrochat/ingest"
	"kyrochat/jobs"
	"kyrochat/setup"
	"kyrochat/store"
	"kyrochat/text"
)

const restoreUsage = `usage: kyrochat restore FILE|- [-identity FILE | -passphrase-file FILE] [-keep-sessions]

Makes what is in a backup live again, in the data folder or the PostgreSQL that the settings in the environment name, which
must be empty; no server may run on it meanwhile. The kind of database, and where files are kept, may be others than they
were. Either all of it is there afterwards or nothing, whatever happens. Then everything is verified.

  -identity FILE        the age identity that opens an encrypted backup
  -passphrase-file FILE the passphrase that does
  -keep-sessions        people stay signed in, where KYRO_SECRET is the same: for a move, where the server was stopped
                        before the backup was made. Else everybody signs in again, since the backup does not know who
                        was signed out after it

What is restored is an installation of its own: it shares nothing in Redis, in a bucket or in Pinecone with the one that the
backup is of, and can be tried beside it. Vectors in Pinecone are made again in the background, without any cost for
embeddings. API keys and passwords are what they were: whoever took one back after the backup was made does so again.

Exit status: 0 where it was done, 1 where it could not be, 2 where the command line is wrong, 3 where it was done, but
verifying found something that somebody has to look at, or did not come to its end.
`

// Restore makes a backup live again, in an empty installation.
func Restore(ctx context.Context, args []string, options Options) error {
	var keyed keyFlags
	flags := flag.NewFlagSet("restore", flag.ContinueOnError)
	keyed.opening(flags)
	keep := flags.Bool("keep-sessions", false, "")
	file, keys, err := openBackup(flags, &keyed, args, options.In)
	if errors.Is(err, flag.ErrHelp) {
		_, err := io.WriteString(options.Out, restoreUsage)
		return err
	}
	if err != nil {
		return command.OrUsage("restore", err, restoreUsage)
	}
	defer func() { _ = file.Close() }()
	o := &operator{Options: options, command: "restore"}
	if err := o.configure(); err != nil {
		return err
	}
	archive, manifest, err := readBackup(file, keys)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer archive.Close()
	t := &target{
		cfg: o.cfg, log: o.log, now: o.Now,
		want: store.Restored{Installation: strings.ToLower(rand.Text()), Sessions: *keep, At: o.Now()},
		by:   o.user(),
		read: &restoring{archive: archive, manifest: manifest, progress: newHowFar(o.ErrOut)},
	}
	findings, err := t.restore(ctx)
	if err != nil && ctx.Err() != nil {
		err = errors.New("stopped")
	}
	if err != nil && !t.live {
		return fmt.Errorf("restore: %w\nNothing was restored", err)
	}
	p := t.read.progress
	p.say("Restored what was kept on %s: %s and %s of %s, in %s.", manifest.At.Format(time.DateTime+" MST"), text.Plural(int(t.read.seen.rows()), "row"),
		text.Plural(t.read.seen.Originals, "file"), text.Bytes(t.read.seen.Bytes), o.Now().Sub(t.want.At).Round(time.Millisecond))
	p.say("It is the installation %s; what Pinecone and a bucket have below %s is that of the one it was made of.", t.want.Installation, manifest.Installation)
	if *keep {
		p.say("Whoever was signed in still is, where KYRO_SECRET is the same.")
	} else {
		p.say("Everybody signs in again. API keys work as they did when the backup was made.")
	}
	if err != nil {
		return command.Found(fmt.Errorf("restore: %w\nEverything is restored, but it was not verified to the end: \"kyrochat admin verify\" does that", err))
	}
	switch {
	case findings == 1:
		return command.Found(errors.New("restored, but one thing is to be looked at: see above"))
	case findings > 1:
		return command.Found(fmt.Errorf("restored, but %d things are to be looked at: see above", findings))
	}
	return nil
}

// takeBackTime bounds the removal from a bucket of what a restore that failed had put there.
const takeBackTime = 10 * time.Minute

// target is where a backup is restored to.
type target struct {
	cfg  config.Config
	log  *slog.Logger
	now  func() time.Time
	want store.Restored
	by   string // who restores it, for the audit log
	read *restoring

	pools  *store.Pools
	queue  *jobs.Queue
	store  *store.Store
	bucket ingest.Originals // nil where there is none
	folder string           // of originals, where they are files
	put    []string         // objects that are in the bucket by now
	live   bool             // all of it is there: whatever fails from here on takes nothing back
}

// restore gives how much there is to be looked at.
func (t *target) restore(ctx context.Context) (findings int, err error) {
	if t.bucket, err = setup.OpenPatiently(ctx, t.cfg.Storage.Bucket, t.want.Installation); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil && !t.live && len(t.put) > 0 {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTime)
			defer cancel()
			if left := t.bucket.Remove(ctx, t.put); left != nil {
				err = fmt.Errorf("%w\nIn the bucket some of %s may be left, which nobody uses: remove what is below %s (%w)", err,
					text.Plural(len(t.put), "file"), t.want.Installation, left)
			}
		}
	}()
	if t.cfg.DatabaseURL != "" {
		return t.restorePostgres(ctx)
	}
	return t.restoreFolder(ctx)
}
