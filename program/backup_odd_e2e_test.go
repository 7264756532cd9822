package program

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"kyrochat/auth"
	"kyrochat/internal/envtest"
	"kyrochat/internal/gemini"
	"kyrochat/internal/testdb"
	"kyrochat/jobs"
	"kyrochat/kyro"
	"kyrochat/migrations"
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

// hasNothing sees that nothing is in a place that a restore failed to fill.
func hasNothing(t *testing.T, env map[string]string) {
	t.Helper()
	for _, name := range []string{"kyro.db", "files", restoreFolder} {
		if _, err := os.Stat(filepath.Join(env["KYRO_DATA_DIR"], name)); err == nil {
			t.Errorf("there is %s", name)
		}
	}
	if env["DATABASE_URL"] == "" {
		return
	}
	pools, err := store.Open(t.Context(), store.Config{DatabaseURL: env["DATABASE_URL"]})
	if err != nil {
		t.Fatal(err)
	}
	defer pools.Close()
	rows, err := pools.Pgx.Query(t.Context(), "SELECT relname FROM pg_class WHERE relkind IN ('r', 'S', 'i') AND relnamespace = 'public'::regnamespace")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		t.Errorf("there is %s", name)
	}
}

func TestRestoreRefuses(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		// What is in it makes more than one block of what is compressed, so that a restore has begun where the end is missing.
		upload := noise(400 << 10)
		id := p.upload(bot, "noise.txt", upload).text("uploadDocument.document.id")
		if status := p.settled(id); status != "READY" {
			t.Fatal(status)
		}
		folder := t.TempDir()
		seal, open := sealed(t)
		_, other := sealed(t)
		plain, shut := filepath.Join(folder, "plain"), filepath.Join(folder, "shut")
		mustOperate(t, s.env, "backup", "-o", plain)
		mustOperate(t, s.env, append([]string{"backup", "-o", shut}, seal...)...)
		content, err := os.ReadFile(plain)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(plain); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the backup has mode %v, %v", info.Mode(), err)
		}
		bad := func(name string, change func(b []byte) []byte) string {
			file := filepath.Join(folder, name)
			if err := os.WriteFile(file, change(bytes.Clone(content)), 0o600); err != nil {
				t.Fatal(err)
			}
			return file
		}
		cut := bad("cut", func(b []byte) []byte { return b[:len(b)-100] })
		flipped := bad("flipped", func(b []byte) []byte { b[len(b)*3/4] ^= 4; return b })

		if status, _, said := operated(t, s.env, "backup", "-o", plain); status != 1 || !strings.Contains(said, "there already") {
			t.Errorf("over a backup that is there: %d %s", status, said)
		}
		getenv := envtest.Of(s.env)
		if err := run(t.Context(), []string{"backup", "-o", "-"}, getenv, nil, nil, &fullDisk{room: 1000}, io.Discard); err == nil || !strings.Contains(err.Error(), "no space") {
			t.Errorf("on a full disk: %v", err)
		}
		if status, _, said := operated(t, s.env, "restore", plain); status != 1 || !strings.Contains(said, "Nothing was restored") {
			t.Errorf("into a server's place: %d %s", status, said)
		}
		for name, test := range map[string]struct {
			args []string
			says string
		}{
			"cut":             {[]string{cut}, "damaged or was cut off"},
			"flipped":         {[]string{flipped}, "damaged"},
			"no key":          {[]string{shut}, "is encrypted"},
			"another key":     {append([]string{shut}, other...), "does not open it"},
			"not a backup":    {[]string{bad("other", func([]byte) []byte { return []byte("SQLite format 3\x00 and more") })}, "no backup"},
			"not there":       {[]string{filepath.Join(folder, "nowhere")}, "no such file"},
			"of newer format": {[]string{bad("newer", func(b []byte) []byte { return again(t, b, `"format": 1`, `"format": 9`) })}, "newer version"},
		} {
			t.Run(name, func(t *testing.T) {
				env := map[string]string{"KYRO_DATA_DIR": t.TempDir()}
				if s.env["DATABASE_URL"] != "" {
					env["DATABASE_URL"] = testdb.PostgresURL(t)
				}
				if status, _, said := operated(t, nil, append([]string{"backup", "verify"}, test.args...)...); status != 1 || !strings.Contains(said, test.says) {
					t.Errorf("verifying says %d %s", status, said)
				}
				if status, _, said := operated(t, env, append([]string{"restore"}, test.args...)...); status != 1 || !strings.Contains(said, test.says) {
					t.Errorf("restoring says %d %s", status, said)
				}
				if env["DATABASE_URL"] != "" && !slices.Contains([]string{"cut", "flipped"}, name) {
					delete(env, "DATABASE_URL") // it was refused before anything was touched: the schema is there still
				}
				hasNothing(t, env)
			})
		}

		// A place that somebody lives in is left as it is, also where nobody serves there.
		own := &person{t: t, s: s, email: p.email}
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		if status, _, said := operated(t, s.env, append([]string{"restore", shut}, open...)...); status != 1 || !strings.Contains(said, "accounts") {
			t.Errorf("over accounts: %d %s", status, said)
		}
		back := startServer(t, s.env)
		own.s = back
		own.token = own.signInWith(p.email, password).text("logIn.accessToken")
		if got := carry(t, "GET", own.download(id), nil); got.body != string(upload) {
			t.Errorf("%d bytes come back", len(got.body))
		}
	})
}

