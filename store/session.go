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

	RotatedAgo int64 `bun:",scanonly"` // microseconds, where it was read with ago
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
		Device: kyro.Device{UserAgent: r.UserAgent, AddressPrefix: r.AddressPrefix}, RotatedAgo: time.Duration(r.RotatedAgo) * time.Microsecond,
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
		if err := s.holdUser(ctx, tx, session.UserID); err != nil {
			return err
		}
		r = rowOfSession(session)
		if _, err := tx.NewInsert().Model(&r).Exec(ctx); err != nil {
			return err
		}
		live := tx.NewSelect().Table("sessions").Column("id").
			Where("user_id = ? AND revoked_at IS NULL AND expires_at > ?", r.UserID, r.CreatedAt).
			Order("id DESC").Limit(int64(max(keep, 1)))
		former = nil
		err := tx.NewUpdate().Table("sessions").Set("revoked_at = ?", r.CreatedAt).
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

// Session reads one session; NOT_FOUND where there is none, and where the account is out of use.
func (s *Store) Session(ctx context.Context, id kyro.ID) (kyro.Session, error) {
	return s.readSession(ctx, s.read(), id)
}

func (s *Store) readSession(ctx context.Context, db bun.IDB, id kyro.ID) (kyro.Session, error) {
	var r sessionRow
	q := db.NewSelect().Model(&r).ColumnExpr("s.*").Where("s.id = ?", id.Key).Where(inUse("s"))
	if s.clock == nil {
		q = q.ColumnExpr("(EXTRACT(EPOCH FROM clock_timestamp() - s.rotated_at) * 1000000)::bigint AS rotated_ago")
	}
	if err := q.Scan(ctx); err != nil {
		return kyro.Session{}, failed("read the session", notFound(err, kyro.KindSession))
	}
	session := r.noun()
	if s.clock != nil {
		session.RotatedAgo = s.clock().Sub(session.RotatedAt)
	}
	return session, nil
}

// RotateSession raises the counter by one if it is still from, the session lives and the account is in use. won is false where another
// call was first; the session is given as it is afterwards either way.
func (s *Store) RotateSession(ctx context.Context, id kyro.ID, from int64, now time.Time) (session kyro.Session, won bool, err error) {
	now = kyro.Moment(now)
	clock, shift := s.byClock(0)
	err = s.write(ctx, "rotate the session", func(ctx context.Context, tx *writeTx) error {
		var r sessionRow
		err := tx.NewUpdate().Model(&r).
			Set("counter = counter + 1").Set("rotated_at = "+clock, shift...).Set("last_used_at = ?", now).
			Where("id = ? AND counter = ? AND revoked_at IS NULL AND expires_at > ?", id.Key, from, now).Where(inUse("s")).
			Returning("*").Scan(ctx)
		if won = err == nil; won {
			session = r.noun()
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		session, err = s.readSession(ctx, tx, id)
		return err
	})
	return session, won && err == nil, err
}

// SessionsOf are the user's sessions that live and were used since, the one used last first.
func (s *Store) SessionsOf(ctx context.Context, user kyro.ID, since, now time.Time) ([]kyro.Session, error) {
	return s.liveSessions(ctx, user, since, now, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Order("s.last_used_at DESC", "s.id DESC")
	})
}

// SessionsByID reads those of SessionsOf that have the ids, in any order.
func (s *Store) SessionsByID(ctx context.Context, user kyro.ID, ids []kyro.ID, since, now time.Time) ([]kyro.Session, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return s.liveSessions(ctx, user, since, now, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("s.id IN (?)", keys(ids))
	})
}

func (s *Store) liveSessions(
	ctx context.Context, user kyro.ID, since, now time.Time, which func(*bun.SelectQuery) *bun.SelectQuery,
) ([]kyro.Session, error) {
	var rows []sessionRow
	q := s.read().NewSelect().Model(&rows).Where("s.user_id = ? AND s.revoked_at IS NULL", user.Key).
		Where("s.expires_at > ? AND s.last_used_at >= ?", kyro.Moment(now), kyro.Moment(since))
	if err := which(q).Scan(ctx); err != nil {
		return nil, failed("read the sessions", err)
	}
	return convert(rows, (*sessionRow).noun), nil
}

