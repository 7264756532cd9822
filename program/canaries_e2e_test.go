package program

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"kyrochat/internal/gemini"
	"kyrochat/internal/pinecone"
	"kyrochat/internal/smtp"
	"kyrochat/internal/testdb"
)

// The secrets of the settings. The passwords of people are below.
const (
	canarySMTP     = "smtpCanary0Vw8qLr3ZtYb6"
	canaryRedis    = "redisCanary1Vw8qLr3ZtYb6"
	canaryDatabase = "databaseCanary2Vw8qLr3ZtYb6"
	canaryGemini   = "geminiCanary3Vw8qLr3ZtYb6pQ"
	canaryPinecone = "pineconeCanary4Vw8qLr3ZtYb6"
	canarySecret   = "secretCanary5Vw8qLr3ZtYb6xGf2Hm9Kd"
	canaryFormer   = "formerCanary6Vw8qLr3ZtYb6xGf2Hm9Kd"
)

// canaryServer is a server with all there is to be secret, which logs all it can.
type canaryServer struct {
	mailed
	gemini  *gemini.Emulator
	spans   *tracetest.InMemoryExporter
	log     bytes.Buffer
	logging sync.Mutex
	planted map[string]string // what each secret is, by what it is for
	t       *testing.T
}

func (s *canaryServer) Write(line []byte) (int, error) {
	s.logging.Lock()
	defer s.logging.Unlock()
	return s.log.Write(line)
}

func startWithCanaries(t *testing.T, database string) *canaryServer {
	t.Helper()
	mails := smtp.Start(t, smtp.Options{User: "kyro", Password: canarySMTP})
	model := gemini.Start(t, gemini.Options{Key: canaryGemini})
	index, err := pinecone.Start(pinecone.Options{APIKey: canaryPinecone})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = index.Close() })
	redis := testdb.Redis(t)
	withPassword(t, strings.TrimPrefix(redis.URL, "redis://"), canaryRedis)
	if database != "" {
		parsed, err := url.Parse(database)
		if err != nil {
			t.Fatal(err)
		}
		parsed.User = url.UserPassword(parsed.User.Username(), canaryDatabase)
		database = parsed.String()
	}
	s := &canaryServer{t: t, planted: map[string]string{
		"SMTP_URL": canarySMTP, "REDIS_URL": canaryRedis, "GEMINI_API_KEY": canaryGemini, "PINECONE_API_KEY": canaryPinecone,
		"KYRO_SECRET": canarySecret, "the former KYRO_SECRET": canaryFormer,
	}}
	if database != "" {
		s.planted["DATABASE_URL"] = canaryDatabase
	}
	s.mails, s.gemini = mails, model
	s.spans = tracetest.NewInMemoryExporter()
	s.testServer = startServerWith(t, map[string]string{
		"DATABASE_URL": database, "REDIS_URL": strings.Replace(redis.URL, "redis://", "redis://:"+canaryRedis+"@", 1), "SMTP_URL": mails.URL(),
		"KYRO_MAIL_FROM": "kyro@example.com", "KYRO_PUBLIC_URL": "https://chat.example.com", "KYRO_SECRET": canarySecret + "," + canaryFormer,
		"GEMINI_API_KEY": model.Key, "KYRO_GEMINI_URL": model.URL, "PINECONE_API_KEY": index.APIKey, "KYRO_PINECONE_INDEX": index.Index,
		"KYRO_PINECONE_CONTROL_URL": index.ControlURL, "KYRO_LOG_LEVEL": "debug", "KYRO_SIGNUP": "verified", "KYRO_COOKIES": "true",
		"KYRO_ALLOWED_ORIGINS": appOrigin,
	}, s, hooks{spans: s.spans})
	return s
}

// withPassword has a Redis want a password from now on.
func withPassword(t *testing.T, address, password string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer := make([]byte, 5)
	if _, err = fmt.Fprintf(conn, "CONFIG SET requirepass %s\r\n", password); err == nil {
		_, err = io.ReadFull(conn, answer)
	}
	if err != nil || string(answer) != "+OK\r\n" {
		t.Fatalf("a password for Redis: %q, %v", answer, err)
	}
}

// plant notes a secret, and gives it.
func (s *canaryServer) plant(what, secret string) string {
	s.t.Helper()
	if len(secret) < 12 {
		s.t.Fatalf("%s is %q, which could be found anywhere", what, secret)
	}
	s.planted[what] = secret
	return secret
}

