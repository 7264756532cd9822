package store

import (
	"context"
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
			CreatedAt: kyro.Moment(letter.CreatedAt),
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

func keyOrNil(id kyro.ID) *int64 {
	if id.IsZero() {
		return nil
	}
	return &id.Key
}
