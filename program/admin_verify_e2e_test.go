package program

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/s3"
)

// foundLine is what is read of a finding.
type foundLine struct {
	Check    string
	Severity string
	Count    int
	Examples []string
	Repairs  bool `json:"repairable"`
	Repaired bool
}

// checkedAll is what the command found, by check.
func checkedAll(t *testing.T, env map[string]string, args ...string) (status int, found map[string][]foundLine) {
	t.Helper()
	status, out, said := operated(t, env, append([]string{"admin", "verify", "--json"}, args...)...)
	if status == 1 {
		t.Fatalf("verifying: %s", said)
	}
	found = map[string][]foundLine{}
	for line := range strings.Lines(out) {
		var f foundLine
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if f.Check != "" {
			found[f.Check] = append(found[f.Check], f)
		}
	}
	return status, found
}

// TestVerifyFindsAndRepairs plants damage of each kind: it is told, and repaired where that can be done without a loss.
func TestVerifyFindsAndRepairs(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		env["KYRO_REFRESH_EVERY"] = "1s"
		maps.Copy(env, allDay)
		s := startServer(t, env)
		p := s.signUp(t)
		bot := p.newBot()
		document := func(n int) string {
			id := p.upload(bot, fmt.Sprintf("tower %d.txt", n), uploadedText(fmt.Sprintf("zorvath%d", n))).text("uploadDocument.document.id")
			if status := p.settled(id); status != "READY" {
				t.Fatal(status)
			}
			return id
		}
		one, two, three, gone := document(1), document(2), document(3), document(4)
		finished, _ := p.chat(vars{"botId": bot, "text": "What is the password of the tower called zorvath1?"})
		if len(finished.list("messageStream.message.citations")) == 0 {
			t.Fatalf("%s", finished.body)
		}
		p.must(`mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { errors { code } } }`, vars{"d": gone})
		key := func(id string) int64 { return keyOf(id) }
		number := func(query string) (n int) { t.Helper(); return s.number(t, query) }
		waitUntil(t, "what was deleted is purged", func() bool {
			return number(fmt.Sprintf("SELECT count(*) FROM document_texts WHERE document_id = %d", key(gone))) == 0
		})
		if err := s.app.settled(t.Context()); err != nil { // whoever purges would take some of what is planted with it
			t.Fatal(err)
		}
		if status, found := checkedAll(t, s.env); status != 0 || len(found) != 0 {
			t.Fatalf("before anything is planted: %d, %v", status, found)
		}
		pg := s.app.pools.Postgres()
		bytesOf := func(hex string) string { return pick(pg, `'\x`+hex+`'`, "x'"+hex+"'") }
		ago := func(d time.Duration) string {
			return "'" + time.Now().UTC().Add(-d).Format("2006-01-02 15:04:05+00:00") + "'"
		}
		hour := time.Now().Unix() / 3600 * 60

		for name, test := range map[string]struct {
			check string
			plant []string
		}{
			"entries of words without a document": {"orphans", []string{"INSERT INTO postings (bot_id, term, document_id, version, chunk_count, body) VALUES (1, 'x', 999999, 1, 1, " + bytesOf("000101") + ")"}},
			"a passage of another bot":            {"orphans", []string{fmt.Sprintf("UPDATE chunks SET bot_id = 999999 WHERE document_id = %d", key(one))}},
			"a question without its message": {"orphans", []string{fmt.Sprintf("INSERT INTO gap_questions (message_id, bot_id, sender_id, not_found, rated_down, asked_at, kept, model, check_run, verdict)"+
				" VALUES (999999, %d, 1, TRUE, FALSE, %s, FALSE, '', 0, '')", key(bot), ago(0))}},
			"an hour of no bot":            {"orphans", []string{"INSERT INTO rollups (bot_id, minutes, slot, figures, cited) VALUES (999999, 60, 0, " + bytesOf("01") + ", " + bytesOf("01") + ")"}},
			"an hour to count of no bot":   {"orphans", []string{"INSERT INTO rollups_due (bot_id, hour, changes) VALUES (999999, 999999960, 1)"}},
			"a vector of no passage":       {"orphans", []string{"INSERT INTO embeddings (content_hash, model, dims, vector) VALUES ('of nothing', 'm', 1, " + bytesOf("00000000") + ")"}},
			"messages are counted wrongly": {"counters", []string{"UPDATE conversations SET message_count = message_count + 5"}},
			"passages are counted wrongly": {"counters", []string{fmt.Sprintf("UPDATE documents SET active_terms = active_terms + 7 WHERE id = %d", key(two))}},
			"a gap counts what is not there": {"counters", []string{fmt.Sprintf("INSERT INTO gaps (bot_id, status, model, representative, questions, unanswered, not_found, rated_down, people, first_asked_at, last_asked_at,"+
				" run, check_total, check_done, check_answered, check_tokens, problem, created_at) VALUES (%d, 'OPEN', '', 1, 5, 5, 5, 0, 1, %s, %s, 0, 0, 0, 0, 0, '', %s)", key(bot), ago(0), ago(0), ago(0))}},
			"a budget holds something for nobody": {"counters", []string{fmt.Sprintf("INSERT INTO spendings (owner_id, scope, target_id, period, start, messages, tokens, cost, held_messages, held_tokens, held_cost, warned)"+
				" SELECT owner_id, 'bot', id, 'DAY', %s, 0, 0, 0, 1, 100, 0, 0 FROM bots WHERE id = %d", ago(48*time.Hour), key(bot))}},
			"an hour is not counted":    {"counters", []string{fmt.Sprintf("UPDATE rollups_until SET hour = %d", hour+60)}},
			"no passages of a document": {"documents", []string{fmt.Sprintf("DELETE FROM chunks WHERE document_id = %d", key(three))}},
			"no words of a document":    {"word-index", []string{fmt.Sprintf("DELETE FROM postings WHERE document_id = %d", key(one))}},
			"words that cannot be read": {"word-index", []string{fmt.Sprintf("UPDATE postings SET body = %s WHERE document_id = %d", bytesOf("ff"), key(two))}},
			"a vector is missing":       {"vectors", []string{fmt.Sprintf("DELETE FROM embeddings WHERE content_hash IN (SELECT content_hash FROM chunks WHERE document_id = %d)", key(one))}},
			"a vector is too short":     {"vectors", []string{fmt.Sprintf("UPDATE embeddings SET vector = %s WHERE content_hash IN (SELECT content_hash FROM chunks WHERE document_id = %d)", bytesOf("0000"), key(two))}},
			"something of a deleted document": {"documents", []string{fmt.Sprintf("UPDATE documents SET deleted_at = %s WHERE id = %d", ago(2*time.Hour), key(gone)),
				fmt.Sprintf("INSERT INTO document_texts (document_id, version, char_start, char_end, body) VALUES (%d, 1, 0, 1, 'x')", key(gone))}},
		} {
			t.Run(name, func(t *testing.T) {
				for _, statement := range test.plant {
					s.exec(t, statement)
				}
				status, found := checkedAll(t, s.env)
				if status != 3 || !slices.ContainsFunc(found[test.check], func(f foundLine) bool { return f.Severity == "damage" && f.Repairs && !f.Repaired && f.Count > 0 }) {
					t.Fatalf("verifying gives %d, %+v", status, found)
				}
				if status, found := checkedAll(t, s.env, "--repair"); status != 0 || !found[test.check][0].Repaired {
					t.Fatalf("repairing gives %d, %+v", status, found)
				}
				waitUntil(t, "there is nothing more", func() bool {
					status, found := checkedAll(t, s.env, "--repair") // what comes to light by a repair
					return status == 0 && len(found) == 0
				})
			})
		}
		if n := number("SELECT count(*) FROM audit_log WHERE action = 'DATA_REPAIRED'"); n < 15 {
			t.Errorf("the audit log has %d lines of repairs", n)
		}
		for _, id := range []string{one, two, three} {
			if status := p.settled(id); status != "READY" {
				t.Errorf("%s is %s", id, status)
			}
		}
		for n := range 3 {
			if hits := p.hits(bot, fmt.Sprintf("zorvath%d", n+1)); len(hits) == 0 {
				t.Errorf("document %d is not found any more", n+1)
			}
		}

		// What cannot be repaired is told, and stays.
		off, on := "PRAGMA foreign_keys = OFF; ", "; PRAGMA foreign_keys = ON"
		if pg {
			off, on = "SET session_replication_role = replica; ", "; SET session_replication_role = origin"
		}
		for name, test := range map[string]struct{ check, plant string }{
			"a message of no turn": {"orphans", "UPDATE messages SET turn = 999999 WHERE role = 'BOT'"},
			"a bot of nobody":      {"references", off + fmt.Sprintf("UPDATE bots SET owner_id = 999999 WHERE id = %d", key(bot)) + on},
			"a line of the audit log": {"audit-log", pick(pg, off+"UPDATE audit_log SET detail = 'nothing' WHERE id = 2"+on,
				"DROP TRIGGER audit_log_changed; UPDATE audit_log SET detail = 'nothing' WHERE id = 2")},
		} {
			s.exec(t, test.plant)
			for _, args := range [][]string{nil, {"--repair"}} {
				if status, found := checkedAll(t, s.env, args...); status != 3 || len(found[test.check]) == 0 || found[test.check][0].Repairs {
					t.Errorf("%s: verifying gives %d, %+v", name, status, found)
				}
			}
		}
	})
}

