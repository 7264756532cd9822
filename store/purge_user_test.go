package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/kyro"
)

// nobodys are the tables that hold nothing by which somebody could be known.
var nobodys = []string{"audit_head", "embeddings", "holds", "installation", "rollups_due", "rollups_until", "bun_migrations", "bun_migration_locks", "sqlite_sequence"}

func (k *knowledge) tables(t testing.TB) []string {
	t.Helper()
	if k.pools.Postgres() {
		return k.column(t, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
	}
	return k.column(t, "SELECT name FROM sqlite_master WHERE type = 'table'")
}

// dump gives all rows of all tables as text, each behind the name of its table.
func (k *knowledge) dump(t testing.TB) string {
	t.Helper()
	var all strings.Builder
	for _, table := range k.tables(t) {
		rows := "SELECT t::text FROM " + table + " AS t"
		if !k.pools.Postgres() {
			var columns []string
			for _, name := range k.column(t, "SELECT name FROM pragma_table_info('"+table+"')") {
				columns = append(columns, "coalesce(CAST("+name+" AS TEXT), '')")
			}
			rows = "SELECT " + strings.Join(columns, " || ', ' || ") + " FROM " + table
		}
		for _, row := range k.column(t, rows) {
			if k.pools.Postgres() { // which writes bytes as hexadecimal
				row = unhex(row)
			}
			fmt.Fprintf(&all, "%s: %s\n", table, row)
		}
	}
	return all.String()
}

func unhex(row string) string {
	for _, planted := range []string{"planted", "Planted"} {
		row = strings.ReplaceAll(row, fmt.Sprintf("%x", planted), planted)
	}
	return row
}

func (k *knowledge) column(t testing.TB, query string) (values []string) {
	t.Helper()
	check(t, k.store.Read().NewRaw(query).Scan(t.Context(), &values))
	return values
}

// inhabit gives the owner something in every table that can hold something of theirs. The mark is in every text.
func (k *knowledge) inhabit(t testing.TB, mark string) {
	t.Helper()
	ctx := t.Context()
	device := kyro.Device{UserAgent: mark + " agent", AddressPrefix: mark + " net"}
	k.exec(t, fmt.Sprintf("UPDATE users SET name = '%s name', email = '%s@example.com', password_hash = '%s hash' WHERE id = %d", mark, mark, mark, k.owner.Key))
	_, _, err := k.store.CreateSession(ctx, kyro.Session{UserID: k.owner, CreatedAt: k.now, ExpiresAt: k.now.Add(time.Hour), Device: device}, 20)
	check(t, err)
	_, err = k.store.UpdateBot(ctx, k.owner, k.bot, func(b *kyro.Bot) error {
		instructions := mark + " instructions"
		b.Name, b.Instructions, b.SuggestedQuestions = mark+" bot", &instructions, []string{mark + " question"}
		return nil
	})
	check(t, err)
	gone := k.ready(t, mark+" deleted", mark+" gone")
	_, err = k.store.DeleteDocument(ctx, k.owner, gone.ID, k.tick())
	check(t, err)
	d := k.ready(t, mark+" title", mark+" own", "shared by both")
	k.add(t, mark+" waiting")
	crawl, err := k.store.AddCrawl(ctx, kyro.NewCrawl{
		BotID: k.bot, OwnerID: k.owner, URL: "https://" + mark + ".example/", MaxPages: 2, Exclude: []string{"/" + mark}, Now: k.now, Deed: kyro.AuditEntry{Device: device},
	})
	check(t, err)
	_, err = k.store.BeginCrawl(ctx, crawl.ID, crawl.Run, []string{"https://" + mark + ".example/"}, 0, k.now)
	check(t, err)
	check(t, k.store.SaveEmbeddings(ctx, "m", 1, map[string][]float32{sha(mark + " own"): {1}, sha("shared by both"): {1}}))
	k.exec(t, fmt.Sprintf("INSERT INTO indexings (document_id, version, embedded_with, done, looked) VALUES (%d, 1, '%s', 1, 1)", d.ID.Key, mark))
	var chunk int64
	check(t, k.store.Read().NewRaw("SELECT id FROM chunks WHERE document_id = ? ORDER BY id LIMIT 1", d.ID.Key).Scan(ctx, &chunk))

	for c := range 3 {
		turn, err := k.store.SaveTurn(ctx, kyro.NewTurn{SenderID: k.owner, BotID: k.bot, Text: mark + " said", ClientMessageID: fmt.Sprint(mark, c), MaxWaiting: 3, Now: k.now})
		check(t, err)
		for again := range 2 {
			claim, _, err := k.store.ClaimNext(ctx, turn.Conversation.ID, "node", time.Minute)
			check(t, err)
			_, err = k.store.Finish(ctx, claim, kyro.Outcome{
				Status: kyro.MessageCompleted, Text: mark + " answered", Seq: 3, FinishReason: kyro.FinishStop, Now: k.now,
				Citations: []kyro.Citation{{Marker: 1, DocumentID: d.ID, ChunkID: kyro.ChunkID(chunk), DocumentTitle: mark + " title", Quote: mark + " quote"}},
			})
			check(t, err)
			if again == 0 {
				_, err = k.store.SaveSibling(ctx, k.owner, turn.Bot.ID, fmt.Sprint(mark, c, "again"), 3, k.now, kyro.Charge{})
				check(t, err)
			}
		}
	}
	e := k.export(t, kyro.ExportJSONL)
	e, err = k.store.BeginExport(ctx, e.ID, k.now)
	check(t, err)
	check(t, k.store.SaveExport(ctx, e, strings.NewReader(mark)))
	e.Object = mark + " export"
	check(t, k.store.FinishExport(ctx, e, k.now, k.now.Add(kyro.ExportTTL)))
	k.exec(t, fmt.Sprintf("INSERT INTO rollups (bot_id, minutes, slot, figures, cited) VALUES (%d, 60, 0, '%s counted', '%s cited')", k.bot.Key, mark, mark))
	k.exec(t, fmt.Sprintf(`INSERT INTO api_keys (user_id, name, prefix, secret_hash, scopes, networks, created_at)
		VALUES (%d, '%s key', '%s pre', '%s secret', '[]', '[]', '2026-11-22 10:00:00+00:00')`, k.owner.Key, mark, mark, mark))
	k.exec(t, fmt.Sprintf(`INSERT INTO gaps (bot_id, status, model, representative, questions, unanswered, not_found, rated_down, people,
			first_asked_at, last_asked_at, run, check_total, check_done, check_answered, check_tokens, problem, created_at)
		VALUES (%d, 'OPEN', '%s model', 0, 1, 1, 1, 0, 1, '2026-11-22 10:00:00+00:00', '2026-11-22 10:00:00+00:00', 0, 0, 0, 0, 0, '', '2026-11-22 10:00:00+00:00')`,
		k.bot.Key, mark))
	k.exec(t, fmt.Sprintf(`INSERT INTO gap_questions (message_id, bot_id, gap_id, sender_id, not_found, rated_down, asked_at, kept, model, check_run, verdict)
		VALUES (-%d, %d, (SELECT max(id) FROM gaps), %d, TRUE, FALSE, '2026-11-22 10:00:00+00:00', TRUE, '%s model', 0, '')`,
		k.bot.Key, k.bot.Key, k.owner.Key, mark))
	k.exec(t, fmt.Sprintf("INSERT INTO budgets (owner_id, scope, target_id, period) VALUES (%d, '%s', 1, 'DAY')", k.owner.Key, mark))
	k.exec(t, fmt.Sprintf(`INSERT INTO spendings (owner_id, scope, target_id, period, start, messages, tokens, cost, held_messages, held_tokens, held_cost, warned)
		VALUES (%d, '%s', 1, 'DAY', '2026-11-22 00:00:00+00:00', 1, 1, 1, 0, 0, 0, 0)`, k.owner.Key, mark))
	k.exec(t, fmt.Sprintf(`INSERT INTO usages (owner_id, hour, bot_id, key_id, kind, model, messages, prompt_tokens, output_tokens, cost)
		VALUES (%d, '2026-11-22 10:00:00+00:00', %d, 0, 'ANSWER', '%s', 1, 1, 1, 1)`, k.owner.Key, k.bot.Key, mark))
	filled, open := k.slot(t), k.slot(t)
	k.exec(t, fmt.Sprintf("UPDATE upload_slots SET title = '%s slot', document_id = %d WHERE id = %d", mark, d.ID.Key, filled.ID.Key))
	check(t, k.store.AddPart(ctx, open.ID, 0, len(mark), []byte(mark)))
	k.exec(t, fmt.Sprintf("INSERT INTO document_objects (document_id, version, object) VALUES (%d, 1, '%s object')", d.ID.Key, mark))
	letter := kyro.Letter{Kind: kyro.LetterEmailChanged, To: mark + "-was@example.com", UserID: k.owner, Seed: mark + " seed", Device: device, CreatedAt: k.now, OldEmail: mark, NewEmail: mark}
	deed := kyro.AuditEntry{At: k.now, UserID: k.owner, Action: kyro.AuditProfileChanged, Succeeded: true, Actor: kyro.ActorUser, Device: device}
	check(t, k.store.AddLetter(ctx, letter, deed, deed))
	letter.UserID, letter.To, letter.Kind, letter.Name = kyro.ID{}, mark+"@example.com", kyro.LetterPasswordReset, mark
	check(t, k.store.AddLetter(ctx, letter))
	k.exec(t, fmt.Sprintf("UPDATE conversations SET title = '%s talk' WHERE user_id = %d", mark, k.owner.Key))
	for i, user := range []kyro.ID{k.owner, {}} {
		check(t, k.store.PlantToken(ctx, kyro.MailToken{
			Hash: fmt.Sprint(mark, " token ", i), Purpose: kyro.TokenVerifyEmail, UserID: user, Email: mark + "@example.com", NewEmail: mark,
			Name: mark, PasswordHash: mark, CreatedAt: k.now, ExpiresAt: k.now,
		}))
	}
}

// purgeAll does a job that deletes an account, and gives the number of its steps. Of documents it does what ingestion would.
func (k *knowledge) purgeAll(t testing.TB, user kyro.ID, now time.Time) (steps int) {
	t.Helper()
	var purged []kyro.ID
	for steps = 1; steps < 1_000; steps++ {
		step, err := k.store.PurgeUser(t.Context(), user, purged, now, kyro.AuditEntry{At: now, Action: kyro.AuditPurged, Succeeded: true, Actor: kyro.ActorSystem})
		check(t, err)
		if step.Done {
			return steps
		}
		for purged = nil; len(step.Documents) > 0; step.Documents = step.Documents[1:] {
			for done := false; !done; {
				done, err = k.store.Purge(t.Context(), step.Documents[0])
				check(t, err)
			}
			purged = append(purged, step.Documents[0])
		}
		for _, export := range step.Exports { // as the use case does once the file is gone
			check(t, k.store.DropExport(t.Context(), export))
		}
	}
	t.Fatal("the deletion has no end")
	return steps
}

func TestNothingIsLeftOfADeletedAccount(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		k.inhabit(t, "planted")
		owner := k.owner
		other, _, err := k.store.CreateUser(ctx, kyro.NewUser{Email: "other@example.com", Name: "Other", CreatedAt: k.now}, kyro.Session{})
		check(t, err)
		k.owner = other.ID
		k.bot = k.newBot(t)
		k.inhabit(t, "kept")
		k.owner = owner
		before := k.dump(t)
		for _, table := range k.tables(t) {
			planted := slices.ContainsFunc(strings.Split(before, "\n"), func(row string) bool {
				return strings.HasPrefix(row, table+": ") && strings.Contains(row, "planted")
			})
			if !planted && !slices.Contains(nobodys, table) {
				t.Errorf("nothing of the owner is in %s, so that nothing can be seen to go", table)
			}
		}
		unpurged := strings.Count(before, "kept")

		grace := k.now.Add(kyro.AccountGrace)
		_, err = k.store.Deactivate(ctx, owner, &grace, k.now, nil)
		check(t, err)
		k.jobs.take()
		check(t, k.store.SweepUsers(ctx, grace.Add(-time.Second)))
		expect(t, "jobs before the grace is over", k.jobs.take(), nil)
		expect(t, "steps of a deletion that comes too early", k.purgeAll(t, owner, grace.Add(-time.Second)), 1)
		expect(t, "accounts then", k.count(t, "users", fmt.Sprintf("id = %d", owner.Key)), 1)
		for range 2 {
			check(t, k.store.SweepUsers(ctx, grace))
		}
		expect(t, "jobs", k.jobs.take(), []kyro.Job{{Kind: kyro.JobPurgeUser, Key: owner.Key}})
		check(t, k.store.SweepUsers(ctx, grace.Add(25*time.Hour)))
		expect(t, "jobs when the first was lost", k.jobs.take(), []kyro.Job{{Kind: kyro.JobPurgeUser, Key: owner.Key}})

		k.purgeAll(t, owner, grace)
		for row := range strings.SplitSeq(k.dump(t), "\n") {
			if strings.Contains(strings.ToLower(row), "planted") {
				t.Errorf("left: %s", row)
			}
		}
		if got := strings.Count(k.dump(t), "kept"); got != unpurged {
			t.Errorf("%d places name somebody else, before it were %d", got, unpurged)
		}
		expect(t, "embeddings", k.count(t, "embeddings", "1 = 1"), 2)
		expect(t, "lines of the audit log", k.count(t, "audit_log", fmt.Sprintf("user_id = %d", owner.Key)), 4)
		expect(t, "the last one", k.count(t, "audit_log", fmt.Sprintf("user_id = %d AND action = 'PURGED' AND actor = 'SYSTEM'", owner.Key)), 1)
		expect(t, "devices of the other", k.count(t, "audit_log", fmt.Sprintf("user_id = %d AND device LIKE '%%kept%%' AND device_salt IS NOT NULL", other.ID.Key)), 2)
		expect(t, "steps of one more job", k.purgeAll(t, owner, grace), 1)
		if !k.pools.Postgres() {
			expect(t, "rows that refer to nothing", k.column(t, "SELECT \"table\" FROM pragma_foreign_key_check"), nil)
		}
	})
}

func TestDeletionGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		for range 11 {
			k.newBot(t)
		}
		for i := range 60 {
			k.add(t, fmt.Sprint("document ", i))
		}
		conversation, err := k.store.SaveTurn(ctx, kyro.NewTurn{SenderID: k.owner, BotID: k.bot, Text: "first", ClientMessageID: "first", MaxWaiting: 9_000, Now: k.now})
		check(t, err)
		for i := range 700 {
			_, err := k.store.SaveTurn(ctx, kyro.NewTurn{SenderID: k.owner, ConversationID: conversation.Conversation.ID, Text: "t", ClientMessageID: fmt.Sprint("m", i), MaxWaiting: 9_000, Now: k.now})
			check(t, err)
		}
		_, err = k.store.Deactivate(ctx, k.owner, &k.now, k.now, nil)
		check(t, err)
		// Two workers are at it at once, as after a job that was taken for lost.
		done := make(chan int)
		go func() { done <- k.purgeAll(t, k.owner, k.now) }()
		steps := k.purgeAll(t, k.owner, k.now)
		steps += <-done
		if steps < 5 {
			t.Errorf("it took %d steps", steps)
		}
		for _, table := range []string{"users", "bots", "documents", "document_files", "conversations", "messages", "sessions"} {
			expect(t, "rows of "+table, k.count(t, table, "1 = 1"), 0)
		}
		expect(t, "lines that tell of it", k.count(t, "audit_log", "action = 'PURGED'"), 1)
	})
}
