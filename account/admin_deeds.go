package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"kyrochat/kyro"
)

// CreateUser makes an account whose address counts as verified, since whoever runs the server says whose it is, and
// whatever KYRO_SIGNUP says. VALIDATION, WEAK_PASSWORD and EMAIL_TAKEN are told.
func (a *Admin) CreateUser(ctx context.Context, email, name, password string) (kyro.User, error) {
	user, err := a.newUser(email, name, a.o.Check(password, email, name))
	if err != nil {
		return kyro.User{}, err
	}
	if user.PasswordHash, err = a.hasher.Hash(ctx, password); err != nil {
		return kyro.User{}, fmt.Errorf("hash the password of a new account: %w", err)
	}
	return a.store.AddUser(ctx, user, nil, nil, a.deed(kyro.AuditSignedUp, kyro.ID{}, ""))
}

// Invitation is the link by which a new person sets a password.
type Invitation struct {
	Mailed  bool   // then the mail has the token, and nothing else does
	Token   string // for the link with the purpose TokenResetPassword
	Expires time.Time
}

// Invite makes an account without a password, and a link by which its owner sets one: it is mailed, or, where tokens are
// given since mails reach nobody, given to the caller.
func (a *Admin) Invite(ctx context.Context, email, name string, tokens MailedTokens) (kyro.User, Invitation, error) {
	user, err := a.newUser(email, name, nil)
	if err != nil {
		return kyro.User{}, Invitation{}, err
	}
	now, deed := user.CreatedAt, a.deed(kyro.AuditSignedUp, kyro.ID{}, "invited")
	if tokens == nil {
		letter := a.letter(kyro.LetterPasswordReset, user.Email, kyro.ID{}, now)
		made, err := a.store.AddUser(ctx, user, []kyro.Letter{letter}, nil, deed)
		return made, Invitation{Mailed: true}, err
	}
	given := Invitation{Token: tokens.Mailed(kyro.TokenResetPassword, a.o.NewSeed())[0], Expires: now.Add(a.o.LinkTTL)}
	token := kyro.MailToken{
		Hash: hashOf(given.Token), Purpose: kyro.TokenResetPassword, Email: user.Email, CreatedAt: now, ExpiresAt: given.Expires,
	}
	made, err := a.store.AddUser(ctx, user, nil, []kyro.MailToken{token}, deed)
	return made, given, err
}

// newUser checks what is to become an account. All that is wrong is told together, with what else is.
func (a *Admin) newUser(email, name string, also error) (kyro.NewUser, error) {
	address, emailErr := NormalizeEmail(email)
	if name == "" && emailErr == nil { // nobody said; the owner can change it
		name, _, _ = strings.Cut(address, "@")
	}
	var nameErr error
	if emailErr == nil || name != "" {
		name, nameErr = kyro.CheckUserName(name)
	}
	if err := errors.Join(emailErr, nameErr, also); err != nil {
		return kyro.NewUser{}, err
	}
	return kyro.NewUser{Email: address, Name: name, EmailVerified: true, CreatedAt: a.now()}, nil
}

// SetPassword sets the password of an account, ends all of its sessions, and tells its owner by mail. WEAK_PASSWORD for
// one that will not do. API keys live on. It gives how many sessions there were.
func (a *Admin) SetPassword(ctx context.Context, account kyro.Account, password string) (ended int, err error) {
	if err := a.o.Check(password, account.Email, account.Name); err != nil {
		return 0, err
	}
	hash, err := a.hasher.Hash(ctx, password)
	if err != nil {
		return 0, fmt.Errorf("hash a new password: %w", err)
	}
	now := a.now()
	letters := []kyro.Letter{a.letter(kyro.LetterPasswordChanged, account.Email, account.ID, now)}
	return a.told(a.store.OverwritePassword(ctx, account.ID, hash, now, letters, a.deed(kyro.AuditPasswordChanged, account.ID, "")))
}

// RevokeSessions ends all sessions of an account, and all API keys if they are to go too. It gives how many there were.
func (a *Admin) RevokeSessions(ctx context.Context, account kyro.Account, keys bool) (ended int, err error) {
	deeds := []kyro.AuditEntry{a.deed(kyro.AuditSessionsRevoked, account.ID, "")}
	if keys {
		deeds = append(deeds, a.deed(kyro.AuditAPIKeyRevoked, account.ID, "all API keys"))
	}
	return a.told(a.store.EndAccess(ctx, account.ID, keys, a.now(), deeds...))
}

// Deactivate takes an account out of use until an admin takes it back; or, where purgeAfter is not 0, until then, when it
// is deleted: meanwhile its owner has a link, by mail, that takes it back, as for an account that its owner deactivated.
// CONFLICT where it is out of use already.
func (a *Admin) Deactivate(ctx context.Context, account kyro.Account, purgeAfter time.Duration) (until *time.Time, ended int, err error) {
	now := a.now()
	var letters []kyro.Letter
	detail := "until an admin takes it back"
	if purgeAfter > 0 {
		end := now.Add(purgeAfter)
		until, detail = &end, "to be deleted after "+end.Format("2006-01-02 15:04")
		letters = append(letters, a.letter(kyro.LetterDeactivated, account.Email, account.ID, now))
	}
	ended, err = a.told(a.store.Deactivate(ctx, account.ID, until, now, letters, a.deed(kyro.AuditDeactivated, account.ID, detail)))
	return until, ended, err
}

// Reactivate takes a deactivated account back, and tells its owner by mail. CONFLICT where it is in use.
func (a *Admin) Reactivate(ctx context.Context, account kyro.Account) error {
	now := a.now()
	letters := []kyro.Letter{a.letter(kyro.LetterReactivated, account.Email, account.ID, now)}
	return a.store.Reactivate(ctx, account.ID, now, letters, a.deed(kyro.AuditReactivated, account.ID, ""))
}

// Purge has a deactivated account deleted with all that is in it, by a job; Remains tells how far that is. CONFLICT where
// it is in use.
func (a *Admin) Purge(ctx context.Context, account kyro.Account) error {
	return a.store.PurgeNow(ctx, account.ID, a.now(), a.deed(kyro.AuditPurged, account.ID, "asked for"))
}

// Remains is what is there of an account, deleted things included.
func (a *Admin) Remains(ctx context.Context, user kyro.ID) (kyro.Remains, error) {
	return a.store.Remains(ctx, user)
}

// told tells of what was ended.
func (a *Admin) told(ended []kyro.ID, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	for _, credential := range ended {
		a.o.Ended(credential)
	}
	return len(ended), nil
}
