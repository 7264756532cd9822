package program

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/klauspost/compress/zstd"

	"kyrochat/internal/envtest"
	"kyrochat/internal/testdb"
	"kyrochat/store"
)

// hasNothing sees that nothing is in a place that a restore failed to fill.
func hasNothing(t *testing.T, env map[string]string) {
	t.Helper()
	for _, name := range []string{"kyro.db", "files", "restore.tmp"} {
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
