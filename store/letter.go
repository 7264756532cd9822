package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

type letterRow struct {
	bun.BaseModel `bun:"table:letters,alias:l"`

	ID            int64 `bun:"id,pk,autoincrement"`
	Kind          string
	Recipient     string
	UserID        *int64
	SessionID     *int64
	Seed          string
	UserAgent     string
	AddressPrefix string
	Name          string
	PasswordHash  string
	OldEmail      string
	NewEmail      string
	Budget        *kyro.BudgetNotice `bun:",type:jsonb"`
	CreatedAt     time.Time
	EndedAt       *time.Time
}

// AddLetter stores a mail that is wanted, with the job that sends it.
func (s *Store) AddLetter(ctx context.Context, letter kyro.Letter, deeds ...kyro.AuditEntry) error {
	return s.write(ctx, "store the letter", func(ctx context.Context, tx *writeTx) error {
		if err := tx.addLetters(ctx, letter); err != nil {
			return err
		}
		return tx.audit(ctx, deeds...)
	})
}

// addLetters stores mails that are wanted, each with the job that sends it.
func (tx *writeTx) addLetters(ctx context.Context, letters ...kyro.Letter) error {
	for _, letter := range letters {
		r := letterRow{
			Kind: string(letter.Kind), Recipient: clean(letter.To), UserID: keyOrNil(letter.UserID), SessionID: keyOrNil(letter.SessionID),
			Seed: letter.Seed, UserAgent: clean(letter.Device.UserAgent), AddressPrefix: clean(letter.Device.AddressPrefix),
			Name: clean(letter.Name), PasswordHash: letter.PasswordHash, OldEmail: clean(letter.OldEmail), NewEmail: clean(letter.NewEmail),
			Budget: letter.Budget, CreatedAt: kyro.Moment(letter.CreatedAt),
		}
		if _, err := tx.NewInsert().Model(&r).Exec(ctx); err != nil {
			return err
		}
		if err := tx.Enqueue(ctx, kyro.Job{Kind: kyro.JobMail, Key: r.ID}); err != nil {
			return err
		}
	}
	return nil
}

// Letter reads a letter that is still to be sent; NOT_FOUND where there is none, or where it ended.
func (s *Store) Letter(ctx context.Context, key int64) (kyro.Letter, error) {
	var r letterRow
	if err := s.read().NewSelect().Model(&r).Where("l.id = ? AND l.ended_at IS NULL", key).Scan(ctx); err != nil {
		return kyro.Letter{}, failed("read the letter", noLetter(err))
	}
	return r.noun(), nil
}

func noLetter(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return kyro.Errorf(kyro.CodeNotFound, "Letter not found.")
	}
	return err
}

func (r *letterRow) noun() kyro.Letter {
	n := kyro.Letter{
		Key: r.ID, Kind: kyro.LetterKind(r.Kind), To: r.Recipient, Seed: r.Seed,
		Device: kyro.Device{UserAgent: r.UserAgent, AddressPrefix: r.AddressPrefix}, CreatedAt: r.CreatedAt.UTC(),
		Name: r.Name, PasswordHash: r.PasswordHash, OldEmail: r.OldEmail, NewEmail: r.NewEmail,
		Budget: r.Budget,
	}
	if r.UserID != nil {
		n.UserID = kyro.UserID(*r.UserID)
	}
	if r.SessionID != nil {
		n.SessionID = kyro.SessionID(*r.SessionID)
	}
	return n
}

// EndLetter marks a letter as sent, or as one that nobody gets, and forgets the password hash that was in it.
func (s *Store) EndLetter(ctx context.Context, key int64, now time.Time) error {
	return s.write(ctx, "end the letter", func(ctx context.Context, tx *writeTx) error {
		_, err := tx.NewUpdate().Table("letters").Set("ended_at = ?", kyro.Moment(now)).Set("password_hash = ''").
			Where("id = ? AND ended_at IS NULL", key).Exec(ctx)
		return err
	})
}

// mailsATurn is how many rows a sweep removes in one transaction.
const mailsATurn = 2_000

// SweepMails forgets letters and tokens that ended long ago, and registrations that nobody confirmed.
func (s *Store) SweepMails(ctx context.Context, now time.Time) error {
	long := kyro.Moment(now.Add(-kyro.MailsKept))
	for _, old := range []struct {
		table, condition string
		values           []any
	}{
		// A letter that did not end has lost its job.
		{"letters", "created_at < ? AND (ended_at < ? OR ended_at IS NULL)", []any{long, long}},
		{"mail_tokens", "expires_at < ? AND user_id IS NOT NULL", []any{long}},
		{"mail_tokens", "user_id IS NULL AND created_at < ?", []any{kyro.Moment(now.Add(-kyro.RegistrationTTL))}},
	} {
		for removed := int64(mailsATurn); removed == mailsATurn; {
			err := s.write(ctx, "sweep old mails", func(ctx context.Context, tx *writeTx) error {
				some := tx.NewSelect().Table(old.table).Column("id").Where(old.condition, old.values...).Limit(mailsATurn)
				result, err := tx.NewDelete().Table(old.table).Where("id IN (?)", some).Exec(ctx)
				if err != nil {
					return err
				}
				removed, err = result.RowsAffected()
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func keyOrNil(id kyro.ID) *int64 {
	if id.IsZero() {
		return nil
	}
	return &id.Key
}
