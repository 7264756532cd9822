package program

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kyrochat/command"
	"kyrochat/doctor"
	"kyrochat/host"
	"kyrochat/internal/envtest"
	"kyrochat/internal/testdb"
)

// ofThisMachine are checks whose findings depend on where the tests run.
var ofThisMachine = []string{"user", "open-files", "memory", "processors", "fetch-dns", "extraction"}

// wantFine sees that nothing is wrong but what the machine of the tests may have, and the checks that are named.
func (r diagnosedReport) wantFine(t *testing.T, but ...string) {
	t.Helper()
	for _, f := range r.Findings {
		slow := f.Status == doctor.Warned && strings.Contains(f.Found, " to answer") // as machines that test are
		if f.Status != doctor.Fine && !slow && !slices.Contains(slices.Concat(ofThisMachine, but), f.Check) {
			t.Errorf("%+v", f)
		}
	}
	for _, f := range r.of(t, "extraction") {
		if f.Status == doctor.Failed {
			t.Errorf("%+v", f)
		}
	}
}

// freeAddress is one that nobody listens on. Other tests, which listen where the system gives them a port, have 127.0.0.1: where
// the machine has all of 127.0.0.0/8, the address is another one, so that none of them gets the port meanwhile.
func freeAddress(t *testing.T) string {
	t.Helper()
	own := fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	listener, err := net.Listen("tcp", own)
	if err != nil {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// contents are the files of a folder with what is in them.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		found[path] = fmt.Sprintf("%x", sha256.Sum256(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestDoctorBeforeTheFirstStart: with nothing set all is well, and nothing is made.
func TestDoctorBeforeTheFirstStart(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	settings := map[string]string{"KYRO_DATA_DIR": filepath.Join(parent, "data"), "KYRO_ADDR": freeAddress(t), "KYRO_ADMIN_ADDR": freeAddress(t)}
	r, status := diagnosed(t, settings)
	r.wantFine(t)
	r.want(t, "data-folder", doctor.Fine, "made by the first start")
	r.want(t, "database", doctor.Fine, "There is none yet")
	r.want(t, "secret", doctor.Fine, "the first start makes one")
	r.want(t, "addresses", doctor.Fine, "is free")
	if r.Status == doctor.Fine && status != 0 || r.Status == doctor.Warned && status != 1 || r.Status == doctor.Failed {
		t.Errorf("status %d of %s", status, r.Status)
	}
	if _, status := doctored(t, settings, "-warnings-ok"); status != 0 {
		t.Errorf("status %d, where warnings are accepted", status)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

func TestDoctorIsToldWrong(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"now"}, {"-nope"}, {"-mail"}} {
		err := run(t.Context(), append([]string{"doctor"}, args...), envtest.Of(nil), nil, strings.NewReader(""), os.Stdout, os.Stderr)
		if err == nil || command.Status(err) != 2 || !strings.Contains(err.Error(), "usage: kyrochat doctor") {
			t.Errorf("%v: %v", args, err)
		}
	}
	out, status := doctored(t, nil, "--help")
	if status != 0 || !strings.HasPrefix(out, "usage: kyrochat doctor") {
		t.Errorf("%d: %s", status, out)
	}
}

// TestDoctorBesideAServer: the server goes on, and the doctor says how it is.
func TestDoctorBesideAServer(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		ada := s.signUp(t)
		settings := maps.Clone(s.env)
		settings["KYRO_ADDR"], settings["KYRO_ADMIN_ADDR"] = s.app.publicListener.Addr().String(), s.app.adminListener.Addr().String()
		delete(settings, "KYRO_RATE_SCALE")
		r, _ := diagnosed(t, settings)
		r.wantFine(t, "data-folder", "configuration", "database-settings") // the database of tests need not survive the machine
		r.want(t, "addresses", doctor.Fine, "A KyroChat serves at")
		r.want(t, "addresses", doctor.Fine, "says that it is ready")
		r.want(t, "database-schema", doctor.Fine, "that of this program")
		if settings["DATABASE_URL"] == "" {
			r.want(t, "database", doctor.Fine, "without damage")
			found := r.of(t, "data-folder")
			if !strings.Contains(found[0].Found, "a running server has it") {
				t.Errorf("%+v", found)
			}
			r.want(t, "secret", doctor.Fine, "1 secret")
		} else {
			r.want(t, "database-connections", doctor.Fine, "processes of up to")
			r.want(t, "clock", doctor.Fine, "as by PostgreSQL")
			r.want(t, "configuration", doctor.Warned, "a secret of its own")
		}
		if !ada.known() {
			t.Error("the server does not answer any more")
		}
	})
}

