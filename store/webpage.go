package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// AddPage implements ingest.Store. A unique index decides between two that come at once.
func (s *Store) AddPage(ctx context.Context, d kyro.NewDocument, deeds ...kyro.AuditEntry) (document kyro.Document, added bool, err error) {
	for try := 0; ; try++ {
		err = s.write(ctx, "add page", func(ctx context.Context, tx *writeTx) error {
			if err := tx.holdOwner(ctx, "id = ?", d.OwnerID.Key); err != nil {
				return err
			}
			if err := s.liveBot(ctx, tx, d.OwnerID, d.BotID); err != nil {
				return err
			}
			known, err := pageOf(ctx, tx, d.BotID, d.URL)
			if added = known == nil; err != nil || !added {
				if known != nil {
					document = known.noun()
				}
				return err
			}
			if document, err = tx.addDocument(ctx, d, nil, nil); err != nil {
				return err
			}
			return tx.audit(ctx, about(document.ID, deeds)...)
		})
		if !isUniqueViolation(err) || try > 0 {
			return document, added, err
		}
	}
}

// PageOf implements ingest.Store.
func (s *Store) PageOf(ctx context.Context, bot kyro.ID, url string) (document kyro.Document, found bool, err error) {
	row, err := pageOf(ctx, s.read(), bot, url)
	if err != nil || row == nil {
		return document, false, failed("look for a page", err)
	}
	return row.noun(), true, nil
}

// pageOf is the live document of a bot that was added by the address, or else is called by it; nil where there is none.
func pageOf(ctx context.Context, db bun.IDB, bot kyro.ID, url string) (*documentRow, error) {
	for _, column := range []string{"page_url", "url"} {
		var row documentRow
		err := db.NewSelect().Model(&row).Where("d.bot_id = ? AND d."+column+" = ? AND d.url <> '' AND d.deleted_at IS NULL", bot.Key, url).
			Order("d.id").Limit(1).Scan(ctx)
		if !errors.Is(err, sql.ErrNoRows) {
			return &row, err
		}
	}
	return nil, nil
}

// fetched notes what was fetched of the version that is being made.
func (r *documentRow) fetched(p kyro.SavedPage, now time.Time) {
	at, size := kyro.Moment(now), p.SizeBytes
	r.CheckedAt, r.FetchedRun = &at, r.Run
	facts := r.known()
	facts.Claimed, facts.FetchedType, facts.FetchedURL = clean(p.Claimed), p.MimeType, clean(p.URL)
	facts.MimeType, facts.ContentHash, facts.SizeBytes = p.MimeType, p.ContentHash, &size
	facts.ETag, facts.LastModified = clean(p.ETag), clean(p.LastModified)
	r.learn(facts)
}

// fetchedColumns are those that fetched writes.
var fetchedColumns = []string{
	"mime_type", "content_hash", "size_bytes", "etag", "last_modified", "making", "claimed", "fetched_type", "fetched_url", "checked_at", "fetched_run",
}

// SaveFetched implements ingest.Store.
func (s *Store) SaveFetched(
	ctx context.Context, id kyro.ID, run int64, p kyro.SavedPage, original io.Reader, place func(kyro.Document) error, now time.Time,
) (kyro.Document, error) {
	var row documentRow
	err := s.writeOnce(ctx, "save page", patience(original, &p.SizeBytes), func(ctx context.Context, tx *writeTx) (err error) {
		if row, err = inRun(ctx, tx, id, run); err != nil {
			return err
		}
		return tx.saveFetched(ctx, &row, p, original, place, now)
	})
	if err != nil {
		return kyro.Document{}, err
	}
	return row.worked(), nil
}

// saveFetched keeps what was fetched as the original of the version that is being made, in place of any before.
func (tx *writeTx) saveFetched(
	ctx context.Context, row *documentRow, p kyro.SavedPage, original io.Reader, place func(kyro.Document) error, now time.Time,
) error {
	row.fetched(p, now)
	if err := updateInRun(ctx, tx, row, kyro.DocumentID(row.ID), row.Run, fetchedColumns...); err != nil {
		return err
	}
	if original != nil {
		_, err := tx.NewDelete().Table("document_files").Where("document_id = ? AND version = ?", row.ID, row.Version).Exec(ctx)
		if err == nil {
			err = saveOriginal(ctx, tx, row.ID, row.Version, original)
		}
		if err != nil {
			return err
		}
	}
	if p.Object != "" {
		_, err := tx.NewDelete().Table("document_objects").Where("document_id = ? AND version = ?", row.ID, row.Version).Exec(ctx)
		if err == nil {
			err = saveObject(ctx, tx, row.ID, row.Version, p.Object)
		}
		if err != nil {
			return err
		}
	}
	if place != nil {
		return place(row.noun())
	}
	return nil
}

