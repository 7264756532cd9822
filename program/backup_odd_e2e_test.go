package program

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"kyrochat/auth"
	"kyrochat/internal/gemini"
	"kyrochat/internal/testdb"
	"kyrochat/jobs"
	"kyrochat/kyro"
	"kyrochat/migrations"
	"kyrochat/setup"
	"kyrochat/store"
)

// opened is all that is in a backup of a server, which nobody encrypted.
func opened(t *testing.T, env map[string]string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plain")
	mustOperate(t, env, "backup", "-o", file)
	packed, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	r, err := zstd.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// noise is a text of about so many bytes that cannot be compressed well.
func noise(size int) []byte {
	random := rand.NewChaCha8([32]byte{7})
	var b bytes.Buffer
	for b.Len() < size {
		fmt.Fprintf(&b, "%016x ", random.Uint64())
		if b.Len()%80 < 17 {
			b.WriteString(".\n\n")
		}
	}
	return b.Bytes()
}

// TestBackupOfAnOlderSchema: what an older version of the program left is backed up as it is, and comes up to date as it is
// restored.
func TestBackupOfAnOlderSchema(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		ctx := t.Context()
		names, err := migrations.Files.ReadDir(".")
		if err != nil {
			t.Fatal(err)
		}
		var older []string
		for _, n := range names {
			if name, up := strings.CutSuffix(n.Name(), ".tx.up.sql"); up {
				if name, _, _ = strings.Cut(name, "_"); name <= "20261129000002" {
					older = append(older, name)
				}
			}
		}
		pools, err := store.Open(ctx, store.Config{DatabaseURL: env["DATABASE_URL"], DataDir: env["KYRO_DATA_DIR"]})
		if err != nil {
			t.Fatal(err)
		}
		queue, err := setup.NewQueue(pools, jobs.Config{})
		if err == nil && pools.Postgres() {
			err = pools.Unmigrate(ctx, queue.Unmigrate)
		}
		if err == nil {
			err = pools.MigrateTo(ctx, older, queue.Migrate)
		}
		if err != nil {
			t.Fatal(err)
		}
		hash, err := auth.NewHasher(auth.HasherOptions{Memory: 64, Passes: 1}).Hash(ctx, password)
		if err != nil {
			t.Fatal(err)
		}
		s := &testServer{env: env, app: &app{pools: pools}}
		at := "'2026-11-20 10:00:00+00:00'"
		s.exec(t, "INSERT INTO installation (name) VALUES ('formerly')")
		s.exec(t, "INSERT INTO users (id, email, name, password_hash, email_verified, created_at) VALUES (5, 'ada@example.com', 'Ada', '"+hash+"', TRUE, "+at+")")
		s.exec(t, `INSERT INTO bots (id, owner_id, name, name_key, suggested_questions, top_k, no_answer_text, strict, created_at, updated_at)
			VALUES (6, 5, 'Helper', 'helper', '[]', 5, 'No.', FALSE, `+at+`, `+at+`)`)
		s.exec(t, `INSERT INTO conversations (id, bot_id, user_id, title, title_key, archived, message_count, last_message_at, created_at, updated_at)
			VALUES (7, 6, 5, 'Tea', 'tea', FALSE, 2, `+at+`, `+at+`, `+at+`)`)
		s.exec(t, `INSERT INTO messages (id, conversation_id, turn, parent_id, sender_id, role, status, text, client_message_id, superseded, attempt, seq, lease_owner, stop_requested, notices, created_at, completed_at)
			VALUES (8, 7, 8, NULL, 5, 'USER', 'COMPLETED', 'Is there tea?', 'once', FALSE, 0, 0, '', FALSE, '[]', `+at+`, `+at+`),
			(9, 7, 8, 8, 5, 'BOT', 'COMPLETED', 'There is.', NULL, FALSE, 1, 1, '', FALSE, '[]', `+at+`, `+at+`)`)
		if err := pools.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 { // who only looks can still go back
			if status, _, said := operated(t, env, "admin", "verify"); status != 1 || !strings.Contains(said, "older version than this program") {
				t.Errorf("verifying says %d %s", status, said)
			}
		}
		file := filepath.Join(t.TempDir(), "older")
		mustOperate(t, env, "backup", "-o", file)
		fresh := map[string]string{"KYRO_DATA_DIR": t.TempDir()}
		if env["DATABASE_URL"] != "" {
			fresh["DATABASE_URL"] = testdb.PostgresURL(t)
		}
		mustOperate(t, fresh, "restore", file)
		back := startServer(t, fresh)
		p := &person{t: t, s: back}
		p.token = p.signInWith("ada@example.com", password).text("logIn.accessToken")
		if said := p.said("conv_7", `{ id text }`); len(said) != 2 || said[1].text("text") != "There is." {
			t.Errorf("of the conversation %d messages are there", len(said))
		}
		p.chat(vars{"conversationId": "conv_7", "text": "And coffee?"})
		if out := mustOperate(t, fresh, "admin", "verify"); !strings.HasPrefix(out, "Everything") {
			t.Error(out)
		}
	})
}

