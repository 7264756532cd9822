package store_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/export"
	"kyrochat/kyro"
	"kyrochat/store"
)

var _ export.Store = (*store.Store)(nil)

// wanted is an export of the owner's conversations.
func (k *knowledge) wanted(format kyro.ExportFormat) kyro.Export {
	now := k.tick()
	return kyro.Export{
		OwnerID: k.owner, BotID: k.bot, Kind: kyro.ExportConversations, Format: format, Status: kyro.ExportQueued,
		CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(time.Hour),
	}
}

func (k *knowledge) export(t testing.TB, format kyro.ExportFormat) kyro.Export {
	t.Helper()
	deed := kyro.AuditEntry{At: k.now, UserID: k.owner, Action: kyro.AuditExportRequested, Succeeded: true, Actor: kyro.ActorUser}
	e, err := k.store.StartExport(t.Context(), k.wanted(format), 3, deed)
	check(t, err)
	return e
}

func (k *knowledge) readExport(t testing.TB, id kyro.ID) kyro.Export {
	t.Helper()
	found, err := k.store.Exports(t.Context(), k.owner, []kyro.ID{id}, k.now)
	e, err := kyro.One(found, err, kyro.KindExport)
	check(t, err)
	return e
}

func TestExports(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		k.jobs.take()
		first := k.export(t, kyro.ExportJSONL)
		expect(t, "jobs", k.jobs.take(), []kyro.Job{{Kind: kyro.JobExport, Key: first.ID.Key}, {Kind: kyro.JobMail, Key: 1}})
		expect(t, "lines of the audit log", k.count(t, "audit_log", "action = 'EXPORT_REQUESTED'"), 1)
		expect(t, "letters that tell the owner", k.count(t, "letters", "kind = 'export-requested' AND recipient = (SELECT email FROM users WHERE id = letters.user_id)"), 1)

		// The same that is under way is given again; what is asked for in another way is another one.
		expect(t, "the same", k.export(t, kyro.ExportJSONL).ID, first.ID)
		expect(t, "jobs", k.jobs.take(), nil)
		spanned := k.wanted(kyro.ExportJSONL)
		spanned.From = &k.now
		second, err := k.store.StartExport(ctx, spanned, 3)
		check(t, err)
		if second.ID == first.ID || second.From == nil || !second.From.Equal(k.now) {
			t.Errorf("another span: %+v", second)
		}
		third := k.export(t, kyro.ExportCSV)
		_, err = k.store.StartExport(ctx, kyro.Export{OwnerID: k.owner, Kind: kyro.ExportMyData, Format: kyro.ExportZIP, CreatedAt: k.now, ExpiresAt: k.now.Add(time.Hour)}, 3)
		expectCode(t, err, kyro.CodeLimitReached)

		// Others have none of it, and none of the bot.
		stranger := kyro.UserID(k.owner.Key + 1)
		others, err := k.store.Exports(ctx, stranger, []kyro.ID{first.ID}, k.now)
		check(t, err)
		expect(t, "exports of others", len(others), 0)
		expectCode(t, k.store.DeleteExport(ctx, stranger, first.ID, k.now), kyro.CodeNotFound)
		other, _, err := k.store.CreateUser(ctx, kyro.NewUser{Email: "other@example.com", Name: "Other", CreatedAt: k.now}, kyro.Session{})
		check(t, err)
		foreign := k.wanted(kyro.ExportCSV)
		foreign.OwnerID = other.ID
		_, err = k.store.StartExport(ctx, foreign, 3)
		expectCode(t, err, kyro.CodeNotFound)

		// What failed does not count, and is listed.
		check(t, k.store.FailExport(ctx, second.ID, 0, kyro.Errorf(kyro.CodeFileTooLarge, "Too large."), k.tick(), k.now.Add(24*time.Hour)))
		e := k.readExport(t, second.ID)
		if e.Status != kyro.ExportFailed || e.Failure == nil || e.Failure.Code != kyro.CodeFileTooLarge || e.FinishedAt == nil || !e.ExpiresAt.Equal(k.now.Add(24*time.Hour)) {
			t.Errorf("failed: %+v", e)
		}
		list, err := k.store.ExportsOf(ctx, k.owner, k.now)
		check(t, err)
		expect(t, "the list", []kyro.ID{list[0].ID, list[1].ID, list[2].ID}, []kyro.ID{third.ID, second.ID, first.ID})
		k.export(t, kyro.ExportJSONL)
		mine := kyro.Export{OwnerID: k.owner, Kind: kyro.ExportMyData, Format: kyro.ExportZIP, Status: kyro.ExportQueued, CreatedAt: k.now, UpdatedAt: k.now, ExpiresAt: k.now.Add(time.Hour)}
		_, err = k.store.StartExport(ctx, mine, 3)
		check(t, err)

		// Deleted, and expired, they are not there; a job each removes what is left.
		k.jobs.take()
		check(t, k.store.DeleteExport(ctx, k.owner, third.ID, k.tick(), kyro.AuditEntry{At: k.now, UserID: k.owner, Action: kyro.AuditExportDeleted, Succeeded: true, Actor: kyro.ActorUser}))
		expect(t, "its line of the audit log", k.count(t, "audit_log", fmt.Sprintf("action = 'EXPORT_DELETED' AND target_id = '%s'", third.ID)), 1)
		expectCode(t, k.store.DeleteExport(ctx, k.owner, third.ID, k.tick()), kyro.CodeNotFound)
		check(t, k.store.ExpireExports(ctx, k.now))
		expect(t, "jobs", k.jobs.take(), []kyro.Job{{Kind: kyro.JobDropExport, Key: third.ID.Key}})
		late := k.now.Add(2 * time.Hour)
		for _, id := range []kyro.ID{first.ID, third.ID} { // which bring nothing back
			check(t, k.store.FailExport(ctx, id, 0, kyro.Errorf(kyro.CodeInternal, "Late."), late, late.Add(time.Hour)))
		}
		list, err = k.store.ExportsOf(ctx, k.owner, late)
		check(t, err)
		expect(t, "exports later", len(list), 1) // that which failed
		late = late.Add(24 * time.Hour)
		list, err = k.store.ExportsOf(ctx, k.owner, late)
		check(t, err)
		expect(t, "exports a day later", len(list), 0)
		_, err = k.store.BeginExport(ctx, first.ID, late)
		expectCode(t, err, kyro.CodeNotFound)
		_, err = k.store.DeletedExport(ctx, first.ID)
		expectCode(t, err, kyro.CodeNotFound)
		for range 2 {
			check(t, k.store.ExpireExports(ctx, late))
		}
		expect(t, "jobs", len(k.jobs.take()), 3)
		_, err = k.store.DeletedExport(ctx, first.ID)
		check(t, err)
		for _, key := range k.column(t, "SELECT id FROM exports") {
			var id int64
			_, err := fmt.Sscan(key, &id)
			check(t, err)
			for range 2 {
				check(t, k.store.DropExport(ctx, kyro.ExportID(id)))
			}
		}
		unknown, err := k.store.UnknownExports(ctx, []kyro.ID{first.ID})
		check(t, err)
		expect(t, "exports without a row", unknown, []kyro.ID{first.ID})
	})
}

