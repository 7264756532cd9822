package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"kyrochat/kyro"
)

// Letters is the part of the Store that is about mails, and about the tokens they bring.
type Letters interface {
	// AddLetter stores a mail that is wanted, with the job that sends it.
	AddLetter(ctx context.Context, letter kyro.Letter, deeds ...kyro.AuditEntry) error
	// Letter reads a letter that is still to be sent; NOT_FOUND where there is none, or where it ended.
	Letter(ctx context.Context, key int64) (kyro.Letter, error)
	// EndLetter marks a letter as sent, or as one that nobody gets, and forgets the password hash that was in it.
	EndLetter(ctx context.Context, key int64, now time.Time) error
	// IssueMailToken stores a token, and takes the force of those before it for the same. One that is there already, under
	// its hash or a former one, is given as it is, and nothing is done. good is false where the token is of no use: it was
	// used or voided, is over, the letter has ended, or one that was asked for later has brought a newer token.
	IssueMailToken(
		ctx context.Context, letter int64, token kyro.MailToken, former []string, now time.Time, deeds ...kyro.AuditEntry,
	) (issued kyro.MailToken, good bool, err error)
	// MailTokenIssued reports whether there is a token with one of the hashes, good or not.
	MailTokenIssued(ctx context.Context, hashes ...string) (bool, error)
	// PendingRegistrations gives those of an address that were mailed and not confirmed, newest first.
	PendingRegistrations(ctx context.Context, email string, now time.Time) ([]kyro.MailToken, error)
	// LiveKeyNames gives the names of the API keys of a user that work.
	LiveKeyNames(ctx context.Context, user kyro.ID, now time.Time) ([]string, error)
	// SweepMails forgets letters and tokens that ended long ago, and registrations that nobody confirmed.
	SweepMails(ctx context.Context, now time.Time) error
}

// Post sends mails.
type Post interface {
	// Send hands a mail over. VALIDATION says that it was refused for good; whatever waiting may help against is
	// UNAVAILABLE, TIMEOUT, RATE_LIMITED, UPSTREAM_FAILED or UPSTREAM_QUOTA, with RetryAfter where the time is known.
	Send(ctx context.Context, mail kyro.Mail) error
}

const (
	allMails = "mails" // the limiter's key of all mails of the installation

	sendTimeout = 25 * time.Second // of one mail; a job's turn has 45 s
	markTimeout = 5 * time.Second  // to note that it was sent, also where the process is about to end

	leastPause = 2 * time.Second // between two tries of a letter, which grows with its age
	mostPause  = time.Minute
)

// letter is a letter of a kind to an address, about the account of the user, as asked for by the viewer.
func (s *Service) letter(kind kyro.LetterKind, to string, user kyro.ID, viewer kyro.Viewer, now time.Time) kyro.Letter {
	return kyro.Letter{
		Kind: kind, To: to, UserID: user, SessionID: viewer.SessionID, Seed: s.seed(), Device: viewer.Device, CreatedAt: now,
	}
}

// Deliver sends a letter: it is the handler of JobMail. Only here it is found out whose the letter is, so that asking for
// it tells nothing; where nobody is to have it, it ends without a word. What a former turn did is found again: the token is
// the same, and so is the id of the mail, by which mail servers and readers know a second copy. As long as the mail server
// or the database is away the letter waits, at most until it or its token is too old.
func (s *Service) Deliver(ctx context.Context, job kyro.Job) error {
	letter, err := s.store.Letter(ctx, job.Key)
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		return nil
	}
	if err == nil {
		err = s.deliver(ctx, letter)
	}
	if err == nil || !passes(err) {
		return err
	}
	pause := leastPause
	if !letter.CreatedAt.IsZero() {
		pause = min(max(s.now().Sub(letter.CreatedAt), leastPause), mostPause) // doubled each time, as the age is then
	}
	if known, ok := errors.AsType[*kyro.Error](err); ok {
		pause = max(pause, known.RetryAfter)
	}
	s.log.DebugContext(ctx, "letter waits", "letter", job.Key, "pause", pause, "error", err)
	return kyro.JobAgainAfter(pause)
}

// GiveUp ends a letter that failed for good.
func (s *Service) GiveUp(ctx context.Context, job kyro.Job, _ error) error {
	return s.store.EndLetter(ctx, job.Key, s.now())
}

// Sweep forgets letters and tokens that are too old. It is to run about every hour.
func (s *Service) Sweep(ctx context.Context) error { return s.store.SweepMails(ctx, s.now()) }

