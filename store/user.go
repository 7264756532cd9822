package store

import (
	"context"
	"slices"
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
		User: r.noun(), PasswordHash: r.PasswordHash,
		PasswordChangedAt: utcOrZero(r.PasswordChangedAt), DeactivatedAt: utcPtr(r.DeactivatedAt), PurgeAfter: utcPtr(r.PurgeAfter),
		EmailLockedUntil: utcOrZero(r.EmailLockedUntil),
	}
}

// CreateUser stores a user, their first session and their letters in one fact, and deeds as theirs. EMAIL_TAKEN as addUser.
func (s *Store) CreateUser(ctx context.Context, user kyro.NewUser, session kyro.Session, deeds ...kyro.AuditEntry) (kyro.User, kyro.Session, error) {
	var u userRow
	var device sessionRow
	err := s.write(ctx, "create the user", func(ctx context.Context, tx *writeTx) (err error) {
		if u, err = tx.addUser(ctx, user); err != nil {
			return err
		}
		device = rowOfSession(session)
		device.UserID = u.ID
		if _, err := tx.NewInsert().Model(&device).Exec(ctx); err != nil {
			return err
		}
		return tx.audit(ctx, signedIn(u.ID, device.ID, deeds)...)
	})
	if err != nil {
		return kyro.User{}, kyro.Session{}, err
	}
	return u.noun(), device.noun(), nil
}

// addUser stores a user and their letters; registrations of the address lose their force. EMAIL_TAKEN where the address has an account, and where nobody has shown that it
// is theirs while another account may still get it back.
func (tx *writeTx) addUser(ctx context.Context, user kyro.NewUser) (userRow, error) {
	u := userRow{
		Email: clean(user.Email), Name: clean(user.Name), PasswordHash: user.PasswordHash,
		EmailVerified: user.EmailVerified, CreatedAt: kyro.Moment(user.CreatedAt),
	}
	if _, err := tx.NewInsert().Model(&u).Exec(ctx); err != nil {
		if isUniqueViolation(err) {
			return u, addressTaken()
		}
		return u, err
	}
	if err := tx.notKept(ctx, u); err != nil {
		return u, err
	}
	// What others, or the same person, wanted to sign in with is of no use any more.
	_, err := tx.NewUpdate().Table("mail_tokens").Set("password_hash = ''").
		Set("voided_at = CASE WHEN used_at IS NULL THEN coalesce(voided_at, ?) END", u.CreatedAt).
		Where("purpose = ? AND user_id IS NULL AND email = ?", string(kyro.TokenVerifyEmail), u.Email).Exec(ctx)
	if err != nil {
		return u, err
	}
	letters := slices.Clone(user.Letters)
	for i := range letters {
		letters[i].UserID = kyro.UserID(u.ID)
	}
	return u, tx.addLetters(ctx, letters...)
}

// CredentialsByEmail finds by the normalised address; NOT_FOUND where there is none.
func (s *Store) CredentialsByEmail(ctx context.Context, email string) (kyro.Credentials, error) {
	return s.credentials(ctx, "u.email = ?", clean(email))
}

// Credentials finds by the user; NOT_FOUND where there is none.
func (s *Store) Credentials(ctx context.Context, user kyro.ID) (kyro.Credentials, error) {
	return s.credentials(ctx, "u.id = ?", user.Key)
}

func (s *Store) credentials(ctx context.Context, condition string, value any) (kyro.Credentials, error) {
	var r userRow
	if err := s.read().NewSelect().Model(&r).Where(condition, value).Scan(ctx); err != nil {
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

func addressTaken() error {
	return kyro.Errorf(kyro.CodeEmailTaken, "There is an account with this address already. Sign in instead.").At("email")
}
