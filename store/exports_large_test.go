package store_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kyrochat/export"
	"kyrochat/export/folder"
	"kyrochat/kyro"
)

// TestStatementsOfALargeExport: ten thousand messages are read fifty at a time, each once and in their order, by a number of
// statements that grows with the pages alone.
func TestStatementsOfALargeExport(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ctx, dir := t.Context(), t.TempDir()
		user, bot, talk := w.talk(t)
		w.say(t, user, talk, "Hello?")
		const more = 9_998 // besides this one and its answer
		w.run(t, `INSERT INTO messages (conversation_id, turn, sender_id, role, status, text, superseded, attempt, seq, lease_owner, stop_requested, notices, created_at)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9998)
			SELECT m.conversation_id, 1000000 + n.i, m.sender_id, m.role, m.status, m.text, m.superseded, 0, 0, '', m.stop_requested, m.notices, m.created_at
			FROM messages m, n WHERE m.id = (SELECT min(id) FROM messages)`)
		files, err := folder.Open(dir, true)
		check(t, err)
		now := start.Add(time.Hour)
		s := export.New(export.Config{Store: w.Store, Folder: files, Now: func() time.Time { return now }})
		e, err := s.Conversations(ctx, kyro.Viewer{UserID: user, SessionID: kyro.SessionID(1)}, export.Asked{BotID: bot, Format: kyro.ExportJSONL})
		check(t, err)
		before := w.statements.Load()
		check(t, s.Work(ctx, kyro.Job{Kind: kyro.JobExport, Key: e.ID.Key}))
		if n, pages := w.statements.Load()-before, int64(more+2)/50; n < pages || n > pages+15 {
			t.Errorf("%d statements for %d pages", n, pages)
		}
		text, err := os.ReadFile(filepath.Join(dir, "1"))
		check(t, err)
		seen, last := map[string]bool{}, int64(0)
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			var row struct{ MessageID string }
			check(t, json.Unmarshal(lines.Bytes(), &row))
			id, err := kyro.ParseID(row.MessageID)
			check(t, err)
			if seen[row.MessageID] || id.Key < last {
				t.Fatalf("%s comes behind %d", row.MessageID, last)
			}
			seen[row.MessageID], last = true, id.Key
		}
		expect(t, "messages", len(seen), more+2)
	})
}

func (w *world) run(t *testing.T, statement string) {
	t.Helper()
	var err error
	if w.pools.Postgres() {
		_, err = w.pools.Pgx.Exec(t.Context(), statement)
	} else {
		_, err = w.pools.SQLite.ExecContext(t.Context(), statement)
	}
	check(t, err)
}
