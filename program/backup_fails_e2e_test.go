package program

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/envtest"
	"kyrochat/internal/s3"
	"kyrochat/internal/testdb"
	"kyrochat/operator"
)

// withOneFile is a person with a bot that knows one file.
func withOneFile(t *testing.T, s *testServer, content []byte) (p *person, document string) {
	t.Helper()
	p = s.signUp(t)
	document = p.upload(p.newBot(), "tower.txt", content).text("uploadDocument.document.id")
	if status := p.settled(document); status != "READY" {
		t.Fatal(status)
	}
	return p, document
}

// on is the same person at another server.
func (p *person) on(t *testing.T, s *testServer) *person {
	t.Helper()
	q := &person{t: t, s: s, email: p.email}
	q.token = q.signInWith(p.email, password).text("logIn.accessToken")
	return q
}

// TestRestoredButNotVerified: what is restored stays, with its files, where it cannot be verified to the end.
func TestRestoredButNotVerified(t *testing.T) {
	t.Parallel()
	content := uploadedText("zorvath")
	s := startServer(t, nil)
	p, document := withOneFile(t, s, content)
	file := filepath.Join(t.TempDir(), "backup")
	mustOperate(t, s.env, "backup", "-o", file)

	bucket := s3.Start(t)
	nowhere := filepath.Join(t.TempDir(), "file") // a folder that nobody can make
	if err := os.WriteFile(nowhere, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"DATABASE_URL": testdb.PostgresURL(t), "KYRO_DATA_DIR": filepath.Join(nowhere, "data")}
	maps.Copy(env, bucket.Env())
	bucket.Script(s3.Script{Kind: s3.Get, Status: 403})
	status, _, said := operated(t, env, "restore", file)
	if status != 3 || !strings.Contains(said, "Everything is restored") || strings.Contains(said, "Nothing") {
		t.Errorf("restoring says %d %s", status, said)
	}
	bucket.Reset()
	env["KYRO_DATA_DIR"] = t.TempDir()
	back := startServer(t, env)
	if got := carry(t, "GET", p.on(t, back).download(document), nil); got.body != string(content) {
		t.Errorf("%d bytes of the file come back", len(got.body))
	}
	if out := mustOperate(t, env, "admin", "verify"); !strings.HasPrefix(out, "Everything") {
		t.Error(out)
	}
}

// TestHiccupsOfABucket: neither a backup, nor a restore, nor a check of what is stored is ended by a bucket that is in trouble for a moment, in
// the middle of a file too.
func TestHiccupsOfABucket(t *testing.T) {
	t.Parallel()
	first, second := s3.Start(t), s3.Start(t)
	s := startServer(t, first.Env())
	content := uploadedText("zorvath")
	p, document := withOneFile(t, s, content)
	busy := func(kind s3.Kind) s3.Script { return s3.Script{Kind: kind, Status: 503, Times: 5} } // longer than a server tries
	cut := s3.Script{Kind: s3.Get, Trouble: s3.Cut, Times: 2}

	file := filepath.Join(t.TempDir(), "backup")
	first.Script(cut, busy(s3.Get), busy(s3.Head))
	mustOperate(t, s.env, "backup", "-o", file)
	mustOperate(t, nil, "backup", "verify", file)

	env := map[string]string{"KYRO_DATA_DIR": t.TempDir()}
	maps.Copy(env, second.Env())
	second.Script(busy(s3.Put), cut, busy(s3.Get))
	mustOperate(t, env, "restore", file)
	second.Script(cut, busy(s3.Get))
	if out := mustOperate(t, env, "admin", "verify"); !strings.HasPrefix(out, "Everything") {
		t.Error(out)
	}
	second.Reset()
	if got := carry(t, "GET", p.on(t, startServer(t, env)).download(document), nil); got.body != string(content) {
		t.Errorf("%d bytes of the file come back", len(got.body))
	}
}

