package store_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"kyrochat/account"
	"kyrochat/kyro"
	"kyrochat/store"
)

var _ account.AdminStore = (*store.Store)(nil)

func deed(action kyro.AuditAction) kyro.AuditEntry {
	return kyro.AuditEntry{At: start, Action: action, Succeeded: true, Actor: kyro.ActorAdmin, Detail: "by tester"}
}

// apiKey makes a key of the user past the API.
func (w *world) apiKey(t testing.TB, user kyro.ID, id int, used string) {
	t.Helper()
	w.exec(t, fmt.Sprintf(`INSERT INTO api_keys (id, user_id, name, prefix, secret_hash, scopes, networks, created_at, last_used_at)
		VALUES (%d, %d, 'k', 'p', 'h%d', '[]', '[]', '2026-11-22 10:00:00+00:00', %s)`, id, user.Key, id, used))
}

func TestAccountsAreCounted(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, other := w.user(t), w.user(t)
		bot, gone := w.bot(t, user, "One", start), w.bot(t, user, "Two", start)
		for i, b := range []kyro.ID{bot, bot, gone} {
			w.document(t, b, user, i+1)
		}
		w.exec(t, "UPDATE bots SET deleted_at = created_at WHERE name = 'Two'")
		w.apiKey(t, user, 1, "'2026-11-22 12:00:00+00:00'")
		w.apiKey(t, user, 2, "NULL")
		w.exec(t, "UPDATE api_keys SET revoked_at = created_at WHERE id = 2")
		second, _, err := w.CreateSession(t.Context(), aSession(user, start.Add(time.Hour)), 20)
		fine(t, err)
		fine(t, w.RevokeSession(t.Context(), user, second.ID, start.Add(time.Hour)))

		used := start.Add(2 * time.Hour)
		want := kyro.Account{
			User:        kyro.User{ID: user, Email: "u1@example.com", Name: "Ann", CreatedAt: start},
			HasPassword: true, LastUsedAt: &used, Sessions: 1, APIKeys: 1, Bots: 1, Documents: 2,
		}
		got, err := w.Account(t.Context(), user, used)
		fine(t, err)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("read %+v, want %+v", got, want)
		}
		got, err = w.AccountByEmail(t.Context(), "u2@example.com", used)
		fine(t, err)
		if got.ID != other || got.LastUsedAt == nil || *got.LastUsedAt != start || got.Bots != 0 || got.APIKeys != 0 {
			t.Errorf("read %+v", got)
		}
		_, err = w.Account(t.Context(), kyro.UserID(99999), used)
		wantCode(t, err, kyro.CodeNotFound)
		_, err = w.AccountByEmail(t.Context(), "no@example.com", used)
		wantCode(t, err, kyro.CodeNotFound)
	})
}

func TestAccountsComeInPages(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		var all []kyro.ID
		for range 7 {
			all = append(all, w.user(t))
		}
		w.exec(t, "UPDATE users SET name = 'Élodie' WHERE email = 'u3@example.com'")
		w.exec(t, "UPDATE users SET deactivated_at = created_at, name = 'elODIE 50%_' WHERE email = 'u6@example.com'")
		list := func(want kyro.AccountQuery) (found []kyro.ID) {
			t.Helper()
			for {
				before := w.statements.Load()
				page, err := w.Accounts(t.Context(), want, start)
				fine(t, err)
				if n := w.statements.Load() - before; want.Search == "" && n != 1 {
					t.Errorf("a page takes %d statements", n)
				}
				for _, a := range page {
					found = append(found, a.ID)
				}
				if len(page) < want.Limit {
					return found
				}
				want.After = page[len(page)-1].ID
			}
		}
		for name, c := range map[string]struct {
			query kyro.AccountQuery
			want  []kyro.ID
		}{
			"all":                 {kyro.AccountQuery{}, all},
			"deactivated":         {kyro.AccountQuery{Deactivated: true}, all[5:6]},
			"name":                {kyro.AccountQuery{Search: "ÉLOD"}, []kyro.ID{all[2], all[5]}},
			"address":             {kyro.AccountQuery{Search: "U5@ex"}, all[4:5]},
			"wildcards":           {kyro.AccountQuery{Search: "50%_"}, all[5:6]},
			"search, deactivated": {kyro.AccountQuery{Search: "elodie", Deactivated: true}, all[5:6]},
			"nobody":              {kyro.AccountQuery{Search: "zzz"}, nil},
		} {
			for _, c.query.Limit = range []int{1, 2, 3, 50} {
				if got := list(c.query); !slices.Equal(got, c.want) {
					t.Errorf("%s by %d: %v, want %v", name, c.query.Limit, got, c.want)
				}
			}
		}
	})
}

