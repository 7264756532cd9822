package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"kyrochat/backup"
	"kyrochat/ingest"
	"kyrochat/ingest/files"
	"kyrochat/jobs"
	"kyrochat/kyro"
	"kyrochat/store"
)

const backupUsage = `usage: kyrochat backup -o FILE|FOLDER|- [-to AGE-KEY]... [-passphrase-file FILE]
       kyrochat backup verify FILE|- [-identity FILE | -passphrase-file FILE]

Makes one file of everything that is kept: the database as it was at one moment, and the files that people uploaded,
wherever these are. It needs the settings of the server in its environment, and works beside a running server, which goes
on meanwhile. Nobody sees the file before it is complete. What is kept elsewhere is not in it: the secret (KYRO_SECRET),
the other settings, mails in the outbox, exports that are made already.

  -o FILE               where to write it; in a folder under a name that has the time in it; - is standard output.
                        A file that is there already is not touched
  -to AGE-KEY           encrypt it for this public key (age1…, from age-keygen), or for those in the file of this name,
                        one a line. What makes the backup cannot open it then. May be given several times
  -passphrase-file FILE encrypt it with the passphrase in this file instead

verify reads the whole of a backup, touches nothing, and says whether it is complete, undamaged and can be restored by
this program.

Exit status: 0 where it was done, 1 where it could not be, 2 where the command line is wrong, 3 where the backup is made,
but files were missing that it should have.
`

// backupFormat is the version of what is in a backup. One that is higher is of a newer program.
const backupFormat = 1

// backupManifest is what a backup says of itself first.
type backupManifest struct {
	Format       int       `json:"format"`
	Product      string    `json:"product"`
	Version      string    `json:"version"`
	At           time.Time `json:"at"`
	Installation string    `json:"installation"`
	store.Image
}

// backupSummary is what it says at its end.
type backupSummary struct {
	Rows      map[string]int64 `json:"rows"` // by table
	Jobs      int              `json:"jobs"`
	Originals int              `json:"originals"`
	Bytes     int64            `json:"bytes"`             // of all originals
	Missing   []string         `json:"missing,omitempty"` // documents whose originals were not there
}

func (s *backupSummary) rows() (n int64) {
	for _, rows := range s.Rows {
		n += rows
	}
	return n
}

// errFound ends the process with the status of what was done, but found something that somebody has to look at.
type errFound struct{ error }

// keyFlags are the flags that say who opens a backup.
type keyFlags struct {
	to         []string
	identity   string
	passphrase string
}

func (k *keyFlags) opening(flags *flag.FlagSet) {
	flags.StringVar(&k.identity, "identity", "", "")
	flags.StringVar(&k.passphrase, "passphrase-file", "", "")
}

// keys reads the files that the flags name.
func (k *keyFlags) keys() (backup.Keys, error) {
	given := 0
	for _, set := range []bool{len(k.to) > 0, k.identity != "", k.passphrase != ""} {
		if set {
			given++
		}
	}
	switch {
	case given > 1:
		return backup.Keys{}, badUsage{errors.New("use a key or a passphrase, not both")}
	case k.passphrase != "":
		text, err := os.ReadFile(k.passphrase)
		if err != nil {
			return backup.Keys{}, err
		}
		keys, err := backup.Passphrase(strings.TrimRight(string(text), "\r\n"))
		if err != nil {
			return backup.Keys{}, fmt.Errorf("%s: %w", k.passphrase, err)
		}
		return keys, nil
	case k.identity != "":
		file, err := os.Open(k.identity)
		if err != nil {
			return backup.Keys{}, err
		}
		defer func() { _ = file.Close() }()
		keys, err := backup.Identities(file)
		if err != nil {
			return backup.Keys{}, fmt.Errorf("%s: %w", k.identity, err)
		}
		return keys, nil
	}
	recipients := make([]string, len(k.to))
	for i, to := range k.to {
		recipients[i] = to
		if text, err := os.ReadFile(to); err == nil {
			recipients[i] = string(text)
		}
	}
	return backup.Recipients(recipients)
}

