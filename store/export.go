package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

type exportRow struct {
	bun.BaseModel `bun:"table:exports,alias:e"`

	ID         int64 `bun:"id,pk,autoincrement"`
	OwnerID    int64
	BotID      *int64
	Kind       kyro.ExportKind
	Format     kyro.ExportFormat
	FromAt     *time.Time
	ToAt       *time.Time
	Status     kyro.ExportStatus
	Attempt    int64
	Done       int
	Total      *int
	SizeBytes  *int64
	Hash       string
	Object     *string
	ErrorCode  kyro.Code
	ErrorText  string
	CreatedAt  time.Time
	UpdatedAt  time.Time
	FinishedAt *time.Time
	ExpiresAt  time.Time
	DeletedAt  *time.Time
}

func rowOfExport(e *kyro.Export) exportRow {
	r := exportRow{
		OwnerID: e.OwnerID.Key, Kind: e.Kind, Format: e.Format, FromAt: stampPtr(e.From), ToAt: stampPtr(e.To), Status: e.Status,
		CreatedAt: kyro.Moment(e.CreatedAt), UpdatedAt: kyro.Moment(e.UpdatedAt), ExpiresAt: kyro.Moment(e.ExpiresAt),
	}
	if !e.BotID.IsZero() {
		r.BotID = &e.BotID.Key
	}
	return r
}

func (r *exportRow) noun() kyro.Export {
	e := kyro.Export{
		ID: kyro.ExportID(r.ID), OwnerID: kyro.UserID(r.OwnerID), Kind: r.Kind, Format: r.Format, From: utcPtr(r.FromAt), To: utcPtr(r.ToAt),
		Status: r.Status, Attempt: r.Attempt, Done: r.Done, Total: r.Total, SizeBytes: r.SizeBytes, Hash: r.Hash,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), FinishedAt: utcPtr(r.FinishedAt), ExpiresAt: r.ExpiresAt.UTC(),
	}
	if r.BotID != nil {
		e.BotID = kyro.BotID(*r.BotID)
	}
	if r.Object != nil {
		e.Object = *r.Object
	}
	if r.ErrorCode != "" {
		e.Failure = &kyro.Error{Code: r.ErrorCode, Message: r.ErrorText}
	}
	return e
}

// There are exports that can be seen, and those of which a job removes what is left.
const (
	exportLives   = "e.deleted_at IS NULL AND e.expires_at > ?"
	exportRunning = "e.status IN ('" + string(kyro.ExportQueued) + "', '" + string(kyro.ExportRunning) + "')"
	exportOwned   = "EXISTS (SELECT 1 FROM users WHERE users.id = e.owner_id AND users.deactivated_at IS NULL)"
)

// StartExport implements export.Store.
func (s *Store) StartExport(ctx context.Context, wanted kyro.Export, most int, deeds ...kyro.AuditEntry) (kyro.Export, error) {
	var started kyro.Export
	var device kyro.Device
	for _, deed := range deeds {
		device = deed.Device
	}
	err := s.write(ctx, "begin an export", func(ctx context.Context, tx *writeTx) error {
		// Two that are asked for at once count one after the other.
		var owner int64
		var email string
		err := s.lock(tx.NewSelect().Table("users").Column("id", "email").Where("id = ? AND deactivated_at IS NULL", wanted.OwnerID.Key)).Scan(ctx, &owner, &email)
		if err != nil {
			return notFound(err, kyro.KindUser)
		}
		if !wanted.BotID.IsZero() {
			if err := s.liveBot(ctx, tx, wanted.OwnerID, wanted.BotID); err != nil {
				return err
			}
		}
		row := rowOfExport(&wanted)
		var others []exportRow
		err = tx.NewSelect().Model(&others).Where("e.owner_id = ?", owner).Where(exportLives, row.CreatedAt).
			Where("e.status <> ?", kyro.ExportFailed).Order("e.id").Scan(ctx)
		if err != nil {
			return err
		}
		for i := range others {
			other := others[i].noun()
			if !other.Status.Final() && other.Same(&wanted) {
				started = other
				return nil
			}
		}
		if len(others) >= most {
			return kyro.Errorf(kyro.CodeLimitReached,
				"You have %d exports, and no more are kept. Delete one that you do not need, or wait until one expires.", len(others))
		}
		if _, err = tx.NewInsert().Model(&row).Returning("id").Exec(ctx); err != nil {
			return err
		}
		started = row.noun()
		if err := tx.Enqueue(ctx, kyro.Job{Kind: kyro.JobExport, Key: row.ID}); err != nil {
			return err
		}
		// Whoever asks gives no password: the owner is told, as of all that a thief of a session would do.
		letter := kyro.Letter{Kind: kyro.LetterExportRequested, Seed: fmt.Sprint("export ", row.ID), Device: device, CreatedAt: row.CreatedAt}
		return tx.tell(ctx, wanted.OwnerID, email, []kyro.Letter{letter}, about(started.ID, deeds))
	})
	return started, err
}

