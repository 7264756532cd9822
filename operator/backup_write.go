package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"kyrochat/backup"
	"kyrochat/ingest"
	"kyrochat/ingest/files"
	"kyrochat/kyro"
	"kyrochat/store"
	"kyrochat/text"
)

// backingUp is a backup that is being made.
type backingUp struct {
	keys     backup.Keys
	progress *howFar
	operator *operator
	store    *store.Store
	name     string // of the installation
	folder   *files.Files
	bucket   ingest.Originals // nil where there is none

	held    *holding // nil where there is no place for it
	out     *backup.Writer
	summary backupSummary
}

// open opens what is to be backed up, beside a server if one runs. Nothing of it is changed.
func (b *backingUp) open(ctx context.Context, options Options) error {
	b.operator = &operator{Options: options, command: "backup", unhurried: true, needs: schemaAny}
	err := b.operator.open(ctx)
	if err == nil {
		b.store = b.operator.store
		b.name, b.folder, b.bucket, err = b.operator.originals(ctx)
	}
	if err != nil {
		b.close()
	}
	return err
}

func (b *backingUp) close() { _ = b.operator.close() }

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
		Format: backupFormat, Product: "KyroChat", Version: b.operator.Version, At: at.UTC().Truncate(time.Second), Installation: b.name, Image: snapshot.Image(),
	}
	if b.out, err = backup.NewWriter(b.progress.count(w), manifest, at, b.keys); err != nil {
		return err
	}
	for _, table := range manifest.Tables {
		part := 0
		err := snapshot.Rows(ctx, table, func(rows int, body []byte) error {
			part++
			b.summary.Rows[table.Name] += int64(rows)
			b.progress.at("reading %s: %s", table.Name, text.Plural(int(b.summary.Rows[table.Name]), "row"))
			return b.out.Add(fmt.Sprintf("rows/%s/%06d", table.Name, part), int64(len(body)), bytes.NewReader(body))
		})
		if err != nil {
			return err
		}
	}
	waiting, err := snapshot.Jobs(ctx, b.operator.queue)
	if err != nil {
		return err
	}
	read := b.operator.Now().Sub(at)
	for i := range waiting {
		if waiting[i].After > 0 { // from the time on that the backup says it is of
			waiting[i].After += read
		}
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
	content, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return b.out.Add(name, int64(len(content)), bytes.NewReader(content))
}

// writeOriginals adds the originals that are not in the database.
func (b *backingUp) writeOriginals(ctx context.Context, snapshot *store.Snapshot) error {
	for last := (kyro.ID{}); ; {
		list, err := snapshot.Filed(ctx, last, store.FiledBatch)
		if err != nil {
			return err
		}
		for _, d := range list {
			last = d.DocumentID
			if err := errors.Join(b.writeFiled(ctx, d), b.held.lapsed(b.operator.Now())); err != nil {
				return err
			}
		}
		if len(list) < store.FiledBatch {
			return nil
		}
	}
}

// writeFiled adds the originals of a document, each version once: that of the database, which is among the rows, else that of the
// bucket, else that of the folder, where others may be too. After a move into another database it has what was kept in it before.
func (b *backingUp) writeFiled(ctx context.Context, d store.Filed) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	versions, err := b.folder.Versions(d.DocumentID)
	if err != nil {
		return err
	}
	found := len(d.Kept) > 0
	for _, version := range versions {
		if _, elsewhere := d.Objects[version]; elsewhere || slices.Contains(d.Kept, version) || version > d.Version {
			continue // one that is later came after the snapshot
		}
		file, err := os.Open(b.folder.Path(d.DocumentID, version))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		size, err := sizeOf(file)
		if err == nil {
			err = b.addOriginal(d.DocumentID, version, size, file)
		}
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
		if slices.Contains(d.Kept, version) {
			continue
		}
		there, err := b.addObject(ctx, d.DocumentID, version, key)
		if err != nil {
			return err
		}
		if !there {
			return b.missing(ctx, d)
		}
		found = true
	}
	if !found && d.Kind == kyro.DocumentFile {
		return b.missing(ctx, d)
	}
	return nil
}

// addObject adds an original of the bucket, where it is there.
func (b *backingUp) addObject(ctx context.Context, document kyro.ID, version int, key string) (there bool, err error) {
	body, err := b.bucket.Open(ctx, key)
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = body.Close() }()
	size, err := sizeOf(body)
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = b.addOriginal(document, version, size, body)
	if kyro.ErrorCode(err) == kyro.CodeNotFound { // of which the backup has the beginning by now
		err = fmt.Errorf("the file of %s was removed from the bucket while it was read: make the backup again (%w)", document, err)
	}
	return true, err
}

// sizeOf is how many bytes there are, all of which are read afterwards.
func sizeOf(r io.Seeker) (size int64, err error) {
	if size, err = r.Seek(0, io.SeekEnd); err == nil {
		_, err = r.Seek(0, io.SeekStart)
	}
	return size, err
}

func (b *backingUp) addOriginal(document kyro.ID, version int, size int64, r io.Reader) error {
	b.summary.Originals++
	b.summary.Bytes += size
	b.progress.at("reading files: %d, %s", b.summary.Originals, text.Bytes(b.summary.Bytes))
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