// TestVerifyReadsOriginals: files that are missing, that were changed, and that belong to nothing, wherever they are kept.
func TestVerifyReadsOriginals(t *testing.T) {
	t.Parallel()
	for _, at := range homes() {
		t.Run(at.name, func(t *testing.T) {
			t.Parallel()
			env := at.env(t)
			var bucket *s3.Emulator
			if strings.Contains(at.name, "bucket") {
				bucket = s3.Start(t)
				for name, value := range bucket.Env() {
					env[name] = value
				}
			}
			s := startServer(t, env)
			p := s.signUp(t)
			bot := p.newBot()
			var ids []string
			for n := range 2 {
				id := p.upload(bot, fmt.Sprintf("tower %d.txt", n), uploadedText(fmt.Sprintf("zorvath%d", n))).text("uploadDocument.document.id")
				if status := p.settled(id); status != "READY" {
					t.Fatal(status)
				}
				ids = append(ids, id)
			}
			if status, found := checkedAll(t, env); status != 0 || len(found) != 0 {
				t.Fatalf("before anything is planted: %d, %v", status, found)
			}
			long := time.Now().Add(-2 * time.Hour)
			path := func(key int64) string { return filepath.Join(env["KYRO_DATA_DIR"], "files", fmt.Sprint(key), "1") }

			// Of nothing: it is removed. The first sweep of the server may be as fast as we are.
			left := func() bool { _, err := os.Stat(path(999999)); return err == nil }
			waitUntil(t, "a file of nothing is told", func() bool {
				if bucket != nil {
					stray := filepath.Dir(bucket.Keys()[0]) + "/stray"
					bucket.Plant(stray, []byte("x"), long)
					left = func() bool { return slices.Contains(bucket.Keys(), stray) }
				} else if err := errors.Join(os.MkdirAll(filepath.Dir(path(999999)), 0o700), os.WriteFile(path(999999), []byte("x"), 0o600),
					os.Chtimes(filepath.Dir(path(999999)), long, long)); err != nil {
					t.Fatal(err)
				}
				status, found := checkedAll(t, env)
				return status == 3 && len(found["originals"]) == 1 && found["originals"][0].Count == 1
			})
			if status, _ := checkedAll(t, env, "--repair"); status != 0 {
				t.Errorf("repairing gives %d", status)
			}
			waitUntil(t, "it is gone", func() bool { return !left() })

			// One that was changed, and one that is missing.
			changed, missing := keyOf(ids[0]), keyOf(ids[1])
			switch {
			case bucket != nil:
				object := func(document int64) (key string) {
					at := strings.Trim(s.rows(t.Context(), t, fmt.Sprintf("SELECT object FROM document_objects WHERE document_id = %d", document))[0], "[]")
					for _, k := range bucket.Keys() {
						if strings.HasSuffix(k, at) {
							key = k
						}
					}
					return key
				}
				bucket.Plant(object(changed), []byte("another file"), time.Now())
				s.exec(t, fmt.Sprintf("UPDATE document_objects SET object = 'nowhere' WHERE document_id = %d", missing))
			case env["DATABASE_URL"] != "":
				s.exec(t, fmt.Sprintf(`UPDATE document_files SET body = '\x41' WHERE document_id = %d`, changed))
				s.exec(t, fmt.Sprintf("DELETE FROM document_files WHERE document_id = %d", missing))
			default:
				if err := os.WriteFile(path(changed), []byte("another file"), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Remove(path(missing)); err != nil {
					t.Fatal(err)
				}
			}
			status, found := checkedAll(t, env, "--repair")
			named := map[string]bool{}
			for _, f := range found["originals"] {
				named[strings.Join(f.Examples, " ")] = !f.Repairs && f.Count == 1
			}
			if status != 3 || !named[ids[0]] || !named[ids[1]] {
				t.Errorf("a file that was changed and one that is missing: %d %+v", status, found)
			}
			// It is backed up all the same, and says so.
			file := filepath.Join(t.TempDir(), "backup")
			if status, _, said := operated(t, env, "backup", "-o", file); status != 3 || !strings.Contains(said, ids[1]) {
				if at.name != "postgres" || status != 3 {
					t.Errorf("the backup ends with %d: %s", status, said)
				}
			}
			mustOperate(t, nil, "backup", "verify", file)
		})
	}
}
