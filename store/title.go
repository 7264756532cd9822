package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"kyrochat/kyro"
)

// Retitle gives a live conversation another title where it still has the one that its first message gave it, and reports
// whether it did. The lock on the conversation decides between it and a person who gives a title at the same time: theirs
// stays, whichever comes first.
func (s *Store) Retitle(ctx context.Context, id kyro.ID, title string, now time.Time) (changed bool, err error) {
	now = kyro.Moment(now)
	err = s.write(ctx, "give the conversation a title", func(ctx context.Context, tx *writeTx) error {
		changed = false
		r := new(conversationRow)
		err := s.lock(tx.NewSelect().Model(r).Where("c.id = ? AND c.deleted_at IS NULL", id.Key)).Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		first, err := firstTitle(ctx, tx, r)
		if err != nil || r.Title == "" || r.Title != first || title == first {
			return err
		}
		r.Title, r.TitleKey, r.Changed = title, fold(title), r.next()
		if now.After(r.UpdatedAt) {
			r.UpdatedAt = now
		}
		_, err = tx.NewUpdate().Model(r).Column("title", "title_key", "updated_at", "events", "changed").WherePK().Exec(ctx)
		changed = err == nil
		return err
	})
	return changed && err == nil, err
}
