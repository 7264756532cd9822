package program

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kyrochat/auth"
	"kyrochat/internal/envtest"
	"kyrochat/kyro"
)

// refreshed refreshes a session and gives the person both new tokens; false where it was refused.
func (p *person) refreshed(refresh string) (next string, ok bool) {
	p.t.Helper()
	r := p.ask(`mutation($r: String!) { refreshSession(input: {refreshToken: $r}) { accessToken refreshToken errors { code } } }`, vars{"r": refresh})
	if len(r.list("refreshSession.errors")) > 0 {
		r.wantCode("refreshSession", "INVALID_TOKEN")
		return "", false
	}
	p.token = r.text("refreshSession.accessToken")
	return r.text("refreshSession.refreshToken"), true
}

// signInAgain starts another session of the person and gives its refresh token.
func (p *person) signInAgain() (refresh string) {
	p.t.Helper()
	r := p.must(`mutation($e: String!, $p: String!) { logIn(input: {email: $e, password: $p}) { accessToken refreshToken errors { code } } }`,
		vars{"e": p.email, "p": password})
	p.token = r.text("logIn.accessToken")
	return r.text("logIn.refreshToken")
}

// known reports whether the server takes the person's access token.
func (p *person) known() bool {
	p.t.Helper()
	r := p.ask(`{ viewer { id } }`, nil)
	if r.get("viewer") == nil {
		r.wantCode("", "UNAUTHENTICATED")
	}
	return r.get("viewer") != nil
}

// TestRotatingTheSecret goes from one secret to the next by a server that has both.
func TestRotatingTheSecret(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	with := func(secrets string) *testServer {
		return startServer(t, map[string]string{"KYRO_DATA_DIR": folder, "KYRO_SECRET": secrets})
	}
	stop := func(s *testServer) {
		t.Helper()
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
	}
	old := with(envtest.SecretOne)
	ada := old.signUp(t)
	used, unused := ada.signInAgain(), ada.signInAgain()
	oldToken := ada.token
	stop(old)

	both := with(envtest.SecretTwo + "," + envtest.SecretOne)
	ada.s = both
	if !ada.known() {
		t.Error("an access token from before is refused")
	}
	next, ok := ada.refreshed(used)
	if !ok || !ada.known() {
		t.Error("a refresh token from before is refused")
	}
	newToken := ada.token
	stop(both)

	last := with(envtest.SecretTwo)
	ada.s = last
	if ada.token = newToken; !ada.known() {
		t.Error("what was signed in the middle is refused at the end")
	}
	if _, ok := ada.refreshed(next); !ok {
		t.Error("a refresh token from the middle is refused at the end")
	}
	if ada.token = oldToken; ada.known() {
		t.Error("a secret that was taken out still verifies")
	}
	if _, ok := ada.refreshed(unused); ok {
		t.Error("a secret that was taken out still verifies refresh tokens")
	}
}

// TestASecretFileIsFollowed changes the file of a server that runs.
func TestASecretFileIsFollowed(t *testing.T) {
	t.Parallel()
	path := envtest.File(t, envtest.SecretOne+"\n", 0o600)
	s := startServer(t, map[string]string{"KYRO_SECRET_FILE": path})
	ada := s.signUp(t)
	refresh := ada.signInAgain()
	before := ada.token
	if _, err := auth.RotateSecretFile(path, auth.RotateNow, time.Now()); err != nil {
		t.Fatal(err)
	}
	secrets, err := auth.ReadSecrets(path)
	if err != nil {
		t.Fatal(err)
	}
	// What another process signs by the new secret is known here soon.
	another, err := auth.NewTokens(secrets, auth.TokenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	claims := decoded(t, strings.Split(before, ".")[1])
	user, _ := kyro.ParseID(claims["sub"].(string))
	session, _ := kyro.ParseID(claims["sid"].(string))
	if ada.token, _, err = another.Access(user, session, time.Now()); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the new secret is known", ada.known)
	if ada.token = before; !ada.known() {
		t.Error("the former secret is not known any more")
	}
	if _, ok := ada.refreshed(refresh); !ok {
		t.Error("signed out by a rotation")
	}
}

// TestTheGeneratedSecretMayBeSeveral: the file in the data folder is like any other.
func TestTheGeneratedSecretMayBeSeveral(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	first := startServer(t, map[string]string{"KYRO_DATA_DIR": folder})
	ada := first.signUp(t)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "secret")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the generated secret: %v, %v", info, err)
	}
	if _, err := auth.RotateSecretFile(path, auth.RotateNow, time.Now()); err != nil {
		t.Fatal(err)
	}
	ada.s = startServer(t, map[string]string{"KYRO_DATA_DIR": folder})
	if !ada.known() {
		t.Error("signed out by a rotation")
	}
	if secrets, err := auth.ReadSecrets(path); err != nil || len(secrets) != 2 {
		t.Errorf("%d secrets, %v", len(secrets), err)
	}
}
