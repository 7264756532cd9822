package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

type sessionRow struct {
	bun.BaseModel `bun:"table:sessions,alias:s"`

	ID            int64 `bun:"id,pk,autoincrement"`
	UserID        int64
	Counter       int64
	RotatedAt     time.Time
	CreatedAt     time.Time
	LastUsedAt    time.Time
	ExpiresAt     time.Time
	RevokedAt     *time.Time
	UserAgent     string
	AddressPrefix string
}

func rowOfSession(n kyro.Session) sessionRow {
	return sessionRow{
		ID: n.ID.Key, UserID: n.UserID.Key, Counter: n.Counter,
		RotatedAt: kyro.Moment(n.RotatedAt), CreatedAt: kyro.Moment(n.CreatedAt), LastUsedAt: kyro.Moment(n.LastUsedAt),
		ExpiresAt: kyro.Moment(n.ExpiresAt), RevokedAt: stampOrNil(n.RevokedAt),
		UserAgent: clean(n.Device.UserAgent), AddressPrefix: clean(n.Device.AddressPrefix),
	}
}

func (r *sessionRow) noun() kyro.Session {
	return kyro.Session{
		ID: kyro.SessionID(r.ID), UserID: kyro.UserID(r.UserID), Counter: r.Counter,
		RotatedAt: r.RotatedAt.UTC(), CreatedAt: r.CreatedAt.UTC(), LastUsedAt: r.LastUsedAt.UTC(),
		ExpiresAt: r.ExpiresAt.UTC(), RevokedAt: utcOrZero(r.RevokedAt),
		Device: kyro.Device{UserAgent: r.UserAgent, AddressPrefix: r.AddressPrefix},
	}
}

// CreateSession stores a session and revokes the user's oldest live ones, so that keep of them are left, the new
// one among them. It gives the ids of those it revoked. The deeds are done with the new session, and the log tells of each
// that is revoked as of what follows from the first deed.
func (s *Store) CreateSession(
	ctx context.Context, session kyro.Session, keep int, deeds ...kyro.AuditEntry,
) (created kyro.Session, revoked []kyro.ID, err error) {
	var r sessionRow
	var former []int64
	err = s.write(ctx, "create the session", func(ctx context.Context, tx *writeTx) error {
		// Two sign-ins at once count one after the other.
		var user int64
		err := s.lock(tx.NewSelect().Table("users").Column("id").Where("id = ?", session.UserID.Key)).Scan(ctx, &user)
		if err != nil {
			return notFound(err, kyro.KindUser)
		}
		r = rowOfSession(session)
		if _, err := tx.NewInsert().Model(&r).Exec(ctx); err != nil {
			return err
		}
		live := tx.NewSelect().Table("sessions").Column("id").
			Where("user_id = ? AND revoked_at IS NULL AND expires_at > ?", r.UserID, r.CreatedAt).
			Order("id DESC").Limit(int64(max(keep, 1)))
		former = nil
		err = tx.NewUpdate().Table("sessions").Set("revoked_at = ?", r.CreatedAt).
			Where("user_id = ? AND revoked_at IS NULL AND expires_at > ?", r.UserID, r.CreatedAt).
			Where("id NOT IN (?)", live).Returning("id").Scan(ctx, &former)
		if err != nil || len(deeds) == 0 {
			return err
		}
		lines := signedIn(r.UserID, r.ID, deeds)
		for _, id := range former {
			lines = append(lines, lines[0].Following(kyro.AuditSessionRevoked, kyro.SessionID(id), "More devices than may be signed in at once."))
		}
		return tx.audit(ctx, lines...)
	})
	for _, id := range former {
		revoked = append(revoked, kyro.SessionID(id))
	}
	return r.noun(), revoked, err
}

// Session reads one session; NOT_FOUND where there is none.
func (s *Store) Session(ctx context.Context, id kyro.ID) (kyro.Session, error) {
	return readSession(ctx, s.read(), id)
}

func readSession(ctx context.Context, db bun.IDB, id kyro.ID) (kyro.Session, error) {
	var r sessionRow
	err := db.NewSelect().Model(&r).Where("s.id = ?", id.Key).Scan(ctx)
	if err != nil {
		return kyro.Session{}, failed("read the session", notFound(err, kyro.KindSession))
	}
	return r.noun(), nil
}

// RotateSession raises the counter by one if it is still from and the session lives. won is false where another
// call was first; the session is given as it is afterwards either way.
func (s *Store) RotateSession(ctx context.Context, id kyro.ID, from int64, now time.Time) (session kyro.Session, won bool, err error) {
	now = kyro.Moment(now)
	err = s.write(ctx, "rotate the session", func(ctx context.Context, tx *writeTx) error {
		var r sessionRow
		err := tx.NewUpdate().Model(&r).
			Set("counter = counter + 1").Set("rotated_at = ?", now).Set("last_used_at = ?", now).
			Where("id = ? AND counter = ? AND revoked_at IS NULL AND expires_at > ?", id.Key, from, now).
			Returning("*").Scan(ctx)
		if won = err == nil; won {
			session = r.noun()
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		session, err = readSession(ctx, tx, id)
		return err
	})
	return session, won && err == nil, err
}

// RevokeSession ends a session; one that ended before stays as it is, and nothing was done then.
func (s *Store) RevokeSession(ctx context.Context, id kyro.ID, now time.Time, deeds ...kyro.AuditEntry) error {
	return s.write(ctx, "revoke the session", func(ctx context.Context, tx *writeTx) error {
		result, err := tx.NewUpdate().Table("sessions").Set("revoked_at = ?", kyro.Moment(now)).
			Where("id = ? AND revoked_at IS NULL", id.Key).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return tx.audit(ctx, deeds...)
	})
}

// EndedSessions gives those of the sessions that live no more, or never did.
func (s *Store) EndedSessions(ctx context.Context, ids []kyro.ID, now time.Time) (ended []kyro.ID, err error) {
	for some := range slices.Chunk(ids, 1_000) {
		var live []int64
		err := s.read().NewSelect().Table("sessions").Column("id").
			Where("id IN (?) AND revoked_at IS NULL AND expires_at > ?", keys(some), kyro.Moment(now)).Scan(ctx, &live)
		if err != nil {
			return ended, failed("check the sessions", err)
		}
		slices.Sort(live)
		for _, id := range some {
			if _, lives := slices.BinarySearch(live, id.Key); !lives {
				ended = append(ended, id)
			}
		}
	}
	return ended, nil
}
