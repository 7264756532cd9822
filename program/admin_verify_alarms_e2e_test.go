package program

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"kyrochat/ingest"
	"kyrochat/inspect"
	"kyrochat/internal/gemini"
	"kyrochat/internal/s3"
	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/store"
)

// firstTurn waits until work that comes again by itself had the turn with which the server begins. The next is minutes away.
func (s *testServer) firstTurn(t *testing.T, kind kyro.JobKind) {
	t.Helper()
	s.eventually(t, "the first turn of "+string(kind)+" is over", 1, fmt.Sprintf("SELECT count(*) FROM river_job WHERE kind = '%s' AND finalized_at IS NOT NULL", kind))
}

// TestVerifyLeavesWhatGoesAlone: what is only just being removed is no damage.
func TestVerifyLeavesWhatGoesAlone(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p, document := withOneFile(t, s, uploadedText("zorvath"))
		p.chat(vars{"botId": p.newBot(), "text": "Is anybody there?"})
		s.exec(t, "UPDATE conversations SET deleted_at = created_at, message_count = message_count + 5") // its messages go in turns

		s.firstTurn(t, kyro.JobSweepFiles)     // it would take the file, once its time is over
		if pg := s.app.pools.Postgres(); !pg { // else files are rows
			long := time.Now().Add(-2 * time.Hour)
			if err := os.Chtimes(filepath.Join(s.env["KYRO_DATA_DIR"], "files", fmt.Sprint(keyOf(document))), long, long); err != nil {
				t.Fatal(err)
			}
		}
		ago := func(d time.Duration) string {
			return "'" + time.Now().UTC().Add(-d).Format("2006-01-02 15:04:05+00:00") + "'"
		}
		s.exec(t, fmt.Sprintf("UPDATE documents SET deleted_at = %s WHERE id = %d", ago(time.Minute), keyOf(document)))
		if status, found := checkedAll(t, s.env); status != 0 || len(found) != 0 {
			t.Errorf("verifying gives %d, %+v", status, found)
		}
		s.exec(t, fmt.Sprintf("UPDATE documents SET deleted_at = %s WHERE id = %d", ago(2*time.Hour), keyOf(document)))
		status, found := checkedAll(t, s.env)
		if status != 3 || len(found["documents"]) != 1 || len(found["originals"]) != pick(s.app.pools.Postgres(), 0, 1) {
			t.Errorf("two hours later verifying gives %d, %+v", status, found)
		}
	})
}

// TestVerifyComparesTheIndex: vectors of nothing that is there are damage, but for those that a job is only just about to remove; and so
// are those that are missing.
func TestVerifyComparesTheIndex(t *testing.T) {
	t.Parallel()
	s := startUpstreams(t, gemini.Options{}).serve(t, map[string]string{"KYRO_DATA_DIR": t.TempDir()})
	p := s.signUp(t)
	bot := p.newBot()
	var documents []string
	for _, name := range []string{"zorvath", "gondrel"} {
		documents = append(documents, p.upload(bot, name+".txt", uploadedText(name)).text("uploadDocument.document.id"))
		if status := p.settled(documents[len(documents)-1]); status != "READY" {
			t.Fatal(status)
		}
	}
	s.firstTurn(t, kyro.JobReconcile) // it would remove the vectors, as soon as their document is deleted
	ago := func(d time.Duration) string {
		return "'" + time.Now().UTC().Add(-d).Format("2006-01-02 15:04:05+00:00") + "'"
	}
	of := fmt.Sprintf(" WHERE id = %d", keyOf(documents[0]))
	for _, test := range []struct {
		change string
		told   int
	}{
		{"UPDATE documents SET ready_at = ready_at", 0},
		{"UPDATE documents SET deleted_at = " + ago(time.Minute) + of, 0},
		{"UPDATE documents SET deleted_at = " + ago(2*time.Hour) + of, 1},
		{fmt.Sprintf("UPDATE documents SET active_chunks = active_chunks + 1 WHERE id = %d", keyOf(documents[1])), 2}, // as if one more had been put in
	} {
		s.exec(t, test.change)
		if _, found := checkedAll(t, s.testServer.env); len(found["vector-index"]) != test.told {
			t.Errorf("%s: %+v", test.change, found)
		}
	}
}

// changingBucket has something happen before an object is read for the first time.
type changingBucket struct {
	ingest.Originals
	change func()
}

