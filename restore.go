package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"kyrochat/account"
	"kyrochat/auth"
	"kyrochat/backup"
	"kyrochat/ingest"
	"kyrochat/ingest/files"
	"kyrochat/jobs"
	"kyrochat/kyro"
	"kyrochat/store"
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
verifying found something that somebody has to look at.
`

// verifyBackup is the command that looks at a backup.
func verifyBackup(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) error {
	var keyed keyFlags
	flags := flag.NewFlagSet("backup verify", flag.ContinueOnError)
	keyed.opening(flags)
	file, keys, err := openBackup(flags, &keyed, args, in)
	if errors.Is(err, flag.ErrHelp) {
		_, err := io.WriteString(out, backupUsage)
		return err
	}
	if err != nil {
		return orUsage("backup verify", err, backupUsage)
	}
	defer func() { _ = file.Close() }()
	archive, manifest, err := readBackup(file, keys)
	if err != nil {
		return fmt.Errorf("backup verify: %w", err)
	}
	defer archive.Close()
	r := &restoring{archive: archive, manifest: manifest, progress: newHowFar(errOut), into: nowhere{}}
	if err := r.fill(ctx); err != nil {
		return fmt.Errorf("backup verify: %w", err)
	}
	_, err = fmt.Fprintf(out, "The backup is complete and undamaged.\nmade       %s by KyroChat %s, of %s\nholds      %s, %s, %s of %s\n%s",
		manifest.At.Format(time.DateTime+" MST"), manifest.Version, manifest.Database, plural(int(r.told.rows()), "row"), plural(r.told.Jobs, "job"),
		plural(r.told.Originals, "file"), byteText(r.told.Bytes),
		pick(len(r.told.Missing) == 0, "", "missing    the files of "+firstFew(r.told.Missing, 10)+"\n"))
	return err
}

// openBackup reads the command line of a command that reads a backup. Errors of the line are badUsage.
func openBackup(flags *flag.FlagSet, keyed *keyFlags, args []string, in io.Reader) (io.ReadCloser, backup.Keys, error) {
	flags.SetOutput(io.Discard)
	rest, err := mixed(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil, backup.Keys{}, err
	case err != nil:
		return nil, backup.Keys{}, badUsage{err}
	case len(rest) != 1:
		return nil, backup.Keys{}, badUsage{errors.New("name one backup, or - for standard input")}
	}
	keys, err := keyed.keys()
	if err != nil {
		return nil, backup.Keys{}, err
	}
	if rest[0] == "-" {
		return io.NopCloser(in), keys, nil
	}
	file, err := os.Open(rest[0]) //nolint:gosec // whoever types the name may read the file
	return file, keys, err
}

// orUsage is an error with the usage of its command, where the line was wrong.
func orUsage(command string, err error, usage string) error {
	if wrong, ok := errors.AsType[badUsage](err); ok {
		return badUsage{fmt.Errorf("%s: %w\n\n%s", command, wrong.error, strings.TrimSpace(usage))}
	}
	return fmt.Errorf("%s: %w", command, err)
}

// readBackup opens a backup that this program can restore.
func readBackup(r io.Reader, keys backup.Keys) (*backup.Reader, backupManifest, error) {
	var manifest backupManifest
	archive, err := backup.NewReader(r, &manifest, keys)
	if err != nil {
		return nil, manifest, err
	}
	switch {
	case manifest.Product != "KyroChat":
		err = backup.ErrNoBackup
	case manifest.Format > backupFormat:
		err = fmt.Errorf("the backup was made by a newer version of this program (%s): use that version or a later one", manifest.Version)
	default:
		err = store.KnowsMigrations(manifest.Migrations)
	}
	if err != nil {
		archive.Close()
	}
	return archive, manifest, err
}

// restorer takes what is in a backup, in its order.
type restorer interface {
	Rows(ctx context.Context, table string, body []byte) (rows int, err error)
	Jobs(ctx context.Context, jobs []kyro.Job) error
	File(ctx context.Context, document kyro.ID, version int, size int64, r io.Reader) error
}

// nowhere looks at rows and keeps nothing.
type nowhere struct{}

func (nowhere) Rows(context.Context, string, []byte) (int, error) { return 0, nil }
func (nowhere) Jobs(context.Context, []kyro.Job) error            { return nil }
func (nowhere) File(_ context.Context, _ kyro.ID, _ int, _ int64, r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// restoring is a backup that is being read.
type restoring struct {
	archive  *backup.Reader
	manifest backupManifest
	progress *howFar
	into     restorer
	told     backupSummary // what the backup says that it has
	seen     backupSummary // what was read
}

// fill reads the backup to its end. Only where it gives no error was it a whole one.
func (r *restoring) fill(ctx context.Context) error {
	r.seen.Rows = map[string]int64{}
	var body []byte
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		name, size, entry, err := r.archive.Next()
		if err == io.EOF {
			return r.complete()
		}
		if err != nil {
			return err
		}
		kind, rest, _ := strings.Cut(name, "/")
		if kind == "originals" {
			if err := r.file(ctx, rest, size, entry); err != nil {
				return err
			}
			continue
		}
		if size > mostRows {
			return fmt.Errorf("%w (%s is too large)", backup.ErrDamaged, name)
		}
		if body, err = readInto(body, entry, size); err != nil {
			return err
		}
		switch kind {
		case "rows":
			table, _, _ := strings.Cut(rest, "/")
			var n int
			if n, err = store.CountRows(r.manifest.Image, table, body); err == nil {
				_, err = r.into.Rows(ctx, table, body)
			}
			r.seen.Rows[table] += int64(n)
			r.progress.at("restoring %s: %s", table, plural(int(r.seen.Rows[table]), "row"))
		case "jobs.json":
			var waiting []kyro.Job
			if err = json.Unmarshal(body, &waiting); err == nil {
				r.seen.Jobs = len(waiting)
				err = r.into.Jobs(ctx, waiting)
			}
		case "summary.json":
			err = json.Unmarshal(body, &r.told)
		default:
			err = fmt.Errorf("%w (%q is not known)", backup.ErrDamaged, name)
		}
		if err != nil {
			return err
		}
	}
}

// mostRows is how large a part of a table may be. A part is some megabytes, and one row more.
const mostRows = 512 << 20

// readInto reads an entry into b, which may be made anew.
func readInto(b []byte, r io.Reader, size int64) ([]byte, error) {
	if int64(cap(b)) < size {
		b = make([]byte, size)
	}
	b = b[:size]
	_, err := io.ReadFull(r, b)
	return b, err
}

func (r *restoring) file(ctx context.Context, name string, size int64, entry io.Reader) error {
	document, version, _ := strings.Cut(name, "/")
	key, err := strconv.ParseInt(document, 10, 64)
	number, bad := strconv.Atoi(version)
	if err != nil || bad != nil || key < 1 || number < 1 {
		return fmt.Errorf("%w (%q is no file of a document)", backup.ErrDamaged, name)
	}
	r.seen.Originals++
	r.seen.Bytes += size
	r.progress.at("restoring files: %d, %s", r.seen.Originals, byteText(r.seen.Bytes))
	return r.into.File(ctx, kyro.DocumentID(key), number, size, entry)
}

// complete compares what was read with what the backup says that it has.
func (r *restoring) complete() error {
	for table, n := range r.told.Rows {
		if r.seen.Rows[table] != n {
			return fmt.Errorf("%w (%s has %d of %d rows)", backup.ErrDamaged, table, r.seen.Rows[table], n)
		}
	}
	if r.told.Rows == nil || r.seen.Originals != r.told.Originals || r.seen.Bytes != r.told.Bytes || r.seen.Jobs != r.told.Jobs {
		return fmt.Errorf("%w (it does not have what it says)", backup.ErrDamaged)
	}
	return nil
}

// restore is the command that makes a backup live again.
func restore(ctx context.Context, args []string, getenv func(string) string, in io.Reader, out, errOut io.Writer) error {
	var keyed keyFlags
	flags := flag.NewFlagSet("restore", flag.ContinueOnError)
	keyed.opening(flags)
	keep := flags.Bool("keep-sessions", false, "")
	file, keys, err := openBackup(flags, &keyed, args, in)
	if errors.Is(err, flag.ErrHelp) {
		_, err := io.WriteString(out, restoreUsage)
		return err
	}
	if err != nil {
		return orUsage("restore", err, restoreUsage)
	}
	defer func() { _ = file.Close() }()
	o := &operator{getenv: getenv, errOut: errOut}
	if o.cfg, err = readConfig(getenv); err != nil {
		return fmt.Errorf("%w\n(restore needs the settings of the server in its environment)", err)
	}
	archive, manifest, err := readBackup(file, keys)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer archive.Close()
	quiet := o.cfg
	quiet.LogLevel = max(quiet.LogLevel, slog.LevelWarn)
	t := &target{
		cfg: o.cfg, log: newLogger(quiet, errOut),
		want: store.Restored{Installation: strings.ToLower(rand.Text()), Sessions: *keep, At: time.Now()},
		by:   o.user(),
		read: &restoring{archive: archive, manifest: manifest, progress: newHowFar(errOut)},
	}
	findings, err := t.restore(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("stopped")
		}
		return fmt.Errorf("restore: %w\nNothing was restored", err)
	}
	p := t.read.progress
	p.say("Restored what was kept on %s: %s and %s of %s, in %s.", manifest.At.Format(time.DateTime+" MST"), plural(int(t.read.seen.rows()), "row"),
		plural(t.read.seen.Originals, "file"), byteText(t.read.seen.Bytes), time.Since(t.want.At).Round(time.Millisecond))
	p.say("It is the installation %s; what Pinecone and a bucket have below %s is that of the one it was made of.", t.want.Installation, manifest.Installation)
	if *keep {
		p.say("Whoever was signed in still is, where KYRO_SECRET is the same.")
	} else {
		p.say("Everybody signs in again. API keys work as they did when the backup was made.")
	}
	if findings > 0 {
		return errFound{fmt.Errorf("restored, but %s to be looked at: see above", pick(findings == 1, "one thing is", fmt.Sprintf("%d things are", findings)))}
	}
	return nil
}

// target is where a backup is restored to.
type target struct {
	cfg  Config
	log  *slog.Logger
	want store.Restored
	by   string // who restores it, for the audit log
	read *restoring

	pools  *store.Pools
	queue  *jobs.Queue
	store  *store.Store
	bucket ingest.Originals // nil where there is none
	folder string           // of originals, where they are files
	put    []string         // objects that are in the bucket by now
}

// restore gives how much there is to be looked at.
func (t *target) restore(ctx context.Context) (findings int, err error) {
	if t.bucket, err = t.cfg.Storage.open(ctx, t.want.Installation); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil && len(t.put) > 0 {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer cancel()
			_ = t.bucket.Remove(ctx, t.put)
		}
	}()
	if t.cfg.DatabaseURL != "" {
		return t.restorePostgres(ctx)
	}
	return t.restoreFolder(ctx)
}

const (
	restoreFolder = "restore.tmp" // in the data folder: what is not live yet
	restoreMark   = "complete"    // in it: from here on it goes live
)

// restoreFolder restores beside the data folder's own files, and puts them in place once all is there.
func (t *target) restoreFolder(ctx context.Context) (findings int, err error) {
	dir := t.cfg.DataDir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, fmt.Errorf("make the data folder (KYRO_DATA_DIR): %w", err)
	}
	if owner, foreign := foreignFolder(dir); foreign {
		return 0, fmt.Errorf("the data folder %s belongs to user %s: run this as that user, or the server cannot use what is restored", dir, owner)
	}
	if err := t.emptyFolder(ctx); err != nil {
		return 0, err
	}
	release, err := store.LockFolder(dir)
	if err != nil {
		return 0, err
	}
	defer func() { _ = release() }()
	tmp := filepath.Join(dir, restoreFolder)
	if err := clearRestore(dir); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = clearRestore(dir)
		}
	}()
	t.folder = filepath.Join(tmp, "files")
	if err := os.MkdirAll(t.folder, 0o700); err != nil {
		return 0, err
	}
	if err := t.open(ctx, store.Config{DataDir: tmp, Log: t.log}); err != nil {
		return 0, err
	}
	if err = t.fill(ctx); err == nil {
		findings, err = t.verify(ctx)
	}
	if closing := t.pools.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return 0, err
	}
	return findings, goLive(dir)
}

// emptyFolder sees that there is nothing in the data folder that somebody could miss.
func (t *target) emptyFolder(ctx context.Context) error {
	dir := t.cfg.DataDir
	_, err := os.Stat(filepath.Join(dir, restoreFolder, restoreMark))
	if _, there := os.Stat(filepath.Join(dir, "kyro.db")); errors.Is(there, fs.ErrNotExist) {
		entries, listed := os.ReadDir(filepath.Join(dir, "files"))
		if listed != nil && !errors.Is(listed, fs.ErrNotExist) {
			return listed
		}
		for _, e := range entries {
			if _, no := strconv.ParseInt(e.Name(), 10, 64); no == nil && err != nil { // else a restore was cut off as it put them there
				return fmt.Errorf("there are files of documents in %s: restore into an empty folder, or move them away", filepath.Join(dir, "files"))
			}
		}
		return nil
	}
	pools, err := store.Open(ctx, store.Config{DataDir: dir, Log: t.log})
	if err != nil {
		return err
	}
	inhabited, err := pools.Inhabited(ctx)
	if closing := pools.Close(); err == nil {
		err = closing
	}
	if err == nil && inhabited {
		err = fmt.Errorf("there are accounts in the database in %s: restore into an empty data folder (KYRO_DATA_DIR)", dir)
	}
	return err
}

// clearRestore removes what a restore left that was cut off.
func clearRestore(dir string) error {
	tmp := filepath.Join(dir, restoreFolder)
	_, live := os.Stat(filepath.Join(dir, "kyro.db"))
	if _, err := os.Stat(filepath.Join(tmp, restoreMark)); err == nil && errors.Is(live, fs.ErrNotExist) {
		if err := os.RemoveAll(filepath.Join(dir, "files")); err != nil {
			return err
		}
	}
	return os.RemoveAll(tmp)
}

// goLive puts in place what was restored, the database last: before that nothing is live, after it everything.
func goLive(dir string) error {
	tmp := filepath.Join(dir, restoreFolder)
	if err := syncAll(tmp); err != nil {
		return err
	}
	for _, name := range []string{"kyro.db", "kyro.db-wal", "kyro.db-shm", "files", "exports"} { // of an empty installation
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(tmp, restoreMark), nil, 0o600); err != nil {
		return err
	}
	if err := errors.Join(syncFolder(tmp), os.Rename(filepath.Join(tmp, "files"), filepath.Join(dir, "files")), syncFolder(dir)); err != nil {
		return err
	}
	if err := errors.Join(os.Rename(filepath.Join(tmp, "kyro.db"), filepath.Join(dir, "kyro.db")), syncFolder(dir)); err != nil {
		return err
	}
	return os.RemoveAll(tmp)
}

// syncAll makes sure that a folder is on the disk with all that is in it.
func syncAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return syncFolder(path)
		}
		file, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // nobody else may write to the folder
		if err != nil {
			return err
		}
		return errors.Join(file.Sync(), file.Close())
	})
}

// open opens the database that is filled, without a schema.
func (t *target) open(ctx context.Context, c store.Config) (err error) {
	if t.pools, err = store.Open(ctx, c); err != nil {
		return err
	}
	if t.queue, err = newQueue(t.pools, jobs.Config{Log: t.log}); err != nil {
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
		return 0, fmt.Errorf("servers are connected to the database (%s): stop them first", plural(others, "connection"))
	}
	clear := func(ctx context.Context) error { return t.pools.Unmigrate(ctx, t.queue.Unmigrate) }
	if err := clear(ctx); err != nil {
		return 0, err
	}
	if err := t.fill(ctx); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return 0, errors.Join(err, clear(ctx))
	}
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
	admin := account.NewAdmin(t.store, auth.NewHasher(auth.HasherOptions{}), account.AdminOptions{By: t.by})
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
		if err := r.t.bucket.Put(ctx, key, from, size); err != nil {
			return err
		}
		return r.Object(ctx, document, version, key)
	case r.t.folder == "":
		return r.Original(ctx, document, version, from)
	}
	return placeFile(filepath.Join(r.t.folder, strconv.FormatInt(document.Key, 10)), strconv.Itoa(version), from)
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
	var some []kyro.Job
	for _, job := range list {
		if !droppedJobs[job.Kind] {
			some = append(some, job)
		}
	}
	return r.Restoring.Jobs(ctx, some)
}

// verify looks at what was restored, and says how much of it has to be looked at.
func (t *target) verify(ctx context.Context) (findings int, err error) {
	folder := t.folder
	if folder == "" {
		folder = filepath.Join(t.cfg.DataDir, "files")
	}
	v := &inspector{store: t.store, bucket: t.bucket, doing: func(what string) { t.read.progress.at("verifying: %s", what) }}
	if v.folder, err = files.Open(folder, false); err != nil {
		return 0, err
	}
	v.o.Model, v.o.Dims = t.cfg.Providers.embeddings()
	err = v.run(ctx, func(f kyro.Finding, _ func(context.Context) error) error {
		if f.Damage {
			findings++
			t.read.progress.say("%s", findingText(f))
		}
		return nil
	})
	return findings, err
}