// backUp is the command that makes a backup, or looks at one.
func backUp(ctx context.Context, args []string, getenv func(string) string, in io.Reader, out, errOut io.Writer) error {
	if len(args) > 0 && args[0] == "verify" {
		return verifyBackup(ctx, args[1:], in, out, errOut)
	}
	var keyed keyFlags
	flags := flag.NewFlagSet("backup", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Func("to", "", func(s string) error { keyed.to = append(keyed.to, s); return nil })
	flags.StringVar(&keyed.passphrase, "passphrase-file", "", "")
	target := flags.String("o", "", "")
	rest, err := mixed(flags, args)
	if errors.Is(err, flag.ErrHelp) {
		_, err := io.WriteString(out, backupUsage)
		return err
	}
	switch {
	case err == nil && len(rest) > 0:
		err = fmt.Errorf("%q is one too many", rest[0])
	case err == nil && *target == "":
		err = errors.New("say by -o where the backup is to be written")
	}
	if err != nil {
		return badUsage{fmt.Errorf("backup: %w\n\n%s", err, strings.TrimSpace(backupUsage))}
	}
	keys, err := keyed.keys()
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	b := &backingUp{keys: keys, progress: newHowFar(errOut)}
	if err := b.open(ctx, getenv, errOut); err != nil {
		return err
	}
	defer b.close()
	at := time.Now()
	name, err := writeNew(*target, backupName(at, keys), out, func(w io.Writer) error { return b.write(ctx, w, at) })
	if err != nil {
		if ctx.Err() != nil {
			return errors.New("stopped before the backup was complete: nothing is left of it")
		}
		return fmt.Errorf("backup: %w", err)
	}
	b.progress.say("The backup is made: %s (%s, %s and %s of %s) in %s.", name, byteText(b.progress.written), plural(int(b.summary.rows()), "row"),
		plural(b.summary.Originals, "file"), byteText(b.summary.Bytes), time.Since(at).Round(time.Millisecond))
	if n := len(b.summary.Missing); n > 0 {
		return errFound{fmt.Errorf("the backup is made, but of %s the files were missing before: %s. \"kyrochat admin verify\" says more",
			plural(n, "document"), firstFew(b.summary.Missing, 10))}
	}
	return nil
}

func backupName(at time.Time, keys backup.Keys) string {
	return "kyrochat-" + at.UTC().Format("20060102T150405Z") + ".backup" + pick(keys.None(), "", ".age")
}

// firstFew names the first few of a list.
func firstFew(list []string, most int) string {
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

// byteText writes a number of bytes for a person.
func byteText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return plural(int(n), "byte")
}

// partialName is how files begin and end whose writing was not ended. Those that a kill left go with a later backup.
const (
	partialName = ".kyrochat-*.partial"
	partialKept = 24 * time.Hour
)

// writeNew writes a file that was not there, whole or not at all, for its owner alone. - is out. Where the target is a folder the
// file has the name in it.
func writeNew(target, name string, out io.Writer, write func(w io.Writer) error) (path string, err error) {
	if target == "-" {
		if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
			return "", errors.New("standard output is a terminal: send it to a file or to another program")
		}
		return "standard output", write(out)
	}
	if info, err := os.Stat(target); err == nil && info.IsDir() {
		target = filepath.Join(target, name)
	}
	if _, err := os.Lstat(target); err == nil {
		return "", fmt.Errorf("%s is there already: give another name", target)
	}
	folder := filepath.Dir(target)
	left, _ := filepath.Glob(filepath.Join(folder, partialName))
	for _, name := range left {
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > partialKept {
			_ = os.Remove(name)
		}
	}
	file, err := os.CreateTemp(folder, partialName)
	if err != nil {
		return "", err
	}
	defer func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}()
	if err := write(file); err != nil {
		return "", err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return "", err
	}
	// A link, unlike a rename, replaces nothing that came meanwhile.
	if err := os.Link(file.Name(), target); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("%s is there already: give another name", target)
		}
		if err := os.Rename(file.Name(), target); err != nil {
			return "", err
		}
	}
	return target, syncFolder(folder)
}

