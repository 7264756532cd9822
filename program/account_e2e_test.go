package program

import (
	"strings"
	"testing"
	"time"
)

const authFields = `{ user { id email name emailVerified createdAt } accessToken accessTokenExpiresAt refreshToken errors { code message field } }`

func TestAccounts(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		nobody := &person{t: t, s: s}
		if got := nobody.must(`{ viewer { id } }`, nil).get("viewer"); got != nil {
			t.Errorf("nobody is %v", got)
		}
		register := func(email, password, name string) *reply {
			return nobody.ask(`mutation($e: String!, $p: String!, $n: String!) { registerUser(input: {email: $e, password: $p, name: $n}) `+authFields+` }`,
				vars{"e": email, "p": password, "n": name})
		}
		logIn := func(email, password string) *reply {
			return nobody.ask(`mutation($e: String!, $p: String!) { logIn(input: {email: $e, password: $p}) `+authFields+` }`, vars{"e": email, "p": password})
		}
		refresh := func(token string) *reply {
			return nobody.ask(`mutation($t: String!) { refreshSession(input: {refreshToken: $t}) `+authFields+` }`, vars{"t": token})
		}

		first := register("Ada@Example.com", password, " Ada ")
		if first.text("registerUser.user.email") != "ada@example.com" || first.text("registerUser.user.name") != "Ada" {
			t.Errorf("the account: %s", first.body)
		}
		if until, err := time.Parse(time.RFC3339Nano, first.text("registerUser.accessTokenExpiresAt")); err != nil || time.Until(until) > 11*time.Minute {
			t.Errorf("the access token is good until %v", until)
		}
		register("ADA@example.com", password, "Eve").wantCode("registerUser", "EMAIL_TAKEN")
		register("not an address", password, "Eve").wantCode("registerUser", "VALIDATION")
		register("eve@example.com", "short", "Eve").wantCode("registerUser", "WEAK_PASSWORD")
		register("eve@example.com", password, " ").wantCode("registerUser", "VALIDATION")

		wrong, unknown := logIn("ada@example.com", "wrong horse battery"), logIn("eve@example.com", password)
		wrong.wantCode("logIn", "INVALID_CREDENTIALS")
		if string(wrong.body) != string(unknown.body) {
			t.Errorf("a wrong password and an unknown address are told apart:\n%s\n%s", wrong.body, unknown.body)
		}
		in := logIn("ada@EXAMPLE.com", password)
		ada := &person{t: t, s: s, token: in.text("logIn.accessToken")}
		if ada.must(`{ viewer { email } }`, nil).text("viewer.email") != "ada@example.com" {
			t.Error("the viewer is somebody else")
		}

		// Rotation: the former token gives the same next one for a moment, an older one ends the session.
		old := in.text("logIn.refreshToken")
		second := refresh(old).text("refreshSession.refreshToken")
		if again := refresh(old).text("refreshSession.refreshToken"); again != second {
			t.Error("the same refresh token gave two next ones")
		}
		third := refresh(second).text("refreshSession.refreshToken")
		refresh(old).wantCode("refreshSession", "INVALID_TOKEN")
		refresh(third).wantCode("refreshSession", "INVALID_TOKEN")
		ada.ask(`{ viewer { id } }`, nil).wantCode("", "UNAUTHENTICATED")
		for _, rubbish := range []string{"", "kyr_rt_", "x", third + "x", strings.ToUpper(third)} {
			refresh(rubbish).wantCode("refreshSession", "INVALID_TOKEN")
		}

		// Leaving: the token is of no more use at once, and leaving again does no harm.
		ada.token = logIn("ada@example.com", password).text("logIn.accessToken")
		if out := ada.must(`mutation { logOut { loggedOut errors { code } } }`, nil); out.get("logOut.loggedOut") != true {
			t.Errorf("%s", out.body)
		}
		ada.ask(`{ viewer { id } }`, nil).wantCode("", "UNAUTHENTICATED")
		if out := nobody.must(`mutation { logOut { loggedOut errors { code } } }`, nil); out.get("logOut.loggedOut") != false {
			t.Errorf("%s", out.body)
		}
		// A stale token does not keep anybody from signing in.
		if got := ada.ask(`mutation($e: String!, $p: String!) { logIn(input: {email: $e, password: $p}) { accessToken errors { code } } }`,
			vars{"e": "ada@example.com", "p": password}).get("logIn.accessToken"); got == nil {
			t.Error("a stale token keeps its owner out")
		}
	})
}

func TestAccessTokensEnd(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_ACCESS_TOKEN_TTL": "1s"})
	s.signUp(t).untilRefused()
}

func TestSignUpCanBeClosed(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_SIGNUP": "closed"})
	nobody := &person{t: t, s: s}
	nobody.ask(`mutation { registerUser(input: {email: "a@b.io", password: "correct horse battery", name: "A"}) { errors { code } } }`, nil).wantCode("", "FORBIDDEN")
	if got := nobody.must(`{ serverInfo { signUp } }`, nil).text("serverInfo.signUp"); got != "CLOSED" {
		t.Errorf("serverInfo.signUp is %s", got)
	}
}

func TestServerInfo(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		r := (&person{t: t, s: s}).must(`{ serverInfo { version environment signUp answers { provider model } embeddings { provider model }
			vectors database live limits { maxUploadBytes maxTextChars maxMessageChars maxPageSize acceptedTypes } } }`, nil)
		if r.text("serverInfo.answers.model") != "kyro-extractive-1" || r.text("serverInfo.answers.provider") != "offline" {
			t.Errorf("%s", r.body)
		}
		if want := pick(s.env["DATABASE_URL"] == "", "sqlite", "postgresql"); r.text("serverInfo.database") != want {
			t.Errorf("%s", r.body)
		}
		if r.number("serverInfo.limits.maxUploadBytes") != 32<<20 || len(r.list("serverInfo.limits.acceptedTypes")) != 9 {
			t.Errorf("%s", r.body)
		}
	})
}
