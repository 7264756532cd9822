package account

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// Changes are what a store does to accounts that are there. Each is one fact, its letters and lines of the audit log
// included, into which it puts the user's id; letters without an address go to the account's.
type Changes interface {
	// UpdateProfile writes what a user shows of themselves; NOT_FOUND where there is no such user.
	UpdateProfile(ctx context.Context, user kyro.ID, name string, deeds ...kyro.AuditEntry) (kyro.User, error)
	// ChangePassword sets the hash where it is still the old one, else it answers CONFLICT. All other sessions end, whose
	// ids it gives, and what was mailed before counts for nothing.
	ChangePassword(
		ctx context.Context, c kyro.PasswordChange, letter kyro.Letter, deeds ...kyro.AuditEntry,
	) (user kyro.User, ended []kyro.ID, err error)
	// RequestEmailChange stores the letter that asks for a change of the address, in the place of earlier ones. CONFLICT
	// where the address cannot be changed yet; INVALID_CREDENTIALS where the credentials count no more.
	RequestEmailChange(ctx context.Context, known kyro.Credentials, letter kyro.Letter, deeds ...kyro.AuditEntry) error
	// ConfirmEmailChange makes the address of a token the account's, by the token's hash. INVALID_TOKEN; EMAIL_TAKEN, after
	// which the token is still good. All sessions end but the one that asked for the change.
	ConfirmEmailChange(
		ctx context.Context, hash string, now time.Time, letter kyro.Letter, deeds ...kyro.AuditEntry,
	) (kyro.AccountChange, error)
	// RevertEmailChange makes a former address the account's again; of several the oldest wins. INVALID_TOKEN; EMAIL_TAKEN,
	// after which the token is still good. All sessions and API keys end.
	RevertEmailChange(
		ctx context.Context, hash string, now time.Time, letter kyro.Letter, deeds ...kyro.AuditEntry,
	) (kyro.AccountChange, error)
	// Deactivate takes an account out of use, with all that runs for it, and gives the sessions and API keys that count no
	// more. It is deleted after purgeAfter; with nil it is not, and no mail takes it back. NOT_FOUND, or CONFLICT where it is
	// out of use.
	Deactivate(
		ctx context.Context, user kyro.ID, purgeAfter *time.Time, now time.Time, letters []kyro.Letter, deeds ...kyro.AuditEntry,
	) (ended []kyro.ID, err error)
	// RedeemReactivation takes an account back by the hash of a token. INVALID_TOKEN also where it is being deleted.
	RedeemReactivation(
		ctx context.Context, hash string, now time.Time, letter kyro.Letter, deeds ...kyro.AuditEntry,
	) (kyro.AccountChange, error)
}

// UpdateProfile changes the viewer's profile. VALIDATION for a name that is none. A patch without anything in it gives the
// profile as it is.
func (s *Service) UpdateProfile(ctx context.Context, viewer kyro.Viewer, patch kyro.UserPatch) (kyro.User, error) {
	if err := viewer.MustBePerson(); err != nil {
		return kyro.User{}, err
	}
	if !patch.Name.Set {
		user, err := s.User(ctx, viewer)
		if err == nil && user == nil {
			err = sessionEnded()
		}
		if err != nil {
			return kyro.User{}, err
		}
		return *user, nil
	}
	var name string
	patch.Name.IntoOr(&name, "")
	name, err := kyro.CheckUserName(name)
	if err != nil {
		return kyro.User{}, err
	}
	user, err := s.store.UpdateProfile(ctx, viewer.UserID, name, viewer.Entry(kyro.AuditProfileChanged, kyro.ID{}).Dated(s.now()))
	s.changed(viewer.UserID, nil)
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		err = sessionEnded()
	}
	return user, err
}
