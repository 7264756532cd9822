package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"kyrochat/backup"
	"kyrochat/command"
	"kyrochat/kyro"
	"kyrochat/store"
	"kyrochat/text"
)

// verifyBackup is the command that looks at a backup.
func verifyBackup(ctx context.Context, args []string, options Options) error {
	var keyed keyFlags
	flags := flag.NewFlagSet("backup verify", flag.ContinueOnError)
	keyed.opening(flags)
	file, keys, err := openBackup(flags, &keyed, args, options.In)
	if errors.Is(err, flag.ErrHelp) {
		_, err := io.WriteString(options.Out, backupUsage)
		return err
	}
	if err != nil {
		return command.OrUsage("backup verify", err, backupUsage)
	}
	defer func() { _ = file.Close() }()
	archive, manifest, err := readBackup(file, keys)
	if err != nil {
		return fmt.Errorf("backup verify: %w", err)
	}
	defer archive.Close()
	if err := fitsSchema(ctx, manifest); err != nil {
		return fmt.Errorf("backup verify: %w", err)
	}
	r := &restoring{archive: archive, manifest: manifest, progress: newHowFar(options.ErrOut), into: nowhere{}}
	if err := r.fill(ctx); err != nil {
		return fmt.Errorf("backup verify: %w", err)
	}
	missing := ""
	if len(r.told.Missing) > 0 {
		missing = "missing    the files of " + firstFew(r.told.Missing, 10) + "\n"
	}
	_, err = fmt.Fprintf(options.Out, "The backup is complete and undamaged.\nmade       %s by KyroChat %s, of %s\nholds      %s, %s, %s of %s\n%s",
		manifest.At.Format(time.DateTime+" MST"), manifest.Version, manifest.Database, text.Plural(int(r.told.rows()), "row"), text.Plural(r.told.Jobs, "job"),
		text.Plural(r.told.Originals, "file"), text.Bytes(r.told.Bytes), missing)
	return err
}

// fitsSchema makes the schema of a backup somewhere else for a moment, and refuses what has no place in it.
func fitsSchema(ctx context.Context, manifest backupManifest) (err error) {
	dir, err := os.MkdirTemp("", "kyrochat-schema-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	pools, err := store.Open(ctx, store.Config{DataDir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pools.Close()) }()
	if err := pools.MigrateTo(ctx, manifest.Migrations, nil); err != nil {
		return err
	}
	return pools.Fits(ctx, manifest.Image)
}

// openBackup reads the command line of a command that reads a backup. Errors of the line are command.Wrong.
func openBackup(flags *flag.FlagSet, keyed *keyFlags, args []string, in io.Reader) (io.ReadCloser, backup.Keys, error) {
	flags.SetOutput(io.Discard)
	rest, err := command.Mixed(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil, backup.Keys{}, err
	case err != nil:
		return nil, backup.Keys{}, command.Wrong(err)
	case len(rest) != 1:
		return nil, backup.Keys{}, command.Wrong(errors.New("name one backup, or - for standard input"))
	}
	keys, err := keyed.keys()
	if err != nil {
		return nil, backup.Keys{}, err
	}
	if rest[0] == "-" {
		return io.NopCloser(in), keys, nil
	}
	file, err := os.Open(rest[0])
	return file, keys, err
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
	case slices.ContainsFunc(manifest.Tables, func(t store.ImageTable) bool { return len(t.Columns) == 0 }): // whose rows would have no end
		err = fmt.Errorf("%w (a table has no columns)", backup.ErrDamaged)
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
	document int64         // whose originals were read last: they come by document
	versions []int         // of it
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
			r.progress.at("restoring %s: %s", table, text.Plural(int(r.seen.Rows[table]), "row"))
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

// readInto reads an entry into b, which may be made anew: as it comes, whatever size is said to come.
func readInto(b []byte, r io.Reader, size int64) ([]byte, error) {
	into := bytes.NewBuffer(b[:0])
	n, err := io.Copy(into, r)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	return into.Bytes(), err
}

func (r *restoring) file(ctx context.Context, name string, size int64, entry io.Reader) error {
	document, version, _ := strings.Cut(name, "/")
	key, err := strconv.ParseInt(document, 10, 64)
	number, bad := strconv.Atoi(version)
	if err != nil || bad != nil || key < 1 || number < 1 {
		return fmt.Errorf("%w (%q is no file of a document)", backup.ErrDamaged, name)
	}
	if key != r.document {
		r.document, r.versions = key, nil
	}
	if slices.Contains(r.versions, number) {
		return fmt.Errorf("%w (%q is in it twice)", backup.ErrDamaged, name)
	}
	r.versions = append(r.versions, number)
	r.seen.Originals++
	r.seen.Bytes += size
	r.progress.at("restoring files: %d, %s", r.seen.Originals, text.Bytes(r.seen.Bytes))
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
