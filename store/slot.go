package store

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

type slotRow struct {
	bun.BaseModel `bun:"table:upload_slots,alias:u"`

	ID         int64 `bun:"id,pk,autoincrement"`
	OwnerID    int64
	BotID      int64
	FileName   string
	Title      string
	SizeBytes  *int64
	Received   int64
	DocumentID *int64
	CreatedAt  time.Time
	ExpiresAt  time.Time
}

func (r *slotRow) noun() kyro.UploadSlot {
	u := kyro.UploadSlot{
		ID: kyro.UploadID(r.ID), OwnerID: kyro.UserID(r.OwnerID), BotID: kyro.BotID(r.BotID), FileName: r.FileName, Title: r.Title,
		SizeBytes: r.SizeBytes, ReceivedBytes: r.Received, CreatedAt: r.CreatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(),
	}
	if r.DocumentID != nil {
		u.DocumentID = kyro.DocumentID(*r.DocumentID)
	}
	return u
}

// CreateSlot implements ingest.SlotStore.
func (s *Store) CreateSlot(ctx context.Context, u kyro.UploadSlot, most int) (kyro.UploadSlot, error) {
	var row slotRow
	err := s.write(ctx, "make a place for an upload", func(ctx context.Context, tx *writeTx) error {
		// Two that are made at once count one after the other.
		var owner int64
		err := s.lock(tx.NewSelect().Table("users").Column("id").Where("id = ? AND deactivated_at IS NULL", u.OwnerID.Key)).Scan(ctx, &owner)
		if err != nil {
			return notFound(err, kyro.KindBot)
		}
		if err := s.liveBot(ctx, tx, u.OwnerID, u.BotID); err != nil {
			return err
		}
		now := kyro.Moment(u.CreatedAt)
		open, err := tx.NewSelect().Table("upload_slots").
			Where("owner_id = ? AND document_id IS NULL AND expires_at > ?", u.OwnerID.Key, now).Count(ctx)
		if err != nil {
			return err
		}
		if int(open) >= most {
			return kyro.Errorf(kyro.CodeLimitReached,
				"There are %d uploads that are not complete, which is as many as there may be. Finish one, or give one up by DELETE at its url.", open)
		}
		if u.SizeBytes != nil {
			if err := tx.roomForParts(ctx, u.OwnerID.Key, *u.SizeBytes); err != nil {
				return err
			}
		}
		row = slotRow{
			OwnerID: u.OwnerID.Key, BotID: u.BotID.Key, FileName: clean(u.FileName), Title: clean(u.Title), SizeBytes: u.SizeBytes,
			CreatedAt: now, ExpiresAt: kyro.Moment(u.ExpiresAt),
		}
		_, err = tx.NewInsert().Model(&row).Returning("id").Exec(ctx)
		return err
	})
	if err != nil {
		return kyro.UploadSlot{}, err
	}
	return row.noun(), nil
}

// Slots implements ingest.SlotStore.
func (s *Store) Slots(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.UploadSlot, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []slotRow
	err := s.read().NewSelect().Model(&rows).Where("u.owner_id = ? AND u.id IN (?)", owner.Key, keys(ids)).Scan(ctx)
	if err != nil {
		return nil, failed("read uploads", err)
	}
	return convert(rows, (*slotRow).noun), nil
}

// slotInUse holds for slots of accounts in use and live bots: the capability of a url outlives neither.
const slotInUse = "EXISTS (SELECT 1 FROM users WHERE users.id = u.owner_id AND users.deactivated_at IS NULL) AND " +
	"EXISTS (SELECT 1 FROM bots WHERE bots.id = u.bot_id AND bots.deleted_at IS NULL)"

// OpenSlot implements ingest.SlotStore.
func (s *Store) OpenSlot(ctx context.Context, id kyro.ID, now time.Time) (kyro.UploadSlot, error) {
	var row slotRow
	err := s.read().NewSelect().Model(&row).Where("u.id = ? AND u.expires_at > ?", id.Key, kyro.Moment(now)).Where(slotInUse).Scan(ctx)
	if err != nil {
		return kyro.UploadSlot{}, failed("read an upload", notFound(err, kyro.KindUpload))
	}
	return row.noun(), nil
}

// AddPart implements ingest.SlotStore: the row decides between two that add at once.
func (s *Store) AddPart(ctx context.Context, id kyro.ID, at int64, size int, body []byte) error {
	return s.write(ctx, "add to an upload", func(ctx context.Context, tx *writeTx) error {
		var owners []int64
		err := tx.NewUpdate().Table("upload_slots").Set("received = ?", at+int64(size)).
			Where("id = ? AND received = ? AND document_id IS NULL", id.Key, at).Returning("owner_id").Scan(ctx, &owners)
		if err != nil {
			return err
		}
		if len(owners) == 0 {
			return kyro.Errorf(kyro.CodeConflict, "Something else was sent here meanwhile. Ask by HEAD how much is there, and go on from there.")
		}
		if err := tx.roomForParts(ctx, owners[0], 0); err != nil {
			return err
		}
		if body == nil {
			return nil
		}
		return insertMany(ctx, tx, "upload_parts", []string{"slot_id", "at", "body"}, 1, func(int) []any { return []any{id.Key, at, body} })
	})
}