// Unchanged implements ingest.Store.
func (s *Store) Unchanged(ctx context.Context, id kyro.ID, run int64, etag, lastModified string, now time.Time) (kyro.Document, error) {
	var row documentRow
	err := s.write(ctx, "end a run", func(ctx context.Context, tx *writeTx) (err error) {
		if err := tx.holdOwnerOf(ctx, id); err != nil {
			return err
		}
		if row, err = inRun(ctx, tx, id, run); err != nil {
			return err
		}
		row.back(kyro.RunUnchanged, "", now)
		row.unchanged(etag, lastModified, now)
		columns := slices.Concat(runColumns, []string{"etag", "last_modified", "checked_at", "sync_failures"})
		if err := updateInRun(ctx, tx, &row, id, run, columns...); err != nil {
			return err
		}
		return tx.settle(ctx, &row)
	})
	if err != nil {
		return kyro.Document{}, err
	}
	return row.noun(), nil
}

// unchanged notes that the page was looked at, and is what it was. What the server did not say again stays.
func (r *documentRow) unchanged(etag, lastModified string, now time.Time) {
	at := kyro.Moment(now)
	r.CheckedAt, r.SyncFailures = &at, 0
	if etag != "" || lastModified != "" {
		r.ETag, r.LastModified = clean(etag), clean(lastModified)
	}
}

// PostponeFetch implements ingest.Store.
func (s *Store) PostponeFetch(ctx context.Context, id kyro.ID, run int64, counts bool, step kyro.DocumentStep) (kyro.Document, error) {
	var row documentRow
	err := s.write(ctx, "postpone a fetch", func(ctx context.Context, tx *writeTx) (err error) {
		if err := tx.holdOwnerOf(ctx, id); err != nil {
			return err
		}
		if row, err = inRun(ctx, tx, id, run); err != nil {
			return err
		}
		row.move(step)
		if counts {
			row.FetchTries++
		}
		columns := []string{"status", "status_reason", "stage_done", "stage_total", "retry_at", "updated_at", "fetch_tries"}
		if err := updateInRun(ctx, tx, &row, id, run, columns...); err != nil {
			return err
		}
		return tx.feed(ctx, row.OwnerID)
	})
	if err != nil {
		return kyro.Document{}, err
	}
	return row.worked(), nil
}

// SameText implements ingest.Store.
func (s *Store) SameText(ctx context.Context, bot, but kyro.ID, hash string) (document kyro.Document, found bool, err error) {
	var row documentRow
	err = s.read().NewSelect().Model(&row).
		Join("JOIN document_texts AS t ON t.document_id = d.id AND t.version = d.active_version").
		Where("t.hash = ? AND t.hash IS NOT NULL AND d.bot_id = ? AND d.id <> ? AND d.deleted_at IS NULL", hash, bot.Key, but.Key).
		Order("d.id").Limit(1).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return document, false, nil
	}
	if err != nil {
		return document, false, failed("look for the same text", err)
	}
	return row.noun(), true, nil
}

// TextHash implements ingest.Store. A text from before hashes were kept has none.
func (s *Store) TextHash(ctx context.Context, id kyro.ID) (string, error) {
	var hash []string
	err := s.read().NewSelect().TableExpr("documents AS d").ColumnExpr("t.hash").
		Join("JOIN document_texts AS t ON t.document_id = d.id AND t.version = d.active_version").
		Where("d.id = ? AND d.deleted_at IS NULL AND t.hash IS NOT NULL", id.Key).Limit(1).Scan(ctx, &hash)
	if err != nil || len(hash) == 0 {
		return "", failed("read the hash of a text", err)
	}
	return hash[0], nil
}

// hashText is the SHA-256 of a text, as it is stored, in hex.
func hashText(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
