package program

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/gemini"
	"kyrochat/kyro"
)

// key is the key of the person's account.
func (p *person) key() string {
	p.t.Helper()
	return strings.TrimPrefix(p.must(`{ viewer { id } }`, nil).text("viewer.id"), "user_")
}

// linked stores the token of a mail to a user, as if it had just been sent, and gives it. It is younger than that of any mail that
// is under way, and holds the user as those do that make tokens: else one of them could void what it had not seen.
func (s *testServer) linked(t *testing.T, user string, purpose kyro.TokenPurpose, email, newEmail string) string {
	t.Helper()
	token := fmt.Sprintf("%s of %s to %s", purpose, user, newEmail)
	sum := sha256.Sum256([]byte(token))
	at := func(d time.Duration) string {
		return time.Now().UTC().Add(d).Format("2006-01-02 15:04:05.000000+00:00")
	}
	held := "SELECT id FROM users WHERE id = " + user
	if s.app.pools.Postgres() {
		held += " FOR UPDATE"
	}
	s.exec(t, fmt.Sprintf(`WITH held AS (%s)
		INSERT INTO mail_tokens (hash, purpose, user_id, email, new_email, session_id, name, password_hash, created_at, expires_at)
		SELECT '%s', '%s', id, '%s', '%s', (SELECT MIN(id) FROM sessions WHERE user_id = %s), '', '', '%s', '%s' FROM held`,
		held, hex.EncodeToString(sum[:]), purpose, email, newEmail, user, at(time.Minute), at(time.Hour)))
	return token
}

// another is the person on one more device.
func (p *person) another(email, password string) *person {
	p.t.Helper()
	return &person{t: p.t, s: p.s, email: email, token: (&person{t: p.t, s: p.s}).logIn(email, password).text("logIn.accessToken")}
}

// out checks that the person is signed in no more.
func (p *person) out() {
	p.t.Helper()
	p.ask(`{ viewer { id } }`, nil).wantCode("", "UNAUTHENTICATED")
}

const freshPassword = "violet anchor harvest moon"

func TestProfileAndPassword(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		if got := p.must(`mutation { updateProfile(input: {name: " Ada Lovelace "}) { user { name } errors { code } } }`, nil).text("updateProfile.user.name"); got != "Ada Lovelace" {
			t.Errorf("the name is %q", got)
		}
		if got := p.must(`{ viewer { name } }`, nil).text("viewer.name"); got != "Ada Lovelace" {
			t.Errorf("the name is then %q", got)
		}
		null := p.ask(`mutation { updateProfile(input: {name: null}) { user { name } errors { code field } } }`, nil)
		if null.wantCode("updateProfile", "VALIDATION"); null.list("updateProfile.errors.0.field")[0] != "name" {
			t.Errorf("%s", null.body)
		}
		change := func(old, fresh string) *reply {
			return p.ask(`mutation($o: String!, $n: String!) { changePassword(input: {currentPassword: $o, newPassword: $n}) { user { email } errors { code message field } } }`, vars{"o": old, "n": fresh})
		}
		other := p.another(p.email, password)
		wrong := change("wrong horse battery", freshPassword)
		if wrong.wantCode("changePassword", "INVALID_CREDENTIALS"); wrong.list("changePassword.errors.0.field")[0] != "currentPassword" {
			t.Errorf("%s", wrong.body)
		}
		weak := change(password, password)
		if weak.wantCode("changePassword", "WEAK_PASSWORD"); weak.list("changePassword.errors.0.field")[0] != "newPassword" {
			t.Errorf("%s", weak.body)
		}
		if got := change(password, freshPassword); got.text("changePassword.user.email") != p.email {
			t.Errorf("%s", got.body)
		}
		other.out()
		p.must(`{ viewer { id } }`, nil)
		(&person{t: p.t, s: p.s}).logIn(p.email, password).wantCode("logIn", "INVALID_CREDENTIALS")
		p.another(p.email, freshPassword).must(`{ viewer { id } }`, nil)
		if n := s.number(t, "SELECT count(*) FROM letters WHERE kind = 'password-changed' AND recipient = '"+p.email+"'"); n != 1 {
			t.Errorf("%d mails tell of it", n)
		}
	})
}

