package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

type userRow struct {
	bun.BaseModel `bun:"table:users,alias:u"`

	ID                int64 `bun:"id,pk,autoincrement"`
	Email             string
	Name              string
	PasswordHash      string
	EmailVerified     bool
	CreatedAt         time.Time
	PasswordChangedAt *time.Time
	DeactivatedAt     *time.Time
	PurgeAfter        *time.Time
	PurgeBeganAt      *time.Time
	EmailLockedUntil  *time.Time
}

var userTable = newTable("users", "u", "id email name email_verified created_at",
	func(r *userRow, _ func(any) any) []any {
		return []any{&r.ID, &r.Email, &r.Name, &r.EmailVerified, &r.CreatedAt}
	}, func(r *userRow, n *kyro.User) { *n = r.noun() })

func (r *userRow) noun() kyro.User {
	return kyro.User{
		ID: kyro.UserID(r.ID), Email: r.Email, Name: r.Name, EmailVerified: r.EmailVerified, CreatedAt: r.CreatedAt.UTC(),
	}
}

// credentials are the row as what signing in is checked against.
func (r *userRow) credentials() kyro.Credentials {
	return kyro.Credentials{
		User: r.noun(), PasswordHash: r.PasswordHash, PasswordChangedAt: utcOrZero(r.PasswordChangedAt),
		DeactivatedAt: utcPtr(r.DeactivatedAt), EmailLockedUntil: utcOrZero(r.EmailLockedUntil),
	}
}

// CreateUser stores a user and their first session in one fact. EMAIL_TAKEN where the address has an account, and where
// nobody has shown that it is theirs while another account may still get it back.
func (s *Store) CreateUser(ctx context.Context, user kyro.NewUser, session kyro.Session) (kyro.User, kyro.Session, error) {
	var u userRow
	var device sessionRow
	err := s.write(ctx, "create the user", func(ctx context.Context, tx *writeTx) error {
		u = userRow{
			Email: user.Email, Name: user.Name, PasswordHash: user.PasswordHash,
			EmailVerified: user.EmailVerified, CreatedAt: kyro.Moment(user.CreatedAt),
		}
		if _, err := tx.NewInsert().Model(&u).Exec(ctx); err != nil {
			if isUniqueViolation(err) {
				return addressTaken()
			}
			return err
		}
		if err := tx.notKept(ctx, u); err != nil {
			return err
		}
		device = rowOfSession(session)
		device.UserID = u.ID
		_, err := tx.NewInsert().Model(&device).Exec(ctx)
		return err
	})
	if err != nil {
		return kyro.User{}, kyro.Session{}, err
	}
	return u.noun(), device.noun(), nil
}

func addressTaken() error {
	return kyro.Errorf(kyro.CodeEmailTaken, "There is an account with this address already. Sign in instead.").At("email")
}

// CredentialsByEmail finds by the normalised address; NOT_FOUND where there is none.
func (s *Store) CredentialsByEmail(ctx context.Context, email string) (kyro.Credentials, error) {
	var r userRow
	err := s.read().NewSelect().Model(&r).Where("u.email = ?", clean(email)).Scan(ctx)
	if err != nil {
		return kyro.Credentials{}, failed("read the credentials", notFound(err, kyro.KindUser))
	}
	return r.credentials(), nil
}

// Credentials reads those of a user; NOT_FOUND where there is no such user.
func (s *Store) Credentials(ctx context.Context, user kyro.ID) (kyro.Credentials, error) {
	var r userRow
	err := s.read().NewSelect().Model(&r).Where("u.id = ?", user.Key).Scan(ctx)
	if err != nil {
		return kyro.Credentials{}, failed("read the credentials", notFound(err, kyro.KindUser))
	}
	return r.credentials(), nil
}

// SetPasswordHash replaces a hash if it is still the old one; where it is not, it does nothing.
func (s *Store) SetPasswordHash(ctx context.Context, user kyro.ID, old, hash string) error {
	return s.write(ctx, "renew the password hash", func(ctx context.Context, tx *writeTx) error {
		_, err := tx.NewUpdate().Table("users").Set("password_hash = ?", hash).
			Where("id = ? AND password_hash = ?", user.Key, old).Exec(ctx)
		return err
	})
}

// Users reads users by id, in any order; ids without a user are left out.
func (s *Store) Users(ctx context.Context, ids []kyro.ID) ([]kyro.User, error) {
	rows, err := all(ctx, s, rowsOf(userTable).byID(ids), "")
	return rows, failed("read the users", err)
}