// RevokeSession ends a session of the user. NOT_FOUND where the user has none that lives.
func (s *Store) RevokeSession(ctx context.Context, user, id kyro.ID, now time.Time, deeds ...kyro.AuditEntry) error {
	return s.write(ctx, "revoke the session", func(ctx context.Context, tx *writeTx) error {
		if ended, err := tx.endSession(ctx, user, id, now); err != nil || !ended {
			return orNotFound(err, kyro.KindSession)
		}
		return tx.audit(ctx, deeds...)
	})
}

// EndReusedSession ends a session of the user whose refresh token came twice, and stores the letter that tells of it. Of
// all that notice it one ends the session; for the others ended is false, and nothing is stored.
func (s *Store) EndReusedSession(
	ctx context.Context, user, id kyro.ID, now time.Time, letter kyro.Letter, deeds ...kyro.AuditEntry,
) (ended bool, err error) {
	err = s.write(ctx, "end the session", func(ctx context.Context, tx *writeTx) error {
		if err := s.holdUser(ctx, tx, user); err != nil { // which the letter refers to
			return err
		}
		if ended, err = tx.endSession(ctx, user, id, now); err != nil || !ended {
			return err
		}
		if err := tx.addLetters(ctx, letter); err != nil {
			return err
		}
		return tx.audit(ctx, deeds...)
	})
	return ended && err == nil, err
}

// endSession revokes a session of the user, and reports whether it lived.
func (tx *writeTx) endSession(ctx context.Context, user, id kyro.ID, now time.Time) (bool, error) {
	now = kyro.Moment(now)
	result, err := tx.NewUpdate().Table("sessions").Set("revoked_at = ?", now).
		Where("id = ? AND user_id = ? AND revoked_at IS NULL AND expires_at > ?", id.Key, user.Key, now).Exec(ctx)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// RevokeOtherSessions ends all of the user's sessions but one, and gives the ids of those it ended.
func (s *Store) RevokeOtherSessions(
	ctx context.Context, user, except kyro.ID, now time.Time, deeds ...kyro.AuditEntry,
) (ended []kyro.ID, err error) {
	err = s.write(ctx, "revoke the other sessions", func(ctx context.Context, tx *writeTx) error {
		if err := s.holdUser(ctx, tx, user); err != nil {
			return err
		}
		if ended, err = tx.endSessions(ctx, user, except, now); err != nil {
			return err
		}
		return tx.audit(ctx, deeds...)
	})
	return ended, err
}

// EndedCredentials gives those of the sessions and API keys that are good no more, or never were: revoked ones, sessions
// that are too old, and all of accounts that are out of use. That a key expires is known to whoever uses it.
func (s *Store) EndedCredentials(ctx context.Context, ids []kyro.ID, now time.Time) (ended []kyro.ID, err error) {
	for kind, live := range map[kyro.Kind]*bun.SelectQuery{
		kyro.KindSession: s.read().NewSelect().TableExpr("sessions AS c").Where("c.expires_at > ?", kyro.Moment(now)),
		kyro.KindAPIKey:  s.read().NewSelect().TableExpr("api_keys AS c"),
	} {
		asked := slices.DeleteFunc(slices.Clone(ids), func(id kyro.ID) bool { return id.Kind != kind })
		for some := range slices.Chunk(asked, 1_000) {
			var found []int64
			err := live.Clone().Column("c.id").Where("c.id IN (?) AND c.revoked_at IS NULL", keys(some)).Where(inUse("c")).Scan(ctx, &found)
			if err != nil {
				return ended, failed("check sessions and API keys", err)
			}
			slices.Sort(found)
			for _, id := range some {
				if _, lives := slices.BinarySearch(found, id.Key); !lives {
					ended = append(ended, id)
				}
			}
		}
	}
	return ended, nil
}