func (b *changingBucket) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	if change := b.change; change != nil {
		b.change = nil
		change()
	}
	return b.Originals.Open(ctx, key)
}

// TestVerifyLooksAtWhatWasReplaced: an original that is replaced while others are read is not missing.
func TestVerifyLooksAtWhatWasReplaced(t *testing.T) {
	t.Parallel()
	bucket := s3.Start(t)
	s := startServer(t, bucket.Env())
	_, document := withOneFile(t, s, uploadedText("zorvath"))
	for _, replaced := range []bool{true, false} {
		before := bucket.Keys()[0]
		looked := inspect.Options{Store: store.New(s.app.pools, s.app.queue), Bucket: &changingBucket{s.app.bucket, func() {
			if replaced {
				bucket.Plant(filepath.Dir(before)+"/another", bucket.Object(before), time.Now())
				s.exec(t, fmt.Sprintf("UPDATE document_objects SET object = 'another' WHERE document_id = %d", keyOf(document)))
			}
			if err := s.app.bucket.Remove(t.Context(), []string{filepath.Base(before)}); err != nil {
				t.Error(err)
			}
		}}}
		var found []kyro.Finding
		err := inspect.Run(t.Context(), looked, func(f kyro.Finding, _ func(context.Context) error) error {
			found = append(found, f)
			return nil
		})
		if err != nil || len(found) != pick(replaced, 0, 1) {
			t.Errorf("replaced %v: %v, %+v", replaced, err, found)
		}
	}
}

// TestVerifyByARoleOfFewRights: tables of others in the same schema, which the server's role may not read, are nobody's damage. That it
// may not read one of ours is no damage either, and is told.
func TestVerifyByARoleOfFewRights(t *testing.T) {
	t.Parallel()
	owner := testdb.PostgresURL(t)
	s := startServer(t, map[string]string{"DATABASE_URL": owner})
	_, _ = withOneFile(t, s, uploadedText("zorvath"))
	at, err := url.Parse(owner)
	if err != nil {
		t.Fatal(err)
	}
	role := strings.TrimPrefix(at.Path, "/") + "_reader"
	at.User = url.UserPassword(role, canaryDatabase)
	for _, statement := range []string{
		"CREATE ROLE " + role + " LOGIN PASSWORD '" + canaryDatabase + "'", "GRANT USAGE ON SCHEMA public TO " + role,
		"GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + role, "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO " + role,
		"CREATE TABLE theirs (id BIGINT, owner BIGINT)", "ALTER TABLE theirs ADD FOREIGN KEY (owner) REFERENCES users (id) NOT VALID",
	} {
		s.exec(t, statement)
	}
	env := map[string]string{"DATABASE_URL": at.String(), "KYRO_DATA_DIR": t.TempDir()}
	if status, found := checkedAll(t, env); status != 0 || len(found) != 0 {
		t.Errorf("verifying gives %d, %+v", status, found)
	}
	s.exec(t, "REVOKE SELECT ON gaps FROM "+role)
	if status, out, said := operated(t, env, "admin", "verify"); status != 1 || out != "" || !strings.Contains(said, "may not read the table gaps") {
		t.Errorf("without the right to read: %d %s %s", status, out, said)
	}
}

// TestVerifyTellsADamagedFile: damage for which nothing more can be looked at is told, with its mend, and by the status; nothing
// is repaired on such a file.
func TestVerifyTellsADamagedFile(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	_, _ = withOneFile(t, s, uploadedText("zorvath"))
	number := func(query string) int64 {
		n, err := strconv.ParseInt(strings.Trim(s.rows(t.Context(), t, query)[0], "[]"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	root, size := number("SELECT rootpage FROM sqlite_master WHERE name = 'document_texts'"), number("PRAGMA page_size")
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(s.env["KYRO_DATA_DIR"], "kyro.db"), os.O_RDWR, 0)
	if err == nil {
		_, err = file.WriteAt(make([]byte, size), (root-1)*size)
	}
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{nil, {"--repair"}} {
		status, found := checkedAll(t, s.env, args...)
		if told := found["database-integrity"]; status != 3 || len(told) != 1 || told[0].Severity != "damage" || told[0].Repaired {
			t.Errorf("%v: verifying gives %d, %+v", args, status, found)
		}
	}
}