// TestRestoredBesideWhatIsNewer: Redis, the bucket's and Pinecone's contents are of a time after the backup. Nothing of it is
// taken for the restored one's own, and the server that the backup was made of goes on beside it.
func TestRestoredBesideWhatIsNewer(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		u := startUpstreams(t, gemini.Options{})
		maps.Copy(env, u.env())
		maps.Copy(env, map[string]string{
			"REDIS_URL": testdb.Redis(t).URL, "KYRO_SECRET": sharedSecret, "KYRO_REFRESH_EVERY": "1s", "KYRO_CACHE_TTL": "10m",
		})
		s := startServer(t, env)
		p := s.signUp(t)
		bot := p.newBot()
		early := p.know(bot, "Early", "The early ferry to Varn leaves at nine.")
		talk := p.newTalk(bot)
		p.chat(vars{"conversationId": talk, "text": "When does the early ferry leave?"})
		file := filepath.Join(t.TempDir(), "backup")
		mustOperate(t, s.env, "backup", "-o", file)

		p.must(`mutation($b: ID!) { updateBot(input: {botId: $b, name: "Newer"}) { bot { name } errors { code } } }`, vars{"b": bot})
		p.must(`mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { errors { code } } }`, vars{"d": early})
		late := p.know(bot, "Late", "The late ferry to Varn leaves at noon.")
		_, _ = p.chat(vars{"conversationId": talk, "text": "When does the late ferry leave?"})
		newest := p.send(vars{"conversationId": talk, "text": "And the one after it?"}).text("sendMessage.botMessage.id")
		p.hear(newest)
		p.must(`query($b: ID!) { bot(id: $b) { name } }`, vars{"b": bot})

		fresh := maps.Clone(env)
		fresh["KYRO_DATA_DIR"] = t.TempDir()
		if env["DATABASE_URL"] != "" {
			fresh["DATABASE_URL"] = testdb.PostgresURL(t)
		}
		mustOperate(t, fresh, "restore", file)
		back := startServer(t, fresh)
		stale := &person{t: t, s: back, token: p.token}
		stale.ask(`{ viewer { id } }`, nil).wantCode("", "UNAUTHENTICATED")
		q := &person{t: t, s: back, email: p.email}
		q.token = q.signInWith(p.email, password).text("logIn.accessToken")
		if name := q.must(`query($b: ID!) { bot(id: $b) { name } }`, vars{"b": bot}).text("bot.name"); name != "Helper" {
			t.Errorf("the bot is called %s", name)
		}
		q.ask(`query($d: ID!) { document(id: $d) { status } }`, vars{"d": late}).wantCode("", "NOT_FOUND")
		if said := q.said(talk, `{ id }`); len(said) != 2 {
			t.Errorf("the conversation has %d messages", len(said))
		}
		sent := q.send(vars{"conversationId": talk, "text": "When does the early ferry leave again?"})
		answer := sent.text("sendMessage.botMessage.id")
		if finished, text := q.hear(answer); finished.text("messageStream.message.text") != text {
			t.Errorf("the stream tells %q of %s", text, finished.body)
		}
		if answer == newest || keyOf(answer) <= keyOf(newest) {
			t.Errorf("a new answer has the number %s, which %s had", answer, newest)
		}
		installation := strings.Trim(strings.Join(back.rows(t.Context(), t, "SELECT name FROM installation"), ""), "[]")
		waitUntil(t, "the vectors are there", func() bool {
			found := 0
			for _, r := range u.pinecone.Records() {
				if strings.HasPrefix(r.Namespace, installation) {
					found++
				}
			}
			return found == 1
		})
		waitUntil(t, "verifying finds nothing", func() bool {
			status, out, _ := operated(t, fresh, "admin", "verify")
			return status == 0 && strings.HasPrefix(out, "Everything")
		})
		// The former one has everything that it had.
		if name := p.must(`query($b: ID!) { bot(id: $b) { name } }`, vars{"b": bot}).text("bot.name"); name != "Newer" {
			t.Errorf("the former bot is called %s", name)
		}
		if out := mustOperate(t, s.env, "admin", "verify"); !strings.HasPrefix(out, "Everything") {
			t.Errorf("of the former one verifying says %s", out)
		}
	})
}