// syncFolder makes sure that names in the folder are on the disk, where the system can.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}

// backingUp is a backup that is being made.
type backingUp struct {
	keys     backup.Keys
	progress *howFar
	pools    *store.Pools
	queue    *jobs.Queue
	store    *store.Store
	name     string // of the installation
	folder   *files.Files
	bucket   ingest.Originals // nil where there is none

	out     *backup.Writer
	summary backupSummary
}

// open opens what is to be backed up, beside a server if one runs. Nothing of it is changed.
func (b *backingUp) open(ctx context.Context, getenv func(string) string, errOut io.Writer) (err error) {
	o := &operator{getenv: getenv, errOut: errOut}
	if o.cfg, err = readConfig(getenv); err != nil {
		return fmt.Errorf("%w\n(a backup needs the settings of the server in its environment)", err)
	}
	quiet := o.cfg
	quiet.LogLevel = max(quiet.LogLevel, slog.LevelWarn)
	log := newLogger(quiet, errOut)
	if o.cfg.DatabaseURL == "" {
		if err := o.checkFolder(); err != nil {
			return err
		}
	}
	b.pools, err = store.Open(ctx, store.Config{DatabaseURL: string(o.cfg.DatabaseURL), DataDir: o.cfg.DataDir, Log: log, Beside: true, Unhurried: true})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if err := b.pools.Share(); err != nil { // a server may start meanwhile
		return err
	}
	switch state, err := b.pools.Schema(ctx); {
	case err != nil:
		return err
	case state == store.SchemaNone:
		return errors.New("there is nothing in the database yet")
	}
	if b.queue, err = newQueue(b.pools, jobs.Config{Log: log}); err != nil {
		return err
	}
	b.store = store.New(b.pools, b.queue)
	if b.name, err = b.store.Name(ctx); err != nil {
		return err
	}
	if b.folder, err = files.Open(filepath.Join(o.cfg.DataDir, "files"), false); err != nil {
		return err
	}
	b.bucket, err = o.cfg.Storage.open(ctx, b.name)
	return err
}

func (b *backingUp) close() { _ = b.pools.Close() }

const (
	holdFor   = time.Minute // originals stay for so long where the backup dies
	holdEvery = 15 * time.Second
)

// hold keeps originals where they are until stop is called.
func (b *backingUp) hold(ctx context.Context) (stop func(), err error) {
	state, err := b.pools.Schema(ctx)
	if err != nil || state != store.SchemaCurrent { // an older schema may have no place for it
		return func() {}, err
	}
	id, err := b.store.Hold(ctx, 0, holdFor)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(holdEvery):
				_, _ = b.store.Hold(ctx, id, holdFor) // what is gone for lack of it is noticed when it is read
			}
		}
	}()
	return func() {
		cancel()
		<-done
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), holdEvery)
		defer cancel()
		_ = b.store.EndHold(ctx, id) // else it is over by itself
	}, nil
}