// TestWhatStaysInABucketIsTold: a restore that fails takes back what it put into the bucket; where it cannot, it says where that is.
func TestWhatStaysInABucketIsTold(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	p, _ := withOneFile(t, s, uploadedText("zorvath"))
	if status := p.settled(p.upload(p.newBot(), "another.txt", uploadedText("another")).text("uploadDocument.document.id")); status != "READY" {
		t.Fatal(status)
	}
	file := filepath.Join(t.TempDir(), "backup")
	mustOperate(t, s.env, "backup", "-o", file)
	for _, stays := range []bool{false, true} {
		bucket := s3.Start(t)
		env := map[string]string{"KYRO_DATA_DIR": t.TempDir()}
		maps.Copy(env, bucket.Env())
		bucket.Script(s3.Script{Kind: s3.Put, Status: 403, Skip: 1})
		if stays {
			bucket.Script(s3.Script{Kind: s3.Delete, Status: 403})
		}
		status, _, said := operated(t, env, "restore", file)
		left := bucket.Keys()
		if status != 1 || !strings.Contains(said, "Nothing was restored") || len(left) != pick(stays, 1, 0) {
			t.Errorf("restoring says %d %s, and leaves %q", status, said, left)
		}
		if stays && !strings.Contains(said, "remove what is below "+filepath.Base(filepath.Dir(left[0]))) {
			t.Errorf("of %q is told: %s", left, said)
		}
	}
}

// TestNumbersAfterARestore: nothing that is made afterwards has a number that was given after the backup, nor of what there was none of
// when it was made.
func TestNumbersAfterARestore(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		_ = p.newBot()
		file := filepath.Join(t.TempDir(), "backup")
		mustOperate(t, s.env, "backup", "-o", file)
		env := map[string]string{"KYRO_DATA_DIR": t.TempDir()}
		if s.env["DATABASE_URL"] != "" {
			env["DATABASE_URL"] = testdb.PostgresURL(t)
		}
		mustOperate(t, env, "restore", file)
		q := p.on(t, startServer(t, env))
		bot := q.newBot()
		document := q.upload(bot, "tower.txt", uploadedText("zorvath")).text("uploadDocument.document.id") // the first one
		for _, id := range []string{bot, document} {
			if key := keyOf(id); key < 1_000_000_000 || key > 1_000_000_100 {
				t.Errorf("it is %s", id)
			}
		}
	})
}

// TestBackupKeysAreKeptSecret: who gives the secret key where the public one belongs is told so, and the key is not in what is told.
func TestBackupKeysAreKeptSecret(t *testing.T) {
	t.Parallel()
	_, open := sealed(t)
	identity := open[1]
	key, err := os.ReadFile(identity)
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.TrimSpace(string(key))
	for _, to := range []string{identity, secret} {
		status, out, said := operated(t, map[string]string{"KYRO_DATA_DIR": t.TempDir()}, "backup", "-o", "-", "-to", to)
		if status != 2 || !strings.Contains(said, "public one") || strings.Contains(out+said, secret) {
			t.Errorf("for %.20s: %d %s", to, status, said)
		}
	}
}

// TestBackupLeavesOthersTablesAlone: somebody keeps tables of their own beside ours, as Litestream does. They are not in a backup, and
// keep none from being made nor restored.
func TestBackupLeavesOthersTablesAlone(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		content := uploadedText("zorvath")
		p, document := withOneFile(t, s, content)
		s.exec(t, "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)")
		s.exec(t, "INSERT INTO _litestream_seq VALUES (1, 5)")
		s.exec(t, "CREATE TABLE notes_old (id VARCHAR(20))")
		file := filepath.Join(t.TempDir(), "backup")
		mustOperate(t, s.env, "backup", "-o", file)
		mustOperate(t, nil, "backup", "verify", file)
		env := map[string]string{"KYRO_DATA_DIR": t.TempDir()}
		mustOperate(t, env, "restore", file)
		if got := carry(t, "GET", p.on(t, startServer(t, env)).download(document), nil); got.body != string(content) {
			t.Errorf("%d bytes of the file come back", len(got.body))
		}
	})
}