func keyOf(id string) int64 { return kyro.ReadID(id).Key }

// TestMovedWithItsSessions: with the same secret people stay signed in where they are to.
func TestMovedWithItsSessions(t *testing.T) {
	t.Parallel()
	env := map[string]string{"KYRO_SECRET": sharedSecret}
	s := startServer(t, env)
	p := s.signUp(t)
	file := filepath.Join(t.TempDir(), "backup")
	mustOperate(t, s.env, "backup", "-o", file)
	fresh := map[string]string{"KYRO_SECRET": sharedSecret, "KYRO_DATA_DIR": t.TempDir()}
	mustOperate(t, fresh, "restore", "-keep-sessions", file)
	back := startServer(t, fresh)
	(&person{t: t, s: back, token: p.token}).must(`{ viewer { id } }`, nil)
	if n := back.number(t, "SELECT count(*) FROM audit_log WHERE action = 'BACKUP_RESTORED'"); n != 1 {
		t.Errorf("the audit log has %d lines of it", n)
	}
}

// TestHeldOriginalsStay: while a backup reads originals none is removed, and afterwards what was deleted is.
func TestHeldOriginalsStay(t *testing.T) {
	t.Parallel()
	for _, at := range homes() {
		if at.name == "postgres" {
			continue // whose originals are rows
		}
		t.Run(at.name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, at.env(t))
			p := s.signUp(t)
			bot := p.newBot()
			id := p.upload(bot, "tower.txt", uploadedText("zorvath")).text("uploadDocument.document.id")
			p.settled(id)
			st := store.New(s.app.pools, s.app.queue)
			held, err := st.Hold(t.Context(), 0, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			p.must(`mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { errors { code } } }`, vars{"d": id})
			purge := kyro.Job{Kind: kyro.JobPurge, Key: keyOf(id)}
			if err := s.app.documents.Purge(t.Context(), purge); kyro.ErrorCode(err) != kyro.CodeUnavailable {
				t.Errorf("while it is held, purging says %v", err)
			}
			there := func() bool {
				if s.app.bucket != nil {
					n := 0
					err := s.app.bucket.Walk(t.Context(), time.Now().Add(time.Hour), func(keys []string) error { n += len(keys); return nil })
					return err == nil && n == 1
				}
				_, err := os.Stat(filepath.Join(s.env["KYRO_DATA_DIR"], "files", fmt.Sprint(keyOf(id)), "1"))
				return err == nil
			}
			if !there() {
				t.Error("the original is gone")
			}
			if err := st.EndHold(context.WithoutCancel(t.Context()), held); err != nil {
				t.Fatal(err)
			}
			if err := s.app.documents.Purge(t.Context(), purge); err != nil || there() {
				t.Errorf("afterwards the original is there: %v, %v", there(), err)
			}
		})
	}
}