func TestAddressIsChangedAndChangedBack(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		key, former, fresh := p.key(), p.email, "new-"+p.email
		request := func(password, email string) *reply {
			return p.ask(`mutation($p: String!, $e: String!) { requestEmailChange(input: {password: $p, newEmail: $e}) { accepted errors { code message field } } }`, vars{"p": password, "e": email})
		}
		request("wrong horse battery", fresh).wantCode("requestEmailChange", "INVALID_CREDENTIALS")
		request(password, former).wantCode("requestEmailChange", "VALIDATION")
		taken := s.signUp(t).email
		if free, used := request(password, fresh), request(password, taken); string(free.body) != string(used.body) || free.get("requestEmailChange.accepted") != true {
			t.Errorf("free and taken addresses are told apart:\n%s\n%s", free.body, used.body)
		}
		if got := p.must(`{ viewer { email } }`, nil).text("viewer.email"); got != former {
			t.Errorf("the address is %s before it is confirmed", got)
		}
		confirm := func(token string) *reply {
			return (&person{t: t, s: s}).ask(`mutation($t: String!) { confirmEmailChange(input: {token: $t}) { accepted errors { code message field } } }`, vars{"t": token})
		}
		other := p.another(former, password)
		lost := s.linked(t, key, kyro.TokenChangeEmail, former, taken)
		confirm(lost).wantCode("confirmEmailChange", "EMAIL_TAKEN")
		link := s.linked(t, key, kyro.TokenChangeEmail, former, fresh)
		confirm("nonsense").wantCode("confirmEmailChange", "INVALID_TOKEN")
		if got := confirm(link); got.get("confirmEmailChange.accepted") != true {
			t.Fatalf("%s", got.body)
		}
		confirm(link).wantCode("confirmEmailChange", "INVALID_TOKEN")
		confirm(lost).wantCode("confirmEmailChange", "INVALID_TOKEN")
		other.out()
		if r := p.must(`{ viewer { email emailVerified } }`, nil); r.text("viewer.email") != fresh || r.get("viewer.emailVerified") != true {
			t.Errorf("%s", r.body)
		}
		(&person{t: p.t, s: p.s}).logIn(former, password).wantCode("logIn", "INVALID_CREDENTIALS")

		// Whoever did that may not be the owner: the owner of the old address takes it back. Meanwhile nobody else gets it.
		squatter := (&person{t: t, s: s}).ask(`mutation($e: String!, $p: String!) { registerUser(input: {email: $e, password: $p, name: "Eve"}) { errors { code } } }`, vars{"e": former, "p": password})
		squatter.wantCode("registerUser", "EMAIL_TAKEN")
		revert := func(token string) *reply {
			return (&person{t: t, s: s}).ask(`mutation($t: String!) { revertEmailChange(input: {token: $t}) { accepted errors { code message field } } }`, vars{"t": token})
		}
		back := s.linked(t, key, kyro.TokenRevertEmail, fresh, former)
		confirm(back).wantCode("confirmEmailChange", "INVALID_TOKEN")
		if got := revert(back); got.get("revertEmailChange.accepted") != true {
			t.Fatalf("%s", got.body)
		}
		revert(back).wantCode("revertEmailChange", "INVALID_TOKEN")
		p.out()
		// Whoever changed the address knew the password: the mail about it brings a link for another one.
		reset := s.linked(t, key, kyro.TokenResetPassword, former, "")
		(&person{t: t, s: s}).must(`mutation($t: String!, $p: String!) { resetPassword(input: {token: $t, newPassword: $p}) { accepted errors { code message } } }`,
			vars{"t": reset, "p": freshPassword})
		p = p.another(former, freshPassword)
		request(freshPassword, fresh).wantCode("requestEmailChange", "CONFLICT")
		if n := s.number(t, "SELECT count(*) FROM letters WHERE kind = 'email-reverted' AND recipient = '"+former+"'"); n != 1 {
			t.Errorf("%d mails tell of it", n)
		}
	})
}