// TestDoctorChangesNothing looks at a folder whose server has stopped, and finds an older, a newer and a damaged database.
func TestDoctorChangesNothing(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	s.signUp(t)
	s.exec(t, "CREATE TABLE extra AS SELECT 1 AS one")
	dir := s.env["KYRO_DATA_DIR"]
	settings := map[string]string{"KYRO_DATA_DIR": dir, "KYRO_ADDR": freeAddress(t), "KYRO_ADMIN_ADDR": freeAddress(t)}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	before := contents(t, dir)
	r, _ := diagnosed(t, settings)
	r.wantFine(t, "data-folder")
	r.want(t, "database", doctor.Fine, "without damage")
	if after := contents(t, dir); !maps.Equal(before, after) {
		t.Errorf("the folder had %v and has %v", before, after)
	}

	changed := func(statement string) {
		t.Helper()
		s := startServer(t, map[string]string{"KYRO_DATA_DIR": dir})
		s.exec(t, statement)
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
	}
	changed("DELETE FROM bun_migrations WHERE id = (SELECT max(id) FROM bun_migrations)")
	r, _ = diagnosed(t, settings)
	r.want(t, "database-schema", doctor.Noted, "1 migration is to be run", "kyrochat migrate")
}

// TestDoctorFindsANewerDatabase, of both kinds.
func TestDoctorFindsANewerDatabase(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		s.exec(t, "INSERT INTO bun_migrations (name, group_id) VALUES ('29990101000000', 99)")
		r, status := diagnosed(t, s.env)
		r.want(t, "database-schema", doctor.Failed, "newer version")
		if status != 2 {
			t.Errorf("status %d", status)
		}
	})
}

// TestDoctorFindsDamage in a database file, and a file that is none.
func TestDoctorFindsDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	testdb.SQLiteFile(t, dir)
	path := filepath.Join(dir, "kyro.db")
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err == nil {
		// The head and the list of tables stay; the pages of the tables are no pages any more.
		for at := int64(40 << 10); err == nil && at < info.Size(); at += 4 << 10 {
			_, err = file.WriteAt([]byte(strings.Repeat("damage! ", 64)), at)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{"KYRO_DATA_DIR": dir, "KYRO_ADDR": freeAddress(t), "KYRO_ADMIN_ADDR": freeAddress(t)}
	r, _ := diagnosed(t, settings)
	r.want(t, "database", doctor.Failed, "damage", "backup")

	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	r, status := diagnosed(t, settings)
	r.want(t, "database", doctor.Failed, "damage", "not a database")
	if status != 2 {
		t.Errorf("status %d", status)
	}
}

// TestDoctorOnFoldersThatCannotBeUsed, for whoever is root, too.
func TestDoctorOnFoldersThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	inAFile := filepath.Join(envtest.File(t, "a file", 0o600), "data")
	locked := filepath.Join(t.TempDir(), "locked")
	if err := os.Mkdir(locked, 0o500); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{inAFile, filepath.Join(locked, "data")} {
		if host.IsRoot() && strings.HasPrefix(dir, locked) {
			continue // which may write anywhere
		}
		r, status := diagnosed(t, map[string]string{"KYRO_DATA_DIR": dir})
		r.want(t, "data-folder", doctor.Failed, "install -d -m 700")
		if status != 2 {
			t.Errorf("%s: status %d", dir, status)
		}
	}
	r, _ := diagnosed(t, map[string]string{"KYRO_DATA_DIR": func() string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(envtest.SecretOne), 0o644); err != nil {
			t.Fatal(err)
		}
		return dir
	}()})
	r.want(t, "secret", doctor.Failed, "0644", "chmod 600")
}

// TestDoctorWithoutAFolderForTemporaryFiles: a container whose root is read-only has none that can be written, and reads
// documents all the same.
func TestDoctorWithoutAFolderForTemporaryFiles(t *testing.T) {
	settings := map[string]string{"KYRO_DATA_DIR": t.TempDir(), "KYRO_ADDR": freeAddress(t), "KYRO_ADMIN_ADDR": freeAddress(t)}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("TMPDIR", "/proc")
	if _, err := os.CreateTemp("", "tried"); err == nil {
		t.Skip("/proc can be written to")
	}
	r, _ := diagnosed(t, settings)
	r.want(t, "temporary-folder", doctor.Fine, "need not be")
	for _, f := range r.of(t, "extraction") {
		if f.Status == doctor.Failed {
			t.Errorf("documents are not read: %+v", f)
		}
	}
}

// TestDoctorMeetsOthersAtTheAddresses: a server that is in need, and another program.
func TestDoctorMeetsOthersAtTheAddresses(t *testing.T) {
	t.Parallel()
	said := "the database does not answer"
	needy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			_, _ = w.Write([]byte("ok\n"))
			return
		}
		http.Error(w, said, http.StatusServiceUnavailable)
	}))
	defer needy.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	settings := map[string]string{
		"KYRO_DATA_DIR": filepath.Join(t.TempDir(), "data"), "KYRO_ADMIN_ADDR": needy.Listener.Addr().String(), "KYRO_ADDR": other.Listener.Addr().String(),
	}
	r, _ := diagnosed(t, settings)
	r.want(t, "addresses", doctor.Failed, "is not ready: the database does not answer")
	r.want(t, "addresses", doctor.Failed, "Something else than a KyroChat", "ss -ltnp")
	said = "ready, without Gemini, which does not answer"
	r, _ = diagnosed(t, settings)
	r.want(t, "addresses", doctor.Warned, "without Gemini, which does not answer")
}