// write writes the whole backup.
func (b *backingUp) write(ctx context.Context, w io.Writer, at time.Time) error {
	release, err := b.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	snapshot, err := b.store.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snapshot.Close()
	b.summary.Rows = map[string]int64{}
	manifest := backupManifest{
		Format: backupFormat, Product: "KyroChat", Version: version(), At: at.UTC().Truncate(time.Second), Installation: b.name, Image: snapshot.Image(),
	}
	if b.out, err = backup.NewWriter(b.progress.count(w), manifest, at, b.keys); err != nil {
		return err
	}
	for _, table := range manifest.Tables {
		part := 0
		err := snapshot.Rows(ctx, table, func(rows int, body []byte) error {
			part++
			b.summary.Rows[table.Name] += int64(rows)
			b.progress.at("reading %s: %s", table.Name, plural(int(b.summary.Rows[table.Name]), "row"))
			return b.out.Add(fmt.Sprintf("rows/%s/%06d", table.Name, part), int64(len(body)), bytes.NewReader(body))
		})
		if err != nil {
			return err
		}
	}
	waiting, err := snapshot.Jobs(ctx, b.queue)
	if err != nil {
		return err
	}
	b.summary.Jobs = len(waiting)
	if err := b.addJSON("jobs.json", waiting); err != nil {
		return err
	}
	if err := b.writeOriginals(ctx, snapshot); err != nil {
		return err
	}
	if err := b.addJSON("summary.json", b.summary); err != nil {
		return err
	}
	return b.out.Close()
}

func (b *backingUp) addJSON(name string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return b.out.Add(name, int64(len(text)), bytes.NewReader(text))
}

// filedBatch is how many documents are looked at at once.
const filedBatch = 500

// writeOriginals adds the originals that are not in the database.
func (b *backingUp) writeOriginals(ctx context.Context, snapshot *store.Snapshot) error {
	for last := (kyro.ID{}); ; {
		list, err := snapshot.Filed(ctx, last, filedBatch)
		if err != nil {
			return err
		}
		for _, d := range list {
			last = d.DocumentID
			if err := b.writeFiled(ctx, d); err != nil {
				return err
			}
		}
		if len(list) < filedBatch {
			return nil
		}
	}
}

func (b *backingUp) writeFiled(ctx context.Context, d store.Filed) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	versions, err := b.folder.Versions(d.DocumentID)
	if err != nil {
		return err
	}
	found := d.Kept
	for _, version := range versions {
		if version > d.Version {
			continue // which came after the snapshot
		}
		file, err := os.Open(b.folder.Path(d.DocumentID, version))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = b.addOriginal(d.DocumentID, version, file)
		_ = file.Close()
		if err != nil {
			return err
		}
		found = true
	}
	if len(d.Objects) > 0 && b.bucket == nil {
		return errors.New("there are files in a bucket, and none is set: give the settings of the server (KYRO_S3_ENDPOINT and the others)")
	}
	for version, key := range d.Objects {
		body, err := b.bucket.Open(ctx, key)
		if err == nil {
			err = b.addOriginal(d.DocumentID, version, body)
			_ = body.Close()
		}
		if kyro.ErrorCode(err) == kyro.CodeNotFound {
			return b.missing(ctx, d)
		}
		if err != nil {
			return err
		}
		found = true
	}
	if !found && d.Kind == kyro.DocumentFile {
		return b.missing(ctx, d)
	}
	return nil
}

func (b *backingUp) addOriginal(document kyro.ID, version int, r io.ReadSeeker) error {
	size, err := r.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = r.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	b.summary.Originals++
	b.summary.Bytes += size
	b.progress.at("reading files: %d, %s", b.summary.Originals, byteText(b.summary.Bytes))
	return b.out.Add(fmt.Sprintf("originals/%d/%d", document.Key, version), size, r)
}

// missing notes a document whose original is not there. Where it was deleted meanwhile, nothing held it, and the backup would not
// be one of any moment.
func (b *backingUp) missing(ctx context.Context, d store.Filed) error {
	deleted, err := b.store.Deleted(ctx, []kyro.ID{d.DocumentID})
	switch {
	case err != nil:
		return err
	case len(deleted) > 0:
		return fmt.Errorf("the file of %s was removed while the backup was made, which took too long a break: make it again", d.DocumentID)
	}
	b.summary.Missing = append(b.summary.Missing, d.DocumentID.String())
	return nil
}