// TestAccountsAreDeactivatedAndDeleted takes an account out of use in the middle of its work, back, and out of use until
// nothing is left of it: not in the database, not in the index, not on the disk.
func TestAccountsAreDeactivatedAndDeleted(t *testing.T) {
	eachOutside(t, func(t *testing.T, o *outside, env map[string]string) {
		s := startServer(t, env)
		neighbour := s.signUp(t)
		neighbour.know(neighbour.newBot(), "Hearsay", "The planted harbour has four cranes.")
		p := s.signUp(t)
		key := p.key()
		bot := p.must(`mutation { createBot(input: {name: "planted bot", instructions: "planted"}) { bot { id } errors { code message } } }`, nil).text("createBot.bot.id")
		own := p.know(bot, "planted title", "The planted harbour has four cranes. The planted pier is made of oak.")
		file := p.upload(bot, "planted.txt", []byte("The planted lighthouse was built by nuns.")).text("uploadDocument.document.id")
		if status := p.settled(file); status != "READY" {
			t.Fatalf("the document is %s", status)
		}
		if n := len(o.of(own)) + len(o.of(file)); n == 0 {
			t.Fatal("nothing is in the index")
		}
		folder := filepath.Join(env["KYRO_DATA_DIR"], "files", strings.TrimPrefix(file, "doc_"))
		if _, err := os.Stat(folder); env["DATABASE_URL"] == "" && err != nil {
			t.Fatal(err)
		}

		// An answer is being written, another waits, and a document waits for the model.
		o.gemini.Script(
			gemini.Script{Kind: gemini.KindAnswer, Match: "planted question", Pieces: []string{"The planted harbour ", "has "}, After: 2, Then: gemini.Stall},
			gemini.Script{Kind: gemini.KindEmbed, Match: "planted island", Status: 429, RetryAfter: time.Hour},
		)
		talk := p.newTalk(bot)
		answers := p.sayAll(talk, "A planted question about cranes?", "And another planted question?")
		_ = p.follow(`subscription($m: ID!) { messageStream(messageId: $m) { __typename ... on MessageDelta { text } ... on MessageSnapshot { text } } }`, vars{"m": answers[0]}, func(e *reply) bool {
			text, _ := e.get("messageStream").(map[string]any)["text"].(string)
			return !strings.Contains(text, "has")
		})
		island := p.must(`mutation($b: ID!) { addTextDocument(input: {botId: $b, title: "Island", text: "A planted island."}) { document { id } errors { code } } }`, vars{"b": bot}).text("addTextDocument.document.id")

		deactivate := func(password string) *reply {
			return p.ask(`mutation($p: String!) { deactivateAccount(input: {password: $p}) { accepted errors { code message field } } }`, vars{"p": password})
		}
		deactivate("wrong horse battery").wantCode("deactivateAccount", "INVALID_CREDENTIALS")
		if got := deactivate(password); got.get("deactivateAccount.accepted") != true {
			t.Fatalf("%s", got.body)
		}
		p.out()
		(&person{t: p.t, s: p.s}).logIn(p.email, password).wantCode("logIn", "INVALID_CREDENTIALS")
		reactivate := func(token string) *reply {
			return (&person{t: t, s: s}).ask(`mutation($t: String!) { reactivateAccount(input: {token: $t}) { accepted errors { code message field } } }`, vars{"t": token})
		}
		link := s.linked(t, key, kyro.TokenReactivate, p.email, "")
		if got := reactivate(link); got.get("reactivateAccount.accepted") != true {
			t.Fatalf("%s", got.body)
		}
		reactivate(link).wantCode("reactivateAccount", "INVALID_TOKEN")
		p.out()
		p = p.another(p.email, password)
		message := func(id string) *reply {
			return p.must(`query($m: ID!) { node(id: $m) { ... on Message { status text finishReason } } }`, vars{"m": id})
		}
		waitUntil(t, "the answer that was being written is stopped", func() bool { return message(answers[0]).text("node.status") == "STOPPED" })
		if r := message(answers[0]); r.text("node.text") != "The planted harbour has " && r.text("node.text") != "The planted harbour has" || r.text("node.finishReason") != "STOPPED_BY_USER" {
			t.Errorf("what was written is not kept: %s", r.body)
		}
		if r := message(answers[1]); r.text("node.status") != "STOPPED" || r.text("node.text") != "" {
			t.Errorf("the answer that waited: %s", r.body)
		}
		if status := p.settled(island); status != "CANCELED" {
			t.Errorf("the document that was being processed is %s", status)
		}

		// Once more, and its time goes by.
		if got := deactivate(password); got.get("deactivateAccount.accepted") != true {
			t.Fatalf("%s", got.body)
		}
		if err := s.app.accounts.SweepUsers(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := s.number(t, "SELECT count(*) FROM users WHERE purge_began_at IS NOT NULL"); n != 0 {
			t.Fatal("it is deleted too early")
		}
		link = s.linked(t, key, kyro.TokenReactivate, p.email, "again")
		s.exec(t, "UPDATE users SET purge_after = '2026-01-01 00:00:00+00:00' WHERE id = "+key)
		if err := s.app.accounts.SweepUsers(t.Context()); err != nil {
			t.Fatal(err)
		}
		reactivate(link).wantCode("reactivateAccount", "INVALID_TOKEN")
		waitUntil(t, "the account is deleted", func() bool { return s.number(t, "SELECT count(*) FROM users WHERE id = "+key) == 0 })
		for _, left := range []string{
			"documents WHERE owner_id = " + key, "bots WHERE owner_id = " + key, "conversations WHERE user_id = " + key, "sessions WHERE user_id = " + key,
			"letters WHERE user_id = " + key, "mail_tokens WHERE user_id = " + key, `audit_log WHERE device <> '["",""]' AND user_id = ` + key,
			"document_texts WHERE body LIKE '%oak%'", "chunks WHERE text LIKE '%oak%'",
		} {
			if n := s.number(t, "SELECT count(*) FROM "+left); n != 0 {
				t.Errorf("%d rows are left of %s", n, left)
			}
		}
		if n := s.number(t, "SELECT count(*) FROM audit_log WHERE action = 'PURGED' AND user_id = "+key); n != 1 {
			t.Errorf("%d lines tell of it", n)
		}
		for _, document := range []string{own, file} {
			if left := o.of(document); len(left) > 0 {
				t.Errorf("%d vectors of %s are left", len(left), document)
			}
		}
		if _, err := os.Stat(folder); !os.IsNotExist(err) {
			t.Errorf("the file is left: %v", err)
		}
		if n := s.number(t, "SELECT count(*) FROM chunks"); n != 1 {
			t.Errorf("%d chunks of the neighbour", n)
		}
		(&person{t: p.t, s: p.s}).logIn(p.email, password).wantCode("logIn", "INVALID_CREDENTIALS")
	})
}