// TestVerifyRefusesWhatHasNoPlace: a backup that no restore would take is none.
func TestVerifyRefusesWhatHasNoPlace(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	folder := t.TempDir()
	file, other := filepath.Join(folder, "backup"), filepath.Join(folder, "other")
	mustOperate(t, s.env, "backup", "-o", file)
	content, err := os.ReadFile(file)
	if err == nil { // a table has another name, in what the backup says of itself, which no sum is of until the end
		err = os.WriteFile(other, again(t, content, `"Name": "audit_head"`, `"Name": "audit_heap"`), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if status, _, said := operated(t, nil, "backup", "verify", other); status != 1 || !strings.Contains(said, "audit_heap") {
		t.Errorf("verifying says %d %s", status, said)
	}
}

// TestMovedInTheSameFolder: what began with SQLite moves into PostgreSQL, and its files into the rows or a bucket, with the data folder that
// it had. The files of before are in it still. Each is in the next backup once, and that can be restored.
func TestMovedInTheSameFolder(t *testing.T) {
	t.Parallel()
	for name, buckets := range map[string]bool{"rows": false, "bucket": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := uploadedText("zorvath")
			s := startServer(t, nil)
			p, document := withOneFile(t, s, content)
			folder := t.TempDir()
			first, second := filepath.Join(folder, "first"), filepath.Join(folder, "second")
			mustOperate(t, s.env, "backup", "-o", first)
			if err := s.stop(); err != nil {
				t.Fatal(err)
			}
			moved := map[string]string{"DATABASE_URL": testdb.PostgresURL(t), "KYRO_DATA_DIR": s.env["KYRO_DATA_DIR"]}
			if buckets {
				maps.Copy(moved, s3.Start(t).Env())
			}
			mustOperate(t, moved, "restore", first)
			mustOperate(t, moved, "backup", "-o", second)
			if out := mustOperate(t, nil, "backup", "verify", second); buckets != strings.Contains(out, "1 file of") {
				t.Errorf("the backup has %s", out)
			}
			for _, to := range homes() {
				env := to.env(t)
				mustOperate(t, env, "restore", second)
				if got := carry(t, "GET", p.on(t, startServer(t, env)).download(document), nil); got.body != string(content) {
					t.Errorf("%s: %d bytes of the file come back", to.name, len(got.body))
				}
			}
		})
	}
}

// backedUpAs makes a backup by another clock, and gives what the command ends with.
func backedUpAs(t *testing.T, env map[string]string, now func() time.Time) (path string, err error) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "backup")
	return path, operator.Backup(t.Context(), []string{"-o", path}, operator.Options{
		Getenv: envtest.Of(env), In: strings.NewReader(""), Out: io.Discard, ErrOut: io.Discard, Now: now,
	})
}

// TestHeldAllTheTime: a backup that stood still for longer than what it holds is held says that it is none.
func TestHeldAllTheTime(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		_, _ = withOneFile(t, s, uploadedText("zorvath"))
		for frozen, whole := range map[time.Duration]bool{30 * time.Second: true, 2 * time.Minute: false} {
			began := time.Now()
			now := func() time.Time { // everything else stands still once the files are held
				if s.number(t, "SELECT count(*) FROM holds") == 0 {
					return began
				}
				return began.Add(frozen)
			}
			if _, err := backedUpAs(t, s.env, now); (err == nil) != whole || err != nil && !strings.Contains(err.Error(), "stood still") {
				t.Errorf("frozen for %s: %v", frozen, err)
			}
		}
	})
}

// TestRestoreOfWhatWasBeingPurged: what was deleted a moment before the backup is in it with all that a job is to remove. However
// much later it is restored, that is no damage.
func TestRestoreOfWhatWasBeingPurged(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		_, document := withOneFile(t, s, uploadedText("zorvath"))
		at := time.Now().Add(-5 * time.Hour)
		s.exec(t, "UPDATE documents SET deleted_at = '"+at.Add(-time.Minute).UTC().Format("2006-01-02 15:04:05+00:00")+"' WHERE id = "+fmt.Sprint(keyOf(document)))
		file, err := backedUpAs(t, s.env, func() time.Time { return at })
		if err != nil {
			t.Fatal(err)
		}
		env := map[string]string{"KYRO_DATA_DIR": t.TempDir()}
		if status, _, said := operated(t, env, "restore", file); status != 0 {
			t.Errorf("restoring says %d %s", status, said)
		}
		if status, found := checkedAll(t, env); status != 3 || len(found["documents"]) != 1 { // no server has removed it in five hours
			t.Errorf("verifying gives %d, %+v", status, found)
		}
	})
}

// TestBackupOfAFileThatGoes: a file that is removed from the bucket while it is read ends the backup, and that is what is told.
func TestBackupOfAFileThatGoes(t *testing.T) {
	t.Parallel()
	bucket := s3.Start(t)
	s := startServer(t, bucket.Env())
	_, _ = withOneFile(t, s, uploadedText("zorvath"))
	bucket.Script(s3.Script{Kind: s3.Get, Status: 404}) // its size is told before
	status, _, said := operated(t, s.env, "backup", "-o", filepath.Join(t.TempDir(), "backup"))
	if status != 1 || !strings.Contains(said, "while it was read") {
		t.Errorf("the backup ends with %d: %s", status, said)
	}
}