func TestUsersAreAddedWithoutASession(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		w.exec(t, `INSERT INTO mail_tokens (hash, purpose, email, new_email, name, password_hash, created_at, expires_at)
			VALUES ('registration', 'verify-email', 'new@example.com', '', '', '', '2026-11-22 10:00:00+00:00', '2026-11-23 10:00:00+00:00')`)
		token := kyro.MailToken{Hash: "h", Purpose: kyro.TokenResetPassword, Email: "new@example.com", CreatedAt: start, ExpiresAt: start.Add(time.Hour)}
		made, err := w.AddUser(t.Context(), kyro.NewUser{Email: "new@example.com", Name: "New", EmailVerified: true, CreatedAt: start},
			[]kyro.Letter{{Kind: kyro.LetterPasswordReset, To: "new@example.com", Seed: "s", CreatedAt: start}}, []kyro.MailToken{token},
			deed(kyro.AuditSignedUp))
		fine(t, err)
		got, err := w.Account(t.Context(), made.ID, start)
		fine(t, err)
		if want := (kyro.Account{User: made}); !reflect.DeepEqual(got, want) || !made.EmailVerified {
			t.Errorf("made %+v, want %+v", got, want)
		}
		for query, want := range map[string]int{
			"SELECT count(*) FROM sessions":                                                                   0,
			fmt.Sprintf("SELECT count(*) FROM letters WHERE user_id = %d", made.ID.Key):                       1,
			fmt.Sprintf("SELECT count(*) FROM mail_tokens WHERE user_id = %d AND hash = 'h'", made.ID.Key):    1,
			"SELECT count(*) FROM mail_tokens WHERE hash = 'registration' AND voided_at IS NULL":              0,
			"SELECT count(*) FROM test_jobs WHERE kind = 'mail'":                                              1,
			fmt.Sprintf("SELECT count(*) FROM audit_log WHERE user_id = %d AND actor = 'ADMIN'", made.ID.Key): 1,
		} {
			if n := w.number(t, query); n != want {
				t.Errorf("%s: %d, want %d", query, n, want)
			}
		}
		_, err = w.AddUser(t.Context(), kyro.NewUser{Email: "new@example.com", Name: "New", CreatedAt: start}, nil, nil, deed(kyro.AuditSignedUp))
		wantCode(t, err, kyro.CodeEmailTaken)
		if n := w.number(t, "SELECT count(*) FROM audit_log"); n != 1 {
			t.Errorf("%d lines of the audit log after a refusal", n)
		}
	})
}