// Exports implements export.Store.
func (s *Store) Exports(ctx context.Context, owner kyro.ID, ids []kyro.ID, now time.Time) ([]kyro.Export, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return s.exports(ctx, owner, now, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("e.id IN (?)", keys(ids)) })
}

// ExportsOf implements export.Store.
func (s *Store) ExportsOf(ctx context.Context, owner kyro.ID, now time.Time) ([]kyro.Export, error) {
	return s.exports(ctx, owner, now, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Order("e.id DESC").Limit(kyro.MaxExportsListed)
	})
}

func (s *Store) exports(ctx context.Context, owner kyro.ID, now time.Time, which func(*bun.SelectQuery) *bun.SelectQuery) ([]kyro.Export, error) {
	var rows []exportRow
	err := which(s.read().NewSelect().Model(&rows).Where("e.owner_id = ?", owner.Key).Where(exportLives, kyro.Moment(now)).Where(exportOwned)).Scan(ctx)
	if err != nil {
		return nil, failed("read exports", err)
	}
	return convert(rows, (*exportRow).noun), nil
}

// BeginExport implements export.Store.
func (s *Store) BeginExport(ctx context.Context, id kyro.ID, now time.Time) (kyro.Export, error) {
	var rows []exportRow
	err := s.write(ctx, "begin to make an export", func(ctx context.Context, tx *writeTx) error {
		rows = nil
		_, err := tx.NewUpdate().Model(&rows).Set("attempt = attempt + 1").Set("status = ?", kyro.ExportRunning).
			Set("done = 0").Set("updated_at = ?", kyro.Moment(now)).
			Where("e.id = ?", id.Key).Where(exportLives, kyro.Moment(now)).Where(exportRunning).Where(exportOwned).Returning("*").Exec(ctx)
		if err != nil || len(rows) == 0 {
			return err
		}
		_, err = tx.NewDelete().Table("export_parts").Where("export_id = ?", id.Key).Exec(ctx) // of attempts that were cut off
		return err
	})
	if err == nil && len(rows) == 0 {
		err = kyro.NotFound(kyro.KindExport)
	}
	if err != nil {
		return kyro.Export{}, err
	}
	return rows[0].noun(), nil
}

// inAttempt changes the row of an export that is being made, as long as nobody else began it anew; NOT_FOUND where it is
// over.
func (tx *writeTx) inAttempt(ctx context.Context, e *kyro.Export, change func(*bun.UpdateQuery) *bun.UpdateQuery) error {
	result, err := change(tx.NewUpdate().TableExpr("exports AS e")).
		Where("e.id = ? AND e.attempt = ? AND e.status = ? AND e.deleted_at IS NULL", e.ID.Key, e.Attempt, kyro.ExportRunning).
		Where(exportOwned).Exec(ctx)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		err = kyro.NotFound(kyro.KindExport)
	}
	return err
}

// NoteExport implements export.Store.
func (s *Store) NoteExport(ctx context.Context, e kyro.Export, now time.Time) error {
	return s.write(ctx, "note how far an export is", func(ctx context.Context, tx *writeTx) error {
		return tx.inAttempt(ctx, &e, func(q *bun.UpdateQuery) *bun.UpdateQuery {
			return q.Set("done = ?", e.Done).Set("total = ?", e.Total).Set("updated_at = ?", kyro.Moment(now))
		})
	})
}

// FinishExport implements export.Store.
func (s *Store) FinishExport(ctx context.Context, e kyro.Export, now, expires time.Time) error {
	now = kyro.Moment(now)
	return s.write(ctx, "finish an export", func(ctx context.Context, tx *writeTx) error {
		return tx.inAttempt(ctx, &e, func(q *bun.UpdateQuery) *bun.UpdateQuery {
			q = q.Set("status = ?", kyro.ExportReady).Set("done = ?", e.Done).Set("total = ?", e.Total).Set("size_bytes = ?", e.SizeBytes).
				Set("hash = ?", e.Hash).Set("updated_at = ?", now).Set("finished_at = ?", now).Set("expires_at = ?", kyro.Moment(expires))
			if e.Object != "" {
				q = q.Set("object = ?", e.Object)
			}
			return q
		})
	})
}