// fullDisk has room for so many bytes.
type fullDisk struct{ room int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.room -= len(p); d.room < 0 {
		return 0, syscall.ENOSPC
	}
	return len(p), nil
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

// again packs a backup once more, with something else in its first entry.
func again(t *testing.T, b []byte, old, fresh string) []byte {
	t.Helper()
	r, err := zstd.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(bytes.Replace(text, []byte(old), []byte(fresh), 1), nil)
}

// programmed runs a command in a process of its own, which a test can kill.
func programmed(t *testing.T, env map[string]string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = []string{"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH"), endsAtOnce}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// TestKilledInTheMiddle: a restore that is killed leaves nothing that a server would take for its own, and can be done again; a
// backup that is killed leaves no file that looks like one.
func TestKilledInTheMiddle(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		content := noise(400 << 10)
		id := p.upload(bot, "lighthouse.txt", content).text("uploadDocument.document.id")
		if status := p.settled(id); status != "READY" {
			t.Fatal(status)
		}
		folder := t.TempDir()
		file := filepath.Join(folder, "whole")
		mustOperate(t, s.env, "backup", "-o", file)
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}

		for _, after := range []time.Duration{0, 30 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond} {
			killed := filepath.Join(folder, "killed"+after.String())
			cmd := programmed(t, s.env, "backup", "-o", killed)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(after) // wherever it is then
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if _, err := os.Stat(killed); err == nil {
				mustOperate(t, nil, "backup", "verify", killed) // it was done before
			}
		}

		env := map[string]string{"KYRO_DATA_DIR": t.TempDir()}
		if s.env["DATABASE_URL"] != "" {
			env["DATABASE_URL"] = testdb.PostgresURL(t)
		}
		for _, part := range []int{len(whole) / 3, len(whole) * 9 / 10, len(whole) - 10} {
			cmd := programmed(t, env, "restore", "-")
			in, err := cmd.StdinPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err == nil {
				_, err = in.Write(whole[:part])
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(300 * time.Millisecond) // so that it has gone as far as it can
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if _, err := os.Stat(filepath.Join(env["KYRO_DATA_DIR"], "kyro.db")); err == nil {
				t.Error("half of a restore is live")
			}
		}
		waitUntil(t, "PostgreSQL has noticed", func() bool { return nobodyConnected(t, env) })
		mustOperate(t, env, "restore", file)
		back := startServer(t, env)
		p.s = back
		p.token = p.signInWith(p.email, password).text("logIn.accessToken")
		if got := carry(t, "GET", p.download(id), nil); got.body != string(content) {
			t.Errorf("%d bytes come back", len(got.body))
		}
		if _, err := os.Stat(filepath.Join(env["KYRO_DATA_DIR"], restoreFolder)); err == nil {
			t.Error("something is left of the restores")
		}
	})
}

func nobodyConnected(t *testing.T, env map[string]string) bool {
	t.Helper()
	if env["DATABASE_URL"] == "" {
		return true
	}
	pools, err := store.Open(t.Context(), store.Config{DatabaseURL: env["DATABASE_URL"], Unhurried: true})
	if err != nil {
		t.Fatal(err)
	}
	defer pools.Close()
	n, err := pools.OthersConnected(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n == 0
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
		queue, err := newQueue(pools, jobs.Config{})
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