func TestAttemptsAtExports(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		id := k.export(t, kyro.ExportJSONL).ID
		lost, err := k.store.BeginExport(ctx, id, k.tick())
		check(t, err)
		total := 7
		lost.Done, lost.Total = 3, &total
		check(t, k.store.NoteExport(ctx, lost, k.tick()))
		expect(t, "done", k.readExport(t, id).Done, 3)
		check(t, k.store.SaveExport(ctx, lost, bytes.NewReader(noise(1_200_000))))
		expect(t, "parts", k.count(t, "export_parts", "1 = 1"), 3)

		// Another one begins anew; the lost one changes nothing any more, and what it stored is gone.
		e, err := k.store.BeginExport(ctx, id, k.tick())
		check(t, err)
		if e.Done != 0 || e.Attempt != lost.Attempt+1 || e.Status != kyro.ExportRunning {
			t.Errorf("begun anew: %+v", e)
		}
		expect(t, "parts", k.count(t, "export_parts", "1 = 1"), 0)
		expectCode(t, k.store.NoteExport(ctx, lost, k.tick()), kyro.CodeNotFound)
		expectCode(t, k.store.SaveExport(ctx, lost, strings.NewReader("late")), kyro.CodeNotFound)
		expectCode(t, k.store.FinishExport(ctx, lost, k.now, k.now), kyro.CodeNotFound)
		check(t, k.store.FailExport(ctx, id, lost.Attempt, kyro.Errorf(kyro.CodeInternal, "Late."), k.now, k.now))
		expect(t, "status", k.readExport(t, id).Status, kyro.ExportRunning)

		body := noise(1_200_000)
		size := int64(len(body))
		check(t, k.store.SaveExport(ctx, e, bytes.NewReader(body)))
		e.SizeBytes, e.Hash, e.Object, e.Total = &size, "hash", "objects/1", &total
		check(t, k.store.FinishExport(ctx, e, k.tick(), k.now.Add(time.Hour)))
		done := k.readExport(t, id)
		if done.Status != kyro.ExportReady || done.Hash != "hash" || done.Object != "objects/1" || *done.SizeBytes != size || !done.ExpiresAt.Equal(k.now.Add(time.Hour)) {
			t.Errorf("done: %+v", done)
		}
		file := k.store.ExportFile(ctx, done)
		got, err := io.ReadAll(file)
		check(t, err)
		if !bytes.Equal(got, body) {
			t.Errorf("%d bytes came back", len(got))
		}
		at, err := file.Seek(-5, io.SeekEnd)
		check(t, err)
		rest, err := io.ReadAll(file)
		check(t, err)
		if at != size-5 || !bytes.Equal(rest, body[size-5:]) {
			t.Errorf("from %d on there is %q", at, rest)
		}
		_, err = k.store.BeginExport(ctx, id, k.tick())
		expectCode(t, err, kyro.CodeNotFound)
		unknown, err := k.store.UnknownObjects(ctx, []string{"objects/1", "objects/2"})
		check(t, err)
		expect(t, "objects without a row", unknown, []string{"objects/2"})

		// Deleted in the middle of a download.
		file = k.store.ExportFile(ctx, done)
		_, err = io.CopyN(io.Discard, file, 10)
		check(t, err)
		check(t, k.store.DeleteExport(ctx, k.owner, id, k.tick()))
		check(t, k.store.DropExport(ctx, id))
		_, err = io.Copy(io.Discard, file)
		expectCode(t, err, kyro.CodeNotFound)
		expect(t, "parts", k.count(t, "export_parts", "1 = 1"), 0)
	})
}