// FailExport implements export.Store.
func (s *Store) FailExport(ctx context.Context, id kyro.ID, attempt int64, why *kyro.Error, now, expires time.Time) error {
	now = kyro.Moment(now)
	return s.write(ctx, "give an export up", func(ctx context.Context, tx *writeTx) error {
		_, err := tx.NewUpdate().TableExpr("exports AS e").Set("status = ?", kyro.ExportFailed).Set("attempt = attempt + 1").
			Set("error_code = ?", why.Code).Set("error_text = ?", why.Message).Set("updated_at = ?", now).Set("finished_at = ?", now).
			Set("expires_at = ?", kyro.Moment(expires)).
			Where("e.id = ? AND (? = 0 OR e.attempt = ?)", id.Key, attempt, attempt).Where(exportLives, now).Where(exportRunning).Exec(ctx)
		if err != nil {
			return err
		}
		_, err = tx.NewDelete().Table("export_parts").Where("export_id = ? AND EXISTS (SELECT 1 FROM exports e WHERE e.id = ? AND e.status = ?)",
			id.Key, id.Key, kyro.ExportFailed).Exec(ctx)
		return err
	})
}

// DeleteExport implements export.Store.
func (s *Store) DeleteExport(ctx context.Context, owner, id kyro.ID, now time.Time, deeds ...kyro.AuditEntry) error {
	return s.write(ctx, "delete an export", func(ctx context.Context, tx *writeTx) error {
		result, err := tx.NewUpdate().TableExpr("exports AS e").Set("deleted_at = ?", kyro.Moment(now)).
			Where("e.id = ? AND e.owner_id = ?", id.Key, owner.Key).Where(exportLives, kyro.Moment(now)).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return notThere(err, kyro.KindExport)
		}
		if err := tx.Enqueue(ctx, kyro.Job{Kind: kyro.JobDropExport, Key: id.Key}); err != nil {
			return err
		}
		return tx.audit(ctx, about(id, deeds)...)
	})
}

func notThere(err error, kind kyro.Kind) error {
	if err == nil {
		err = kyro.NotFound(kind)
	}
	return err
}

// exportsASweep is how many exports expire at once.
const exportsASweep = 100

// ExpireExports implements export.Store.
func (s *Store) ExpireExports(ctx context.Context, now time.Time) error {
	now = kyro.Moment(now)
	for {
		var over []int64
		err := s.write(ctx, "let exports expire", func(ctx context.Context, tx *writeTx) error {
			over = nil
			some := tx.NewSelect().Table("exports").Column("id").Where("deleted_at IS NULL AND expires_at <= ?", now).Order("expires_at").Limit(exportsASweep)
			err := tx.NewUpdate().Table("exports").Set("deleted_at = ?", now).Where("id IN (?) AND deleted_at IS NULL", some).Returning("id").Scan(ctx, &over)
			if err != nil {
				return err
			}
			drops := make([]kyro.Job, len(over))
			for i, key := range over {
				drops[i] = kyro.Job{Kind: kyro.JobDropExport, Key: key}
			}
			return tx.Enqueue(ctx, drops...)
		})
		if err != nil || len(over) < exportsASweep {
			return err
		}
	}
}

// DeletedExport implements export.Store.
func (s *Store) DeletedExport(ctx context.Context, id kyro.ID) (kyro.Export, error) {
	var row exportRow
	err := s.read().NewSelect().Model(&row).Where("e.id = ? AND e.deleted_at IS NOT NULL", id.Key).Scan(ctx)
	if err != nil {
		return kyro.Export{}, failed("read a deleted export", notFound(err, kyro.KindExport))
	}
	return row.noun(), nil
}

// partsADrop is how many parts of a file go at once.
const partsADrop = 64

// DropExport implements export.Store.
func (s *Store) DropExport(ctx context.Context, id kyro.ID) error {
	for more := true; more; {
		err := s.write(ctx, "remove an export", func(ctx context.Context, tx *writeTx) error {
			more = false
			// Whoever adds a part holds the row, too.
			var there []int64
			err := tx.NewUpdate().Table("exports").Set("attempt = attempt + 1").Where("id = ? AND deleted_at IS NOT NULL", id.Key).
				Returning("id").Scan(ctx, &there)
			if err != nil || len(there) == 0 {
				return err
			}
			some := tx.NewSelect().Table("export_parts").Column("part").Where("export_id = ?", id.Key).Limit(partsADrop)
			result, err := tx.NewDelete().Table("export_parts").Where("export_id = ? AND part IN (?)", id.Key, some).Exec(ctx)
			if err != nil {
				return err
			}
			if n, err := result.RowsAffected(); err != nil || n > 0 {
				more = err == nil
				return err
			}
			_, err = tx.NewDelete().Table("exports").Where("id = ?", id.Key).Exec(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// UnknownExports implements export.Store.
func (s *Store) UnknownExports(ctx context.Context, ids []kyro.ID) ([]kyro.ID, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var there []int64
	if err := s.read().NewSelect().Table("exports").Column("id").Where("id IN (?)", keys(ids)).Scan(ctx, &there); err != nil {
		return nil, failed("look for exports", err)
	}
	known := make(map[int64]bool, len(there))
	for _, key := range there {
		known[key] = true
	}
	var unknown []kyro.ID
	for _, id := range ids {
		if !known[id.Key] {
			unknown = append(unknown, id)
		}
	}
	return unknown, nil
}