func TestAnOverwrittenPasswordEndsEverything(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, other := w.user(t), w.user(t)
		w.apiKey(t, user, 1, "NULL")
		w.exec(t, fmt.Sprintf(`INSERT INTO mail_tokens (hash, purpose, user_id, email, new_email, name, password_hash, created_at, expires_at)
			VALUES ('h', 'reset-password', %d, 'u1@example.com', '', '', '', '2026-11-22 10:00:00+00:00', '2026-11-23 10:00:00+00:00')`, user.Key))
		now := start.Add(time.Hour)
		ended, err := w.OverwritePassword(t.Context(), user, "new", now, []kyro.Letter{{Kind: kyro.LetterPasswordChanged, To: "u1@example.com", CreatedAt: now}},
			deed(kyro.AuditPasswordChanged))
		fine(t, err)
		account, err := w.Account(t.Context(), user, now)
		fine(t, err)
		if len(ended) != 1 || ended[0].Kind != kyro.KindSession || account.Sessions != 0 || account.APIKeys != 1 {
			t.Errorf("ended %v, and left %+v", ended, account)
		}
		known, err := w.CredentialsByEmail(t.Context(), "u1@example.com")
		fine(t, err)
		if known.PasswordHash != "new" {
			t.Errorf("the hash is %q", known.PasswordHash)
		}
		if n := w.number(t, "SELECT count(*) FROM mail_tokens WHERE voided_at IS NULL"); n != 0 {
			t.Error("a reset link that was mailed before is still good")
		}
		if n := w.number(t, "SELECT count(*) FROM users WHERE password_changed_at IS NOT NULL"); n != 1 {
			t.Errorf("%d users have a time of their password", n)
		}
		if n := w.number(t, "SELECT count(*) FROM test_jobs WHERE kind = 'mail'"); n != 1 {
			t.Errorf("%d mails", n)
		}

		ended, err = w.EndAccess(t.Context(), user, false, now, deed(kyro.AuditSessionsRevoked))
		fine(t, err)
		if len(ended) != 0 {
			t.Errorf("ended %v once more", ended)
		}
		ended, err = w.EndAccess(t.Context(), user, true, now, deed(kyro.AuditSessionsRevoked))
		fine(t, err)
		if !slices.Equal(ended, []kyro.ID{kyro.APIKeyID(1)}) {
			t.Errorf("ended %v, want the API key", ended)
		}
		if account, err = w.Account(t.Context(), other, now); err != nil || account.Sessions != 1 {
			t.Errorf("another's account: %+v, %v", account, err)
		}
		_, err = w.OverwritePassword(t.Context(), kyro.UserID(99999), "new", now, nil, deed(kyro.AuditPasswordChanged))
		wantCode(t, err, kyro.CodeNotFound)
		_, err = w.EndAccess(t.Context(), kyro.UserID(99999), true, now, deed(kyro.AuditSessionsRevoked))
		wantCode(t, err, kyro.CodeNotFound)
		if n := w.number(t, "SELECT count(*) FROM audit_log"); n != 3 {
			t.Errorf("%d lines of the audit log, want 3", n)
		}
	})
}

func TestOnlyDeactivatedAccountsArePurged(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user := w.user(t)
		wantCode(t, w.PurgeNow(t.Context(), user, start, deed(kyro.AuditPurged)), kyro.CodeConflict)
		_, err := w.Deactivate(t.Context(), user, nil, start, nil, deed(kyro.AuditDeactivated))
		fine(t, err)
		account, err := w.Account(t.Context(), user, start)
		fine(t, err)
		if account.DeactivatedAt == nil || account.PurgeAfter != nil || account.Sessions != 0 {
			t.Errorf("deactivated, it is %+v", account)
		}
		fine(t, w.PurgeNow(t.Context(), user, start.Add(time.Hour), deed(kyro.AuditPurged)))
		if n := w.number(t, fmt.Sprintf("SELECT count(*) FROM test_jobs WHERE kind = 'purge-user' AND job_key = %d", user.Key)); n != 1 {
			t.Errorf("%d jobs", n)
		}
		account, err = w.Account(t.Context(), user, start)
		fine(t, err)
		if account.PurgeAfter == nil || account.PurgeAfter.After(start.Add(time.Hour)) {
			t.Errorf("it is to be deleted after %v", account.PurgeAfter)
		}
		wantCode(t, w.PurgeNow(t.Context(), kyro.UserID(99999), start, deed(kyro.AuditPurged)), kyro.CodeNotFound)
	})
}

