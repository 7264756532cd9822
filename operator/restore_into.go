package operator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"kyrochat/account"
	"kyrochat/auth"
	"kyrochat/ingest/files"
	"kyrochat/inspect"
	"kyrochat/jobs"
	"kyrochat/kyro"
	"kyrochat/setup"
	"kyrochat/store"
	"kyrochat/text"
)

// open opens the database that is filled, without a schema.
func (t *target) open(ctx context.Context, c store.Config) (err error) {
	if t.pools, err = store.Open(ctx, c); err != nil {
		return err
	}
	if t.queue, err = setup.NewQueue(t.pools, jobs.Config{Log: t.log}); err != nil {
		return errors.Join(err, t.pools.Close())
	}
	t.store = store.New(t.pools, t.queue)
	return nil
}

// restorePostgres restores in one transaction into a database that has nothing but a schema.
func (t *target) restorePostgres(ctx context.Context) (findings int, err error) {
	if err := t.open(ctx, store.Config{DatabaseURL: string(t.cfg.DatabaseURL), Log: t.log, Unhurried: true}); err != nil {
		return 0, err
	}
	defer func() {
		if closing := t.pools.Close(); err == nil {
			err = closing
		}
	}()
	inhabited, err := t.pools.Inhabited(ctx)
	if err != nil {
		return 0, err
	}
	if inhabited {
		return 0, errors.New("there are accounts in the database (DATABASE_URL): restore into an empty one")
	}
	others, err := t.pools.OthersConnected(ctx)
	if err != nil {
		return 0, err
	}
	if others > 0 {
		return 0, fmt.Errorf("servers are connected to the database (%s): stop them first", text.Plural(others, "connection"))
	}
	clear := func(ctx context.Context) error { return t.pools.Unmigrate(ctx, t.queue.Unmigrate) }
	if err := clear(ctx); err != nil {
		return 0, err
	}
	if err := t.fill(ctx); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if cleared := clear(ctx); cleared != nil {
			t.put = nil // rows that are left may refer to them
			err = errors.Join(err, fmt.Errorf("what was begun could not be taken back, use another database: %w", cleared))
		}
		return 0, err
	}
	t.live = true
	return t.verify(ctx)
}

// fill makes the schema of the backup, puts the backup into it, and brings it up to date.
func (t *target) fill(ctx context.Context) error {
	if err := t.pools.MigrateTo(ctx, t.read.manifest.Migrations, t.queue.Migrate); err != nil {
		return err
	}
	err := t.store.Restore(ctx, t.read.manifest.Image, t.want, func(ctx context.Context, r *store.Restoring) error {
		t.read.into = intoTarget{r, t}
		return t.read.fill(ctx)
	})
	if err != nil {
		return err
	}
	if err := t.pools.Migrate(ctx, t.queue.Migrate); err != nil {
		return err
	}
	admin := account.NewAdmin(t.store, auth.NewHasher(auth.HasherOptions{}), account.AdminOptions{By: t.by, Now: t.now})
	return admin.Restored(ctx, "a backup of "+t.read.manifest.At.Format(time.RFC3339))
}

// intoTarget puts what is in a backup where it belongs.
type intoTarget struct {
	*store.Restoring
	t *target
}

// File puts an original where this installation keeps those that it takes in.
func (r intoTarget) File(ctx context.Context, document kyro.ID, version int, size int64, from io.Reader) error {
	switch {
	case r.t.bucket != nil:
		key := strings.ToLower(rand.Text())
		r.t.put = append(r.t.put, key)
		if err := r.t.putSpooled(ctx, key, from, size); err != nil {
			return err
		}
		return r.Object(ctx, document, version, key)
	case r.t.folder == "":
		return r.Original(ctx, document, version, from)
	}
	return placeFile(filepath.Join(r.t.folder, strconv.FormatInt(document.Key, 10)), strconv.Itoa(version), from)
}

// putSpooled puts an object by way of a temporary file, from which it can be put again where that fails: the backup is read once.
func (t *target) putSpooled(ctx context.Context, key string, from io.Reader, size int64) (err error) {
	spool, err := os.CreateTemp("", "kyrochat-restore-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, spool.Close(), os.Remove(spool.Name())) }()
	if _, err := io.Copy(spool, from); err != nil {
		return err
	}
	return t.bucket.Put(ctx, key, spool, size)
}

func placeFile(dir, name string, from io.Reader) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	return errors.Join(err, file.Close())
}

// droppedJobs are those that are about what no backup has.
var droppedJobs = map[kyro.JobKind]bool{kyro.JobEmbed: true, kyro.JobDropExport: true}

// Jobs puts jobs into the queue.
func (r intoTarget) Jobs(ctx context.Context, list []kyro.Job) error {
	return r.Restoring.Jobs(ctx, jobsLeft(list, r.t.want.At.Sub(r.t.read.manifest.At)))
}

// jobsLeft are those of a backup that are to be done, so long after it was made.
func jobsLeft(list []kyro.Job, later time.Duration) (left []kyro.Job) {
	for _, job := range list {
		if droppedJobs[job.Kind] {
			continue
		}
		job.After = max(0, job.After-max(0, later)) // a clock may be behind that of the backup
		left = append(left, job)
	}
	return left
}

// verify looks at what was restored, and says how much of it has to be looked at.
func (t *target) verify(ctx context.Context) (findings int, err error) {
	options := inspect.Options{
		Store: t.store, Bucket: t.bucket, Doing: func(what string) { t.read.progress.at("verifying: %s", what) },
		As: t.read.manifest.At, Now: t.now, // whose jobs had no time since then to remove what was deleted
	}
	if t.folder != "" { // else no file of it is in one
		if options.Folder, err = files.Open(t.folder, false); err != nil {
			return 0, err
		}
	}
	options.Model, options.Dims = t.cfg.Providers.Embeddings()
	err = inspect.Run(ctx, options, func(f kyro.Finding, _ func(context.Context) error) error {
		if f.Damage {
			findings++
			t.read.progress.say("%s", inspect.Text(f))
		}
		return nil
	})
	return findings, err
}