// TestExportsOfAccountsOutOfUse: neither are they seen, nor goes any work on.
func TestExportsOfAccountsOutOfUse(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		e := k.export(t, kyro.ExportCSV)
		e, err := k.store.BeginExport(ctx, e.ID, k.tick())
		check(t, err)
		_, err = k.store.Deactivate(ctx, k.owner, nil, k.now, nil)
		check(t, err)
		expectCode(t, k.store.NoteExport(ctx, e, k.now), kyro.CodeNotFound)
		_, err = k.store.BeginExport(ctx, e.ID, k.now)
		expectCode(t, err, kyro.CodeNotFound)
		_, err = k.store.StartExport(ctx, k.wanted(kyro.ExportJSONL), 3)
		expectCode(t, err, kyro.CodeNotFound)
		list, err := k.store.ExportsOf(ctx, k.owner, k.now)
		check(t, err)
		expect(t, "exports", len(list), 0)
	})
}

// TestExportsAtOnce: of several who ask at once, no more get one than there may be.
func TestExportsAtOnce(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		var wait sync.WaitGroup
		for i := range 8 {
			e := k.wanted(kyro.ExportCSV)
			at := k.now.Add(time.Duration(i) * time.Minute)
			e.From = &at
			wait.Go(func() { _, _ = k.store.StartExport(t.Context(), e, 3) })
		}
		wait.Wait()
		expect(t, "exports", k.count(t, "exports", "1 = 1"), 3)
	})
}

// TestConversationsOfASpan selects those that may have messages of it.
func TestConversationsOfASpan(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		var ids []kyro.ID
		began := k.now
		for i := range 3 {
			at := began.Add(time.Duration(i) * time.Hour)
			c, err := k.store.CreateConversation(t.Context(), kyro.Conversation{BotID: k.bot, UserID: k.owner, LastMessageAt: at.Add(time.Minute), CreatedAt: at, UpdatedAt: at})
			check(t, err)
			ids = append(ids, c.ID)
		}
		order := kyro.ConversationOrder{By: kyro.ConversationsByCreation, Direction: kyro.Asc}
		for name, c := range map[string]struct {
			since, before time.Duration
			want          []kyro.ID
		}{
			"all": {0, 3 * time.Hour, ids}, "the second alone": {61 * time.Minute, 2 * time.Hour, ids[1:2]}, "none": {62 * time.Minute, 2 * time.Hour, nil},
		} {
			since, before := began.Add(c.since), began.Add(c.before)
			p, err := k.store.ConversationPage(t.Context(), k.owner, kyro.ConversationFilter{BotID: k.bot, Since: &since, Before: &before}, order, kyro.PageRequest{Order: order.Name(), Limit: 10})
			check(t, err)
			var got []kyro.ID
			for _, n := range p.Nodes {
				got = append(got, n.ID)
			}
			expect(t, name, got, c.want)
		}
	})
}