// plantSession notes the tokens of an answer.
func (s *canaryServer) plantSession(what string, r *reply, field string) (access, refresh string) {
	r.t.Helper()
	return s.plant("access token of "+what, r.text(field+".accessToken")), s.plant("refresh token of "+what, r.text(field+".refreshToken"))
}

// live has people use everything that has a secret, right and wrong, and gives links of all kinds that nobody has opened,
// by what they are for. What was said to those who did something wrong is in said.
func (s *canaryServer) live(t *testing.T, said *bytes.Buffer) (links map[string]string, refresh string) {
	t.Helper()
	const ada, bob, cy = "ada@example.com", "bob@example.com", "cy@example.com"
	nobody := &person{t: t, s: s.testServer}
	links = map[string]string{}
	mail := func(to string, n int, subject, purpose string) string {
		t.Helper()
		token := s.plant(fmt.Sprintf("link %d to %s, %s", n, to, purpose), s.mail(t, to, n, subject).Token())
		links[purpose] = token
		return token
	}
	first, second := s.plant("password of ada", "seven umbrellas in a boat"), s.plant("changed password of ada", "violet anchor harvest moon")
	third, bobs := s.plant("reset password of ada", "marble lantern under snow"), s.plant("password of bob", "copper kettle on the moor")
	cys, wrong := s.plant("password of a registration", "twelve herons over a mill"), s.plant("password that is wrong", "an elephant of no account")

	s.mails.Script(smtp.Script{At: smtp.StepSignIn, Code: 535, Times: 1, Message: canarySMTP}, smtp.Script{At: smtp.StepTo, Code: 451, Times: 1, Message: "not yet, " + ada})
	for email, password := range map[string]string{ada: first, bob: bobs, cy: cys} {
		nobody.register(email, password)
	}
	nobody.verify(mail(ada, 1, signingUp, "verify-email")).wantAccepted("verifyEmail")
	nobody.verify(mail(bob, 1, signingUp, "verify-email")).wantAccepted("verifyEmail")
	mail(cy, 1, signingUp, "verify-email") // who leaves it at that
	in := nobody.must(`mutation($e: String!, $p: String!) { logIn(input: {email: $e, password: $p}) { accessToken refreshToken deviceToken errors { code } } }`, vars{"e": ada, "p": first})
	p := &person{t: t, s: s.testServer, email: ada}
	p.token, refresh = s.plantSession("ada", in, "logIn")
	device := s.plant("device token", in.text("logIn.deviceToken"))
	p.token, _ = s.plantSession("ada, refreshed", p.refresh(refresh), "refreshSession")

	// Keys, of which one is used and one is revoked; a bot that reads and answers, by way of the upstreams.
	made := p.must(newKeyMutation, vars{"n": "Robot", "s": []string{"READ", "CHAT"}, "p": first})
	robot := &person{t: t, s: s.testServer, token: s.plant("API key", made.text("createApiKey.secret"))}
	gone := p.must(newKeyMutation, vars{"n": "Gone", "s": []string{"READ"}, "p": first})
	(&person{t: t, s: s.testServer, token: s.plant("API key that is revoked", gone.text("createApiKey.secret"))}).must(`{ viewer { id } }`, nil)
	p.revokeKey(gone.text("createApiKey.apiKey.id"))
	s.mail(t, ada, 3, "An API key was made for your account") // and the one before it: letters that wait together come in any order
	bot := p.newBot()
	p.know(bot, "Tea", teaText)
	robot.chat(vars{"botId": bot, "text": "How long does green tea steep?"})
	s.gemini.Script(gemini.Script{Kind: gemini.KindAnswer, Status: http.StatusBadRequest, Message: "The key " + canaryGemini + " is not liked."})
	if failed, _ := robot.chat(vars{"botId": bot, "text": "And black tea?"}); failed.text("messageStream.message.status") != "FAILED" {
		t.Errorf("%s", failed.body)
	} else {
		said.Write(failed.body)
	}

	// The password is changed and reset, the address changed twice and back once; links of each kind are left.
	p.changePassword(first, second).text("changePassword.user.email")
	s.mail(t, ada, 4, passwordChanged)
	nobody.requestMail("requestPasswordReset", ada).wantAccepted("requestPasswordReset")
	nobody.reset(mail(ada, 5, resetting, "reset-password"), third).wantAccepted("resetPassword")
	in = nobody.logIn(ada, third)
	p.token, refresh = s.plantSession("ada, after a reset", in, "logIn")
	s.mail(t, ada, 6, passwordChanged)
	p.requestEmailChange(third, "ada2@example.com")
	nobody.redeem("confirmEmailChange", mail("ada2@example.com", 1, "Confirm your new address", "change-email")).wantAccepted("confirmEmailChange")
	mail(ada, 7, "The address of your account was changed", "revert-email")
	p.requestEmailChange(third, "ada3@example.com")
	mail("ada3@example.com", 1, "Confirm your new address", "change-email")
	nobody.requestMail("requestPasswordReset", "ada2@example.com").wantAccepted("requestPasswordReset")
	mail("ada2@example.com", 2, resetting, "reset-password")

	// A browser with cookies, and bob, who leaves.
	b := &browser{t: t, s: s.testServer, origin: appOrigin}
	b.asking(`mutation { logIn(input: {email: "ada2@example.com", password: "` + third + `"}) { accessToken refreshToken errors { code } } }`)
	s.plant("cookie", b.wantCookie())
	b.token = s.plant("access token of a browser", b.asking(refreshing).text("refreshSession.accessToken"))
	s.plant("cookie, refreshed", b.wantCookie())
	leaver := nobody.another(bob, bobs)
	s.plant("access token of bob", leaver.token)
	leaver.deactivate(bobs).wantAccepted("deactivateAccount")
	mail(bob, 2, "Your account was deactivated", "reactivate")

	// What goes wrong, with secrets where they are expected and where they are not.
	say := func(status int, text []byte) { fmt.Fprintf(said, "%d %s\n", status, text) }
	ask := func(query string, v vars) {
		t.Helper()
		r := p.ask(query, v)
		say(r.status, r.body)
	}
	logIn := `mutation($e: String!, $p: String!, $d: String) { logIn(input: {email: $e, password: $p, deviceToken: $d}) { accessToken errors { code message } } }`
	ask(logIn, vars{"e": ada, "p": wrong, "d": device})
	ask(logIn, vars{"e": third, "p": third, "d": refresh})
	ask(logIn, vars{"e": []string{third}, "p": vars{"secret": third}})
	ask(logIn, vars{"e": ada, "p": nil, third: third})
	ask(`mutation { logIn(input: {email: "`+ada+`", password: ["`+third+`"]}) { errors { code } } }`, nil)
	ask(`mutation { logIn(input: {email: "`+ada+`", passwort: "`+third+`"}) { errors { code } } }`, nil)
	ask(`mutation { logIn(input: {email: "`+ada+`", password: "`+third+`) { errors { code } } }`, nil)
	ask(`{ bot(id: "`+links["reset-password"]+`") { id } node(id: "`+refresh+`") { id } }`, nil)
	ask(`mutation { createBot(input: {name: "x", retrieval: "`+robot.token+`"}) { errors { code } } }`, nil)
	for _, token := range []string{links["reset-password"] + "x", refresh, links["revert-email"], p.token} {
		for _, r := range []*reply{nobody.verify(token), nobody.reset(token, third+" again"), nobody.redeem("confirmEmailChange", token), nobody.redeem("reactivateAccount", token)} {
			say(r.status, r.body)
		}
	}
	for _, token := range []string{refresh + "x", device, robot.token} {
		r := nobody.refresh(token)
		say(r.status, r.body)
	}
	for _, token := range []string{refresh, device, links["reset-password"], p.token + "x", robot.token + "x", third} {
		r := (&person{t: t, s: s.testServer, token: token}).ask(`{ bot(id: "bot_1") { id } }`, nil)
		say(r.status, r.body)
	}
	for _, body := range []string{`{"query": "mutation { logIn", "password": "` + third, `["` + third + `"]`, `{"query": {"` + third + `": 1}}`, third} {
		for _, kind := range []string{"application/json", "text/plain", "multipart/form-data; boundary=b"} {
			r, err := http.Post(s.url+"/graphql", kind, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(r.Body)
			r.Body.Close()
			say(r.StatusCode, text)
		}
	}
	for _, path := range []string{"/graphql?query=" + url.QueryEscape(`mutation { logIn(input: {email: "a@b.example", password: "`+third+`"}) { errors { code } } }`),
		"/graphql?token=" + refresh, "/account/reset-password?token=" + links["reset-password"], "/account/" + links["reset-password"], "/" + robot.token} {
		r, err := http.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r.Body)
		r.Body.Close()
		say(r.StatusCode, text)
	}
	for _, init := range []string{`{"type":"connection_init","payload":{"authorization":"` + refresh + `"}}`, `{"type":"connection_init","payload":"` + third + `"}`, third} {
		c := s.dial(t)
		c.send(init)
		say(0, []byte(c.receive()))
		_ = c.CloseNow()
	}
	s.lettersEnded(t)
	return links, refresh
}
