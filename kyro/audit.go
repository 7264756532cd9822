package kyro

import "time"

// AuditAction is what happened, in the audit log.
type AuditAction string

// What the audit log keeps.
const (
	AuditSignedUp               AuditAction = "SIGNED_UP"
	AuditLoggedIn               AuditAction = "LOGGED_IN"
	AuditLoggedOut              AuditAction = "LOGGED_OUT"
	AuditRefreshReused          AuditAction = "REFRESH_REUSED"
	AuditSessionRevoked         AuditAction = "SESSION_REVOKED"
	AuditSessionsRevoked        AuditAction = "SESSIONS_REVOKED"
	AuditProfileChanged         AuditAction = "PROFILE_CHANGED"
	AuditPasswordChanged        AuditAction = "PASSWORD_CHANGED"
	AuditPasswordResetRequested AuditAction = "PASSWORD_RESET_REQUESTED"
	AuditPasswordReset          AuditAction = "PASSWORD_RESET"
	AuditEmailVerified          AuditAction = "EMAIL_VERIFIED"
	AuditEmailChangeRequested   AuditAction = "EMAIL_CHANGE_REQUESTED"
	AuditEmailChanged           AuditAction = "EMAIL_CHANGED"
	AuditEmailReverted          AuditAction = "EMAIL_REVERTED"
	AuditDeactivated            AuditAction = "DEACTIVATED"
	AuditReactivated            AuditAction = "REACTIVATED"
	AuditPurged                 AuditAction = "PURGED"
	AuditAPIKeyCreated          AuditAction = "API_KEY_CREATED"
	AuditAPIKeyRevoked          AuditAction = "API_KEY_REVOKED"
	AuditBotCreated             AuditAction = "BOT_CREATED"
	AuditBotDeleted             AuditAction = "BOT_DELETED"
	AuditBudgetChanged          AuditAction = "BUDGET_CHANGED"
	AuditDocumentAdded          AuditAction = "DOCUMENT_ADDED"
	AuditDocumentDeleted        AuditAction = "DOCUMENT_DELETED"
	AuditExportRequested        AuditAction = "EXPORT_REQUESTED"
	AuditExportDeleted          AuditAction = "EXPORT_DELETED"
	AuditLimitHit               AuditAction = "LIMIT_HIT"
	AuditAccessDenied           AuditAction = "ACCESS_DENIED"
	AuditSecretRotated          AuditAction = "SECRET_ROTATED"
	AuditBackupRestored         AuditAction = "BACKUP_RESTORED"
	AuditDataRepaired           AuditAction = "DATA_REPAIRED"
)

// AuditActions are all of them, in the order of the contract.
func AuditActions() []AuditAction {
	return []AuditAction{
		AuditSignedUp, AuditLoggedIn, AuditLoggedOut, AuditRefreshReused, AuditSessionRevoked, AuditSessionsRevoked, AuditProfileChanged,
		AuditPasswordChanged, AuditPasswordResetRequested, AuditPasswordReset, AuditEmailVerified, AuditEmailChangeRequested, AuditEmailChanged,
		AuditEmailReverted, AuditDeactivated, AuditReactivated, AuditPurged, AuditAPIKeyCreated, AuditAPIKeyRevoked, AuditBotCreated,
		AuditBotDeleted, AuditBudgetChanged, AuditDocumentAdded, AuditDocumentDeleted, AuditExportRequested, AuditExportDeleted, AuditLimitHit,
		AuditAccessDenied, AuditSecretRotated, AuditBackupRestored, AuditDataRepaired,
	}
}

// AuditActor is who did something.
type AuditActor string

// Who can have done something.
const (
	ActorUser   AuditActor = "USER" // with a session, or with a link from a mail
	ActorAPIKey AuditActor = "API_KEY"
	ActorAdmin  AuditActor = "ADMIN"  // whoever runs the server
	ActorSystem AuditActor = "SYSTEM" // the server by itself
	ActorNobody AuditActor = "NOBODY" // not signed in
)

// AuditEntry is one line of the audit log. It names accounts and objects by id, and has no address, no name, no text of
// anybody and no secret; Device is the only part about a person, and goes when the account is purged.
type AuditEntry struct {
	ID        ID
	At        time.Time
	UserID    ID // whose account it is about; zero where there is none, such as a sign-in with an unknown address
	Action    AuditAction
	Succeeded bool
	Actor     AuditActor
	By        ID // the session or the API key; zero where there was none
	Target    ID // zero where it is the account itself
	Device    Device
	RequestID string
	Detail    string // for people, such as which limit was hit; at most MaxAuditDetail bytes
}

// MaxAuditDetail is how many bytes of detail are kept.
const MaxAuditDetail = 500

// Entry is a line about something that the viewer did to an own thing, done and without detail. Its time is set by the use case.
func (v Viewer) Entry(action AuditAction, target ID) AuditEntry {
	e := AuditEntry{
		UserID: v.UserID, Action: action, Succeeded: true, Actor: ActorUser, By: v.Credential(), Target: target,
		Device: v.Device, RequestID: v.RequestID,
	}
	switch {
	case !v.SignedIn():
		e.Actor = ActorNobody
	case !v.KeyID.IsZero():
		e.Actor = ActorAPIKey
	}
	return e
}

// Dated is the line with its time.
func (e AuditEntry) Dated(at time.Time) AuditEntry {
	e.At = at
	return e
}

// Refused is the line of something that was not done, and why.
func (e AuditEntry) Refused(why string) AuditEntry {
	e.Succeeded, e.Detail = false, why
	return e
}

// Following is the line of what the server did by itself because of e, such as to end a session for which there was no
// more room.
func (e AuditEntry) Following(action AuditAction, target ID, detail string) AuditEntry {
	e.Action, e.Target, e.Detail, e.Succeeded, e.Actor, e.By = action, target, detail, true, ActorSystem, ID{}
	return e
}

// AuditMark is the end of the audit log at some time. Written down where nobody gets at who can write to the database, it
// shows later whether the log was made anew since: line Lines must still have the hash.
type AuditMark struct {
	Lines int64
	Hash  string // in hexadecimal; "" of an empty log
}

// AuditCheck is what a check of the whole audit log found. Its mark is of the lines that fit together, from the first on.
type AuditCheck struct {
	AuditMark
	Broken int64  // the first line that does not fit; 0 where all do
	Why    string // what is wrong with it
}

// Intact reports whether the whole log fits together.
func (c AuditCheck) Intact() bool { return c.Broken == 0 }

// BrokenAt is the check with the first line that does not fit.
func (c AuditCheck) BrokenAt(line int64, why string) AuditCheck {
	c.Broken, c.Why = line, why
	return c
}