func TestAuditLinesOfEverybody(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		var all []kyro.AuditEntry
		for i := range 6 {
			e := kyro.AuditEntry{
				At: start.Add(time.Duration(i) * time.Minute), UserID: kyro.UserID(int64(1 + i%2)), Action: kyro.AuditLoggedIn, Succeeded: i != 3,
				Actor: kyro.ActorUser, By: kyro.SessionID(7), Target: kyro.SessionID(8), RequestID: "r", Detail: "d",
				Device: kyro.Device{UserAgent: "Browser", AddressPrefix: "192.0.2.0/24"},
			}
			if i == 5 {
				e.UserID, e.By, e.Target, e.Action, e.Device = kyro.ID{}, kyro.ID{}, kyro.ID{}, kyro.AuditLimitHit, kyro.Device{}
			}
			fine(t, w.Record(t.Context(), e))
			e.ID = kyro.AuditID(int64(i + 1))
			all = append(all, e)
		}
		slices.Reverse(all)
		for name, c := range map[string]struct {
			query kyro.AuditQuery
			want  []kyro.AuditEntry
		}{
			"all":    {kyro.AuditQuery{Limit: 10}, all},
			"first":  {kyro.AuditQuery{Limit: 2}, all[:2]},
			"second": {kyro.AuditQuery{Limit: 2, Before: all[1].ID}, all[2:4]},
			"user":   {kyro.AuditQuery{Limit: 10, UserID: kyro.UserID(2)}, []kyro.AuditEntry{all[2], all[4]}},
			"action": {kyro.AuditQuery{Limit: 10, Action: kyro.AuditLimitHit}, all[:1]},
			"since":  {kyro.AuditQuery{Limit: 10, Since: all[2].At}, all[:3]},
		} {
			got, err := w.AuditLines(t.Context(), c.query)
			fine(t, err)
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s: %+v\nwant %+v", name, got, c.want)
			}
		}
	})
}

func TestBesideAnotherProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, err := store.Open(t.Context(), store.Config{DataDir: dir})
	fine(t, err)
	defer server.Close()
	admin, err := store.Open(t.Context(), store.Config{DataDir: dir, Beside: true})
	fine(t, err)
	defer admin.Close()
	if !server.Alone() || admin.Alone() {
		t.Errorf("alone: %v and %v", server.Alone(), admin.Alone())
	}
	schema := func(want store.Schema) {
		t.Helper()
		if got, err := admin.Schema(t.Context()); err != nil || got != want {
			t.Errorf("the schema is %v (%v), want %v", got, err, want)
		}
	}
	schema(store.SchemaNone)
	fine(t, server.Migrate(t.Context(), nil))
	schema(store.SchemaCurrent)
	one, other := store.New(server, rowQueue{}), store.New(admin, rowQueue{})
	for i, s := range []*store.Store{one, other, one, other} {
		_, err := s.AddUser(t.Context(), kyro.NewUser{Email: fmt.Sprintf("u%d@example.com", i), Name: "U", CreatedAt: start}, nil, nil, deed(kyro.AuditSignedUp))
		fine(t, err)
	}
	for _, s := range []*store.Store{one, other} {
		if list, err := s.Accounts(t.Context(), kyro.AccountQuery{Limit: 10}, start); err != nil || len(list) != 4 {
			t.Errorf("one sees %d accounts, %v", len(list), err)
		}
	}
	_, err = server.SQLite.ExecContext(t.Context(), "DELETE FROM bun_migrations WHERE id = (SELECT max(id) FROM bun_migrations)")
	fine(t, err)
	schema(store.SchemaOlder)
}

func TestAloneUntilShared(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	admin, err := store.Open(t.Context(), store.Config{DataDir: dir, Beside: true})
	fine(t, err)
	defer admin.Close()
	if _, err := store.Open(t.Context(), store.Config{DataDir: dir}); err == nil || !admin.Alone() {
		t.Errorf("alone: %v, and another opening gives %v", admin.Alone(), err)
	}
	fine(t, admin.Migrate(t.Context(), nil))
	fine(t, admin.Share())
	server, err := store.Open(t.Context(), store.Config{DataDir: dir})
	fine(t, err)
	defer server.Close()
	if admin.Alone() {
		t.Error("both are alone")
	}
}
