package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/kyro"
)

func TestDeactivatedAccounts(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ctx, o := t.Context(), w.owner(t, "ann@example.com")
		// An answer is being made, one waits behind it, another conversation has one that nobody has begun; so has somebody else.
		bot := w.bot(t, o.id, "Bot", start)
		talk := func(user, bot kyro.ID, texts ...string) kyro.ID {
			c, err := w.CreateConversation(ctx, kyro.Conversation{BotID: bot, UserID: user, LastMessageAt: start, CreatedAt: start, UpdatedAt: start})
			fine(t, err)
			for _, text := range texts {
				w.say(t, user, c.ID, text)
			}
			return c.ID
		}
		first := talk(o.id, bot, "one", "two")
		talk(o.id, bot, "three")
		claim := w.claim(t, first, "node")
		w.keep(t, claim, kyro.Checkpoint{Status: kyro.MessageStreaming, Text: "so far", Seq: 2})
		other := w.owner(t, "bob@example.com")
		talk(other.id, w.bot(t, other.id, "Bot", start), "theirs")
		doc, _, err := w.AddDocument(ctx, kyro.NewDocument{BotID: bot, OwnerID: o.id, Kind: kyro.DocumentText, Title: "T", Now: start}, strings.NewReader("text"), nil)
		fine(t, err)
		reset := o.token(t, kyro.TokenResetPassword, o.email, "")

		now, until := start.Add(time.Hour), start.Add(time.Hour).Add(kyro.AccountGrace)
		ended, err := w.Deactivate(ctx, o.id, &until, now, []kyro.Letter{aLetter(kyro.LetterDeactivated, now)}, aDeed(kyro.AuditDeactivated))
		fine(t, err)
		if !slices.Contains(ended, o.key) || len(ended) != 4 || len(o.live(t)) != 0 || len(other.live(t)) != 3 {
			t.Errorf("ended %v, live %v", ended, o.live(t))
		}
		if n := w.number(t, "SELECT count(*) FROM api_keys WHERE revoked_at IS NOT NULL"); n != 0 {
			t.Error("the key is revoked, so that it would not work again")
		}
		if !w.askedToStop(t, claim) {
			t.Error("the answer that runs goes on")
		}
		if asked, err := w.StopsAsked(ctx, "node"); err != nil || !slices.Equal(asked, []kyro.ID{claim.MessageID}) {
			t.Errorf("its node is asked to stop %v, %v", asked, err)
		}
		if n := w.number(t, "SELECT count(*) FROM messages WHERE status = 'STOPPED' AND finish_reason = 'STOPPED_BY_USER' AND seq = 1"); n != 2 {
			t.Errorf("%d waiting answers are stopped, want 2", n)
		}
		if n := w.number(t, "SELECT count(*) FROM messages WHERE status = 'PENDING'"); n != 1 {
			t.Errorf("%d answers still wait, want the other's", n)
		}
		// Those who follow a conversation are told of each change, in order.
		if n := w.number(t, "SELECT count(*) FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id WHERE m.status = 'STOPPED' AND m.changed <> c.events"); n != 0 {
			t.Error("stopped answers have no number of their own")
		}
		docs, err := w.Documents(ctx, o.id, []kyro.ID{doc.ID})
		fine(t, err)
		if docs[0].Status != kyro.DocumentCanceled || docs[0].Run != doc.Run+1 {
			t.Errorf("the document is %+v", docs[0])
		}
		if _, err := w.DocumentForWork(ctx, doc.ID, doc.Run); err == nil {
			t.Error("its job would go on")
		}
		if n := w.number(t, "SELECT count(*) FROM mail_tokens WHERE voided_at IS NULL AND hash = '"+reset+"'"); n != 0 {
			t.Error("a link for a new password is still good")
		}
		if n := w.number(t, "SELECT count(*) FROM letters WHERE kind = 'deactivated' AND recipient = 'ann@example.com'"); n != 1 || w.lines(t, kyro.AuditDeactivated, o.id) != 1 {
			t.Errorf("%d letters, %d lines", n, w.lines(t, kyro.AuditDeactivated, o.id))
		}
		if c := o.known(t); c.DeactivatedAt == nil || !c.DeactivatedAt.Equal(now) {
			t.Errorf("credentials %+v", c)
		}
		_, err = w.Deactivate(ctx, o.id, nil, now, nil)
		wantCode(t, err, kyro.CodeConflict)
		_, err = w.Deactivate(ctx, kyro.UserID(99999), nil, now, nil)
		wantCode(t, err, kyro.CodeNotFound)

		// A link takes it back, once; an account that an admin deactivated has none.
		hash := o.token(t, kyro.TokenReactivate, o.email, "")
		done, err := w.RedeemReactivation(ctx, hash, now, aLetter(kyro.LetterReactivated, now), aDeed(kyro.AuditReactivated))
		fine(t, err)
		if done.UserID != o.id || o.known(t).DeactivatedAt != nil || w.number(t, "SELECT count(*) FROM users WHERE purge_after IS NOT NULL") != 0 || len(o.live(t)) != 0 {
			t.Errorf("taken back: %+v, %+v", done, o.known(t))
		}
		if n := w.number(t, "SELECT count(*) FROM letters WHERE kind = 'reactivated' AND recipient = 'ann@example.com'"); n != 1 || w.lines(t, kyro.AuditReactivated, o.id) != 1 {
			t.Errorf("%d letters, %d lines", n, w.lines(t, kyro.AuditReactivated, o.id))
		}
		_, err = w.RedeemReactivation(ctx, hash, now, aLetter(kyro.LetterReactivated, now))
		wantCode(t, err, kyro.CodeInvalidToken)
		wantCode(t, w.Reactivate(ctx, o.id, now, nil), kyro.CodeConflict)
		_, err = w.Deactivate(ctx, o.id, nil, now, nil)
		fine(t, err)
		_, err = w.RedeemReactivation(ctx, o.token(t, kyro.TokenReactivate, o.email, ""), now, aLetter(kyro.LetterReactivated, now))
		wantCode(t, err, kyro.CodeInvalidToken)
		fine(t, w.SweepUsers(ctx, now.Add(10*kyro.AccountGrace)))
		fine(t, w.Reactivate(ctx, o.id, now, nil))
		wantCode(t, w.Reactivate(ctx, kyro.UserID(99999), now, nil), kyro.CodeNotFound)
	})
}

// Whichever of both is first decides: an account is taken back, or it is deleted.
func TestDeletionAndReactivationDecide(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ctx, now := t.Context(), start.Add(time.Hour)
		for i := range 10 {
			o := w.owner(t, fmt.Sprintf("p%d@example.com", i))
			_, err := w.Deactivate(ctx, o.id, &now, start, nil)
			fine(t, err)
			hash := o.token(t, kyro.TokenReactivate, o.email, "")
			swept := make(chan error, 1)
			go func() { swept <- w.SweepUsers(ctx, now) }()
			_, backErr := w.RedeemReactivation(ctx, hash, now.Add(-time.Second), aLetter(kyro.LetterReactivated, now))
			fine(t, <-swept)
			jobs := w.number(t, fmt.Sprintf("SELECT count(*) FROM test_jobs WHERE kind = 'purge-user' AND job_key = %d", o.id.Key))
			if backErr == nil && jobs != 0 || backErr != nil && jobs != 1 {
				t.Errorf("taken back: %v; jobs that delete it: %d", backErr, jobs)
			}
			if backErr != nil {
				wantCode(t, backErr, kyro.CodeInvalidToken)
				wantCode(t, w.Reactivate(ctx, o.id, now, nil), kyro.CodeConflict)
			}
		}
	})
}