func (s *Service) deliver(ctx context.Context, letter kyro.Letter) error {
	d, err := s.write(ctx, letter)
	if err != nil {
		return fmt.Errorf("write a %s letter: %w", letter.Kind, err)
	}
	if d == nil {
		return s.endLetter(ctx, letter)
	}
	if now := s.now(); !now.Before(letter.CreatedAt.Add(kyro.LetterTTL)) || d.token.Purpose != "" && !now.Before(d.token.ExpiresAt) {
		s.log.WarnContext(ctx, "letter given up: it is too old", "letter", letter.Key, "kind", letter.Kind, "age", now.Sub(letter.CreatedAt))
		return s.endLetter(ctx, letter)
	}
	if err := s.takeMail(ctx); err != nil {
		return err
	}
	if d.token.Purpose != "" {
		if good, err := s.issue(ctx, letter, d); err != nil {
			return fmt.Errorf("issue the token of a %s letter: %w", letter.Kind, err)
		} else if !good {
			return s.endLetter(ctx, letter)
		}
	}
	within, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	err = s.post.Send(within, d.mail)
	switch {
	case err == nil:
		s.log.InfoContext(ctx, "mail sent", "letter", letter.Key, "kind", d.mail.Kind)
	case kyro.ErrorCode(err) == kyro.CodeValidation:
		s.log.WarnContext(ctx, "mail refused by the mail server, and dropped", "letter", letter.Key, "kind", d.mail.Kind)
	case ctx.Err() == nil && within.Err() != nil:
		return kyro.Errorf(kyro.CodeTimeout, "The mail server takes too long.").Because(err)
	default:
		return fmt.Errorf("send a mail: %w", err)
	}
	return s.endLetter(ctx, letter)
}

// takeMail counts a mail against the rate of the whole installation.
func (s *Service) takeMail(ctx context.Context) error {
	if s.mailRate.Unlimited() || s.limiter == nil {
		return nil
	}
	allowance, err := s.limiter.Take(ctx, allMails, s.mailRate)
	if err != nil {
		return fmt.Errorf("count a mail: %w", err)
	}
	if !allowance.Allowed {
		return kyro.JobAgainAfter(allowance.RetryAfter)
	}
	return nil
}

// issue makes the token's row, and puts the token into the mail. Where a former turn did so under a secret that is not the
// first any more, it stays that token.
func (s *Service) issue(ctx context.Context, letter kyro.Letter, d *draft) (good bool, err error) {
	tokens, hashes := s.mailed(d.token.Purpose, letter.Seed)
	d.token.Hash = hashes[0]
	issued, good, err := s.store.IssueMailToken(ctx, letter.Key, d.token, hashes[1:], s.now(), d.deeds...)
	if err != nil || !good {
		return false, err
	}
	for i, hash := range hashes {
		if hash == issued.Hash {
			d.mail.Token = tokens[i]
		}
	}
	d.mail.Expires = issued.ExpiresAt
	return true, nil
}

// mailed is what the token of a letter may be, one for each secret of the server, with the hashes they are known by.
func (s *Service) mailed(purpose kyro.TokenPurpose, seed string) (tokens, hashes []string) {
	tokens = s.tokens.Mailed(purpose, seed)
	hashes = make([]string, len(tokens))
	for i, token := range tokens {
		hashes[i] = hashOf(token)
	}
	return tokens, hashes
}

// endLetter marks a letter as done with. It takes its own time: a mail that was sent would be sent again.
func (s *Service) endLetter(ctx context.Context, letter kyro.Letter) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markTimeout)
	defer cancel()
	if err := s.store.EndLetter(ctx, letter.Key, s.now()); err != nil {
		return fmt.Errorf("end a %s letter: %w", letter.Kind, err)
	}
	return nil
}

// passes reports whether waiting may help.
func passes(err error) bool {
	switch kyro.ErrorCode(err) {
	case kyro.CodeUnavailable, kyro.CodeTimeout, kyro.CodeRateLimited, kyro.CodeUpstreamFailed, kyro.CodeUpstreamQuota:
		return true
	}
	return false
}

// hashOf is what is kept of a token that was mailed.
func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// mailID names the mail of a letter: the same each time, and no other's, whatever database that is from.
func mailID(letter kyro.Letter) string {
	return fmt.Sprintf("%d.%s", letter.Key, hashOf("mail " + letter.Seed)[:24])
}