// roomForParts answers LIMIT_REACHED where the owner's documents, what is there of uploads, and so many bytes more are more
// than one may have. What is sent to other uploads at this very moment does not count.
func (tx *writeTx) roomForParts(ctx context.Context, owner, bytes int64) error {
	most := tx.limits.MaxStorageBytes
	if most == 0 {
		return nil
	}
	var stored, sent int64
	documents := tx.NewSelect().Table("documents").ColumnExpr("CAST(coalesce(sum(size_bytes), 0) AS BIGINT)").
		Where("owner_id = ? AND deleted_at IS NULL", owner)
	err := tx.NewSelect().Table("upload_slots").ColumnExpr("(?), CAST(coalesce(sum(received), 0) AS BIGINT)", documents).
		Where("owner_id = ? AND document_id IS NULL", owner).Scan(ctx, &stored, &sent)
	if err != nil || stored+sent+bytes <= most {
		return err
	}
	return kyro.Errorf(kyro.CodeLimitReached, "With this, your documents and what is there of your uploads would take more than the %d MiB that are allowed. "+
		"Delete documents that you do not need, or give up an upload by DELETE at its url.", most>>20)
}

// Parts implements ingest.SlotStore.
func (s *Store) Parts(ctx context.Context, id kyro.ID) io.Reader {
	return &parts{ctx: ctx, store: s, slot: id}
}

// parts reads what is there of an upload. Between two parts nothing of the database is held.
type parts struct {
	ctx   context.Context // of who asked for it
	store *Store
	slot  kyro.ID
	at    int64 // behind what was read from the database
	rest  []byte
}

// Read implements io.Reader.
func (p *parts) Read(into []byte) (int, error) {
	if len(p.rest) == 0 {
		q := p.store.query().add("SELECT body FROM upload_parts WHERE slot_id = ? AND at = ?", p.slot.Key, p.at)
		if err := p.store.each(p.ctx, q, []any{&p.rest}, func() {}); err != nil {
			return 0, failed("read an upload", err)
		}
		if len(p.rest) == 0 {
			return 0, io.EOF
		}
		p.at += int64(len(p.rest))
	}
	n := copy(into, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// fillSlot gives a slot the document that was made of its bytes, in the transaction that makes it; CONFLICT where it has
// one, or where there are more or less of them by now.
func fillSlot(ctx context.Context, tx *writeTx, slot kyro.ID, document int64, size *int64) error {
	if slot.IsZero() {
		return nil
	}
	result, err := tx.NewUpdate().Table("upload_slots").Set("document_id = ?", document).
		Where("id = ? AND received = ? AND document_id IS NULL", slot.Key, size).Exec(ctx)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		if err == nil {
			err = kyro.Errorf(kyro.CodeConflict, "The upload was finished or given up meanwhile.")
		}
		return err
	}
	_, err = tx.NewDelete().Table("upload_parts").Where("slot_id = ?", slot.Key).Exec(ctx)
	return err
}

// DropSlot implements ingest.SlotStore.
func (s *Store) DropSlot(ctx context.Context, id kyro.ID) error {
	return s.write(ctx, "give an upload up", func(ctx context.Context, tx *writeTx) error {
		return dropSlots(ctx, tx, []int64{id.Key}, "document_id IS NULL")
	})
}

// dropSlots removes slots with their parts. The row of a slot is locked first, so that no part comes to it meanwhile.
func dropSlots(ctx context.Context, tx *writeTx, slots []int64, condition string, args ...any) error {
	var locked []int64
	err := tx.NewUpdate().Table("upload_slots").Set("received = received").Where("id IN (?)", list(slots)).
		Where(condition, args...).Returning("id").Scan(ctx, &locked)
	if err != nil || len(locked) == 0 {
		return err
	}
	if _, err := tx.NewDelete().Table("upload_parts").Where("slot_id IN (?)", list(locked)).Exec(ctx); err != nil {
		return err
	}
	_, err = tx.NewDelete().Table("upload_slots").Where("id IN (?)", list(locked)).Exec(ctx)
	return err
}

// slotsASweep is how many slots go at once, each with as much as a file may have.
const slotsASweep = 20

// SweepSlots implements ingest.SlotStore.
func (s *Store) SweepSlots(ctx context.Context, now time.Time) error {
	now = kyro.Moment(now)
	for {
		var slots []int64
		err := s.write(ctx, "remove uploads that are over", func(ctx context.Context, tx *writeTx) error {
			slots = nil
			err := tx.NewSelect().Table("upload_slots").Column("id").Where("expires_at <= ?", now).Order("expires_at").
				Limit(slotsASweep).Scan(ctx, &slots)
			if err != nil || len(slots) == 0 {
				return err
			}
			return dropSlots(ctx, tx, slots, "expires_at <= ?", now)
		})
		if err != nil || len(slots) < slotsASweep {
			return err
		}
	}
}

// UnknownSlots implements ingest.SlotStore.
func (s *Store) UnknownSlots(ctx context.Context, ids []kyro.ID) ([]kyro.ID, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var there []int64
	err := s.read().NewSelect().Table("upload_slots").Column("id").Where("id IN (?) AND document_id IS NULL", keys(ids)).Scan(ctx, &there)
	if err != nil {
		return nil, failed("look for uploads", err)
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id kyro.ID) bool { return slices.Contains(there, id.Key) }), nil
}

// OwnDocument implements ingest.SlotStore.
func (s *Store) OwnDocument(ctx context.Context, owner, id kyro.ID) (kyro.Document, error) {
	var row documentRow
	err := s.read().NewSelect().Model(&row).Where("d.id = ? AND d.owner_id = ? AND d.deleted_at IS NULL", id.Key, owner.Key).
		Where("EXISTS (SELECT 1 FROM users WHERE users.id = d.owner_id AND users.deactivated_at IS NULL)").Scan(ctx)
	if err != nil {
		return kyro.Document{}, failed("read a document", notFound(err, kyro.KindDocument))
	}
	return row.noun(), nil
}
