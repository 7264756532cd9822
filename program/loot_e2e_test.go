package program

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"kyrochat/internal/testdb"
)

// everything is every column of every table, as text.
func (s *testServer) everything(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	one := func(row string) string { return strings.TrimSuffix(strings.TrimPrefix(row, "["), "]") }
	tables := "SELECT name FROM sqlite_master WHERE type = 'table'"
	// Of SQLite it is a statement that gives a row as one text, blobs included.
	whole := `SELECT 'SELECT ' || group_concat('coalesce(CAST("' || name || '" AS TEXT), '''')', ' || '' | '' || ') || ' FROM "%[1]s"' FROM pragma_table_info('%[1]s')`
	if s.app.pools.Postgres() {
		tables, whole = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'", `SELECT 'SELECT t::text FROM "%[1]s" t'`
	}
	var out strings.Builder
	for _, table := range s.rows(ctx, t, tables) {
		table = one(table)
		rows := s.rows(ctx, t, one(s.rows(ctx, t, fmt.Sprintf(whole, table))[0]))
		for _, row := range rows {
			out.WriteString(table + " " + one(row) + "\n")
		}
		if len(rows) == 0 && slices.Contains([]string{"users", "sessions", "api_keys", "letters", "mail_tokens", "audit_log", "river_job", "messages", "chunks"}, table) {
			t.Errorf("there is nothing in %s", table)
		}
	}
	return out.String()
}

// tokenLike is what may be a credential, or hold one.
var tokenLike = regexp.MustCompile(`[A-Za-z0-9_+/=.$-]{20,}`)

// TestNoSecretIsFound plants thirty secrets, and looks for them in all that a thief of the database, of the log or of the
// admin page would have. Then it tries what there is of it as a credential of each kind.
func TestNoSecretIsFound(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func() string{"sqlite": func() string { return "" }, "postgres": func() string { return testdb.PostgresURL(t) }} {
		database := database()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startWithCanaries(t, database)
			var said bytes.Buffer
			links, refresh := s.live(t, &said)
			if len(s.planted) < 30 {
				t.Errorf("%d secrets are planted", len(s.planted))
			}
			loot := map[string]string{"the database": s.everything(t), "what was said": said.String(), "files": filesBelow(t, s.env["KYRO_DATA_DIR"])}
			loot["a backup"] = opened(t, s.env)
			admin := "http://" + s.app.adminListener.Addr().String()
			for _, path := range []string{"/metrics", "/readyz", "/healthz", "/debug/pprof/", "/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline"} {
				r, err := http.Get(admin + path)
				if err != nil {
					t.Fatal(err)
				}
				text, _ := io.ReadAll(r.Body)
				r.Body.Close()
				loot["the admin address"] += string(text)
			}
			s.logging.Lock()
			loot["the log"] = s.log.String()
			s.logging.Unlock()
			if err := s.app.tracer.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			loot["traces"] = recording(s.spans.GetSpans()).everything()
			if !strings.Contains(loot["traces"], "smtp send") || strings.Contains(loot["traces"], "@") {
				t.Error("the traces have no mails that were sent, or addresses")
			}
			if !strings.Contains(loot["the log"], "mail sent") || !strings.Contains(loot["the log"], "letter waits") || !strings.Contains(loot["the database"], "ada2@example.com") ||
				!strings.Contains(loot["a backup"], "ada2@example.com") {
				t.Error("the log or the dump is not what it should be")
			}
			// Nor is there anything in the log of what people write, or by which they can be reached.
			for _, words := range []string{"@example.com", `\bada2\b`, "green tea", "black tea", "Steep", "tea house"} { // ids of traces have letters, too
				if at := regexp.MustCompile(words).FindStringIndex(loot["the log"]); at != nil {
					t.Errorf("the log has %q: %.300q", words, loot["the log"][max(0, at[0]-150):])
				}
			}
			for place, text := range loot {
				for what, secret := range s.planted {
					for _, form := range []string{secret, url.QueryEscape(secret), fmt.Sprintf("%x", secret)} {
						if i := strings.Index(text, form); i >= 0 {
							t.Errorf("%s is in %s: %.200q", what, place, text[max(0, i-100):])
							break
						}
					}
				}
			}
			s.tryAll(t, loot, links, refresh)
		})
	}
}

// filesBelow is all that is in files.
func filesBelow(t *testing.T, folder string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		out.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// tryAll tries what looks like a token in the loot as each kind of credential, and then the true ones, which must be good
// still: else nothing was shown.
func (s *canaryServer) tryAll(t *testing.T, loot, links map[string]string, refresh string) {
	t.Helper()
	found := map[string]bool{}
	for place, text := range loot {
		if place == "files" && len(text) > 1<<20 {
			continue // the pages of SQLite, whose rows are in the dump
		}
		for _, token := range tokenLike.FindAllString(text, -1) {
			found[token] = true
		}
	}
	tokens := make(chan string)
	go func() {
		defer close(tokens)
		for token := range found {
			tokens <- token
		}
	}()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for token := range tokens {
				s.wantNoCredential(t, token)
			}
		})
	}
	all.Wait()
	t.Logf("%d strings were tried", len(found))

	nobody := &person{t: t, s: s.testServer}
	if _, ok := nobody.refreshed(refresh); !ok {
		t.Error("the refresh token that was not stolen is no good")
	}
	for purpose, field := range map[string]string{"verify-email": "verifyEmail", "reactivate": "reactivateAccount", "revert-email": "revertEmailChange"} {
		if purpose == "revert-email" { // which takes the force of others
			nobody.reset(links["reset-password"], "granite lighthouse at dusk").wantAccepted("resetPassword")
		}
		nobody.redeem(field, links[purpose]).wantAccepted(field)
	}
}

// wantNoCredential tries a string as each kind of credential.
func (s *canaryServer) wantNoCredential(t *testing.T, token string) {
	t.Helper()
	const query = `{"query":"{ bot(id: \"bot_1\") { id } }"}`
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/graphql", strings.NewReader(query))
	if err != nil {
		t.Error(err)
		return
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); !strings.Contains(string(text), "UNAUTHENTICATED") {
		t.Errorf("%q is a bearer token: %s", token, text)
	}
	nobody := &person{t: t, s: s.testServer}
	nobody.refresh(token).wantCode("refreshSession", "INVALID_TOKEN")
	for _, field := range []string{"verifyEmail", "confirmEmailChange", "revertEmailChange", "reactivateAccount"} {
		nobody.redeem(field, token).wantCode(field, "INVALID_TOKEN")
	}
	nobody.reset(token, freshPassword).wantCode("resetPassword", "INVALID_TOKEN")
}
