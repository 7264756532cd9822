package program

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"kyrochat/internal/smtp"
)

// registerAll signs up so many new people, each of whom is to have a mail, and gives their addresses.
func (s *testServer) registerAll(t *testing.T, n int) (addresses []string) {
	t.Helper()
	for i := range n {
		address := fmt.Sprintf("waiting%d@example.com", i)
		if r := (&person{t: t, s: s}).register(address, password); len(r.list("registerUser.errors")) > 0 {
			t.Fatalf("%s", r.body)
		}
		addresses = append(addresses, address)
	}
	return addresses
}

// wantOneEach waits until everybody has a mail, and checks that nobody has two, by what was sent and by their ids.
func wantOneEach(t *testing.T, mails *smtp.Emulator, addresses []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	missing := func() (left []string) {
		for _, address := range addresses {
			if !slices.ContainsFunc(mails.Mails(), smtp.To(address, signingUp)) {
				left = append(left, address)
			}
		}
		return left
	}
	if mails.Await(ctx, func(*smtp.Emulator) bool { return len(missing()) == 0 }) != nil {
		t.Fatalf("no mail came to %v", missing())
	}
	ids := map[string]int{}
	for _, m := range mails.Mails() {
		ids[m.MessageID]++
	}
	if len(ids) != len(addresses) || len(mails.Mails()) != len(addresses) {
		t.Errorf("%d mails under %d ids came to %d people: %v", len(mails.Mails()), len(ids), len(addresses), ids)
	}
}

// TestMailsOutliveTheirServer: for five minutes nobody takes mails, in one way after another. Of the five minutes the test
// waits for none: it makes letters as old, and calls up jobs whose time would have come.
func TestMailsOutliveTheirServer(t *testing.T) {
	withMail(t, verified, func(t *testing.T, s *mailed) {
		const people = 20
		minutesLater := func() { // in which every letter is tried again, and no sooner
			past := "created_at = strftime('%Y-%m-%d %H:%M:%f+00:00', created_at, '-100 seconds')"
			if s.app.pools.Postgres() {
				past = "created_at = created_at - interval '100 seconds'"
			}
			s.exec(t, "UPDATE letters SET "+past+" WHERE ended_at IS NULL")
			s.exec(t, "UPDATE river_job SET state = 'available', scheduled_at = created_at WHERE state IN ('scheduled', 'available') AND kind = 'mail'")
		}
		put := func() int { // how many were tried and put off
			return s.number(t, "SELECT count(*) FROM river_job WHERE state IN ('scheduled', 'available') AND attempted_at IS NOT NULL AND kind = 'mail'")
		}

		s.mails.Down()
		addresses := s.registerAll(t, people)
		waitUntil(t, "each was tried, and waits", func() bool { return put() == people })

		// It takes connections and says nothing, until whoever looks after it has had enough.
		s.mails.Script(smtp.Script{At: smtp.StepConnect, Then: smtp.Hang})
		if err := s.mails.Up(); err != nil {
			t.Fatal(err)
		}
		before := s.mails.Connections()
		minutesLater()
		waitUntil(t, "some hang", func() bool { return s.mails.Connections() > before })
		s.mails.Down()
		waitUntil(t, "each was tried, and waits again", func() bool { return put() == people })

		// It is there, and will take nothing for now, each time for another reason.
		s.mails.Reset()
		for _, busy := range []smtp.Script{
			{At: smtp.StepConnect, Code: 421}, {At: smtp.StepTo, Code: 451}, {At: smtp.StepAccepted, Code: 452}, {At: smtp.StepAccepted, Then: smtp.Lose},
		} {
			busy.Times = people / 4
			s.mails.Script(busy)
		}
		if err := s.mails.Up(); err != nil {
			t.Fatal(err)
		}
		minutesLater()
		waitUntil(t, "it has refused as often as it was to", func() bool { return len(s.mails.Scripts()) == 0 })
		waitUntil(t, "none is being sent", func() bool {
			return s.number(t, "SELECT count(*) FROM river_job WHERE state = 'running' AND kind = 'mail'") == 0
		})
		minutesLater()
		wantOneEach(t, s.mails, addresses)
		s.lettersEnded(t)
		for _, address := range addresses[:3] {
			(&person{t: t, s: s.testServer}).verify(s.mail(t, address, 1, signingUp).Token()).wantAccepted("verifyEmail")
		}
		if n := s.number(t, "SELECT count(*) FROM river_job WHERE kind = 'mail' AND errors IS NOT NULL AND CAST(errors AS TEXT) NOT IN ('', '[]', '{}')"); n != 0 {
			t.Errorf("%d jobs count an outage as a failure of their own", n)
		}
	})
}

// TestMailsOutliveTheirProcess is killed while mails wait, and one is being sent.
func TestMailsOutliveTheirProcess(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		mails := smtp.Start(t)
		maps.Copy(env, verified)
		maps.Copy(env, map[string]string{
			"SMTP_URL": mails.URL(), "KYRO_MAIL_FROM": "kyro@example.com", "KYRO_PUBLIC_URL": "https://chat.example.com", "KYRO_SECRET": sharedSecret,
		})
		mails.Script(smtp.Script{At: smtp.StepAccepted, Then: smtp.Hang, Times: 1})
		mails.Script(smtp.Script{At: smtp.StepTo, Code: 451, Skip: 1})
		server := startProcess(t, env)
		addresses := server.registerAll(t, 10)
		waitUntil(t, "one hangs at its end, another was put off", func() bool {
			left := mails.Scripts()
			return len(left) == 1 && mails.Connections() > 2
		})
		server.kill()
		mails.Reset()
		if url := env["DATABASE_URL"]; url != "" {
			ageJobs(t, url)
		}
		again := startProcess(t, env)
		wantOneEach(t, mails, addresses)
		nobody := &person{t: t, s: &again.testServer}
		nobody.verify(mails.MustWait(t, smtp.To(addresses[0], "")).Token()).wantAccepted("verifyEmail")
	})
}
