package store

import (
	"context"

	"kyrochat/kyro"
)

// PlantToken stores the token of a mail as the letter's job does.
func (s *Store) PlantToken(ctx context.Context, token kyro.MailToken) error {
	return s.write(ctx, "test", func(ctx context.Context, tx *writeTx) error {
		_, err := tx.NewInsert().Model(&mailTokenRow{
			Hash: token.Hash, Purpose: string(token.Purpose), UserID: keyOrNil(token.UserID), Email: token.Email,
			NewEmail: token.NewEmail, SessionID: keyOrNil(token.SessionID), Name: token.Name, PasswordHash: token.PasswordHash,
			CreatedAt: token.CreatedAt, ExpiresAt: token.ExpiresAt,
		}).Exec(ctx)
		return err
	})
}
