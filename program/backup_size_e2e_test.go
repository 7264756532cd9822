package program

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"kyrochat/ai"
	"kyrochat/internal/testdb"
)

// TestBackupOfSize measures how long it takes to back up, verify and restore a made-up installation of so many megabytes
// (KYRO_MEASURE_BACKUP): documents with passages, words, vectors and files, and conversations. docs/backup.md has what it gave.
func TestBackupOfSize(t *testing.T) {
	size, _ := strconv.Atoi(os.Getenv("KYRO_MEASURE_BACKUP"))
	if size == 0 {
		t.Skip("KYRO_MEASURE_BACKUP says of how many megabytes")
	}
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			place := func() map[string]string {
				env := map[string]string{"KYRO_DATA_DIR": t.TempDir()}
				if database == "postgres" {
					env["DATABASE_URL"] = testdb.PostgresURL(t)
				}
				return env
			}
			env := place()
			s := startServer(t, env)
			p := s.signUp(t)
			bot := p.newBot()
			held := s.grow(t, keyOf(bot), size)
			if err := s.stop(); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "backup")
			seal, open := sealed(t)
			fresh := place()
			for _, step := range []struct {
				name string
				env  map[string]string
				args []string
			}{
				{"backup", env, []string{"backup", "-o", file}}, {"backup, encrypted", env, append([]string{"backup", "-o", file + ".age"}, seal...)},
				{"backup verify", nil, []string{"backup", "verify", file}}, {"restore and verify, encrypted", fresh, append([]string{"restore", file + ".age"}, open...)},
				{"admin verify", fresh, []string{"admin", "verify"}},
			} {
				cmd := programmed(t, step.env, step.args...)
				began := time.Now()
				said, err := cmd.CombinedOutput()
				took := time.Since(began)
				if err != nil {
					t.Fatalf("%s: %v: %s", step.name, err, said)
				}
				usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
				cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
				t.Logf("%-30s %6.1f s, %5.1f s for a GB of what is kept, of which the processor took %5.1f; %4d MiB of memory at the most (%d cores)",
					step.name, took.Seconds(), took.Seconds()*1e9/float64(held), cpu.Seconds()*1e9/float64(held), usage.Maxrss>>10, runtime.NumCPU())
			}
			if info, err := os.Stat(file); err == nil {
				t.Logf("kept are %d MB, the backup has %d MB", held/1e6, info.Size()/1e6)
			}
		})
	}
}

// grow puts about so many megabytes into an installation, and gives how many bytes.
func (s *testServer) grow(t *testing.T, bot int64, megabytes int) (held int64) {
	t.Helper()
	const passages, messages = 100, 200
	model, dims := new(ai.HashEmbedder).Model()
	random := rand.NewChaCha8([32]byte{3})
	noise := func(n int) []byte { b := make([]byte, n); _, _ = random.Read(b); return b }
	do := func(statement string, args ...any) {
		t.Helper()
		var err error
		if pools := s.app.pools; pools.Postgres() {
			for n := 1; strings.Contains(statement, "?"); n++ {
				statement = strings.Replace(statement, "?", "$"+strconv.Itoa(n), 1)
			}
			_, err = pools.Pgx.Exec(t.Context(), statement, args...)
		} else {
			_, err = pools.SQLite.ExecContext(t.Context(), statement, args...)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range args {
			switch a := a.(type) {
			case string:
				held += int64(len(a))
			case []byte:
				held += int64(len(a))
			}
		}
	}
	now := time.Now().UTC().Truncate(time.Second) // in an hour that is not counted yet
	at := any(now.Format("2006-01-02 15:04:05+00:00"))
	if s.app.pools.Postgres() {
		at = now
	}
	with := fmt.Sprintf("%s@%d", model, dims)
	var owner int64 = 1
	for i := range int64(megabytes) {
		document, original := 1_000+i, noise(300_000)
		sum := sha256.Sum256(original)
		do(`INSERT INTO documents (id, bot_id, owner_id, kind, title, search_key, file_name, url, mime_type, size_bytes, version, active_version, active_chunks, active_terms,
			run, queued_run, status, status_reason, stage_done, chunk_count, language, content_hash, warnings, prepared_version, created_at, updated_at, ready_at, embedded_with)
			VALUES (?, ?, ?, 'FILE', 'Noise', 'noise', 'noise.txt', '', 'text/plain', ?, 1, 1, ?, ?, 1, 1, 'READY', '', 0, ?, 'en', ?, '[]', 1, ?, ?, ?, ?)`,
			document, bot, owner, len(original), passages, passages, passages, hex.EncodeToString(sum[:]), at, at, at, with)
		if s.app.pools.Postgres() {
			do("INSERT INTO document_files (document_id, version, part, body) VALUES (?, 1, 0, ?)", document, original)
		} else {
			folder := filepath.Join(s.env["KYRO_DATA_DIR"], "files", fmt.Sprint(document))
			if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, "1"), original, 0o600)); err != nil {
				t.Fatal(err)
			}
			held += int64(len(original))
		}
		do("INSERT INTO document_texts (document_id, version, char_start, char_end, body) VALUES (?, 1, 0, 100000, ?)", document, hex.EncodeToString(noise(60_000)))
		for n := range passages {
			hash := hex.EncodeToString(noise(32))
			do(`INSERT INTO chunks (document_id, bot_id, version, seq, text, heading_path, char_start, char_end, byte_start, byte_end, token_count, term_count, content_hash, enabled)
				VALUES (?, ?, 1, ?, ?, '[]', 0, 1200, 0, 1200, 300, 1, ?, TRUE)`, document, bot, n, hex.EncodeToString(noise(600)), hash)
			do("INSERT INTO postings (bot_id, term, document_id, version, chunk_count, body) VALUES (?, ?, ?, 1, 1, ?)", bot, fmt.Sprintf("w%d", n), document, []byte{byte(n), 1, 1})
			do("INSERT INTO embeddings (content_hash, model, dims, vector) VALUES (?, ?, ?, ?)", hash, model, dims, noise(4*dims))
		}
		do(`INSERT INTO conversations (id, bot_id, user_id, title, title_key, archived, message_count, last_message_at, created_at, updated_at)
			VALUES (?, ?, ?, 'Noise', 'noise', FALSE, ?, ?, ?, ?)`, document, bot, owner, messages, at, at, at)
		for n := range int64(messages) {
			id := document*messages + n
			do(`INSERT INTO messages (id, conversation_id, turn, sender_id, role, status, text, superseded, attempt, seq, lease_owner, stop_requested, notices, created_at, completed_at)
				VALUES (?, ?, ?, ?, 'USER', 'COMPLETED', ?, FALSE, 0, 0, '', FALSE, '[]', ?, ?)`, id, document, id, owner, hex.EncodeToString(noise(200)), at, at)
		}
	}
	return held
}
