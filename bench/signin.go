package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"kyrochat/client"
)

// secretive is something that must take as long for an address without an account as for one that has one.
type secretive struct {
	name     string
	mode     string // of sign-up, that the server is in
	mutation string // has an $email
	answer   string // the field of the payload that is the same for all
}

var secretives = []secretive{
	{"sign-in", "open", `logIn(input: {email: $email, password: "plenty of wrong words"}) { errors { code } }`, "logIn"},
	{"sign-up", "verified", `registerUser(input: {email: $email, password: "plenty of random words", name: "Zoë"}) { user { id } errors { code } }`, "registerUser"},
	{"reset", "verified", `requestPasswordReset(input: {email: $email}) { accepted errors { code } }`, "requestPasswordReset"},
	{"verification", "verified", `requestEmailVerification(input: {email: $email}) { accepted errors { code } }`, "requestEmailVerification"},
}

func chosenSecretives(s string) ([]secretive, error) {
	if s == "" || s == "true" {
		return secretives, nil
	}
	var list []secretive
	for name := range strings.SplitSeq(s, ",") {
		i := slices.IndexFunc(secretives, func(each secretive) bool { return each.name == strings.TrimSpace(name) })
		if i < 0 {
			return nil, fmt.Errorf("there is nothing secretive called %q", name)
		}
		list = append(list, secretives[i])
	}
	return list, nil
}

const (
	accounts  = 50 // that exist, of which one is asked for at random
	warmUp    = 20 // pairs that are not counted
	wantLeast = 0.45
	wantMost  = 0.55
)

// told is what the times of one thing tell.
type told struct {
	secretive
	known, unknown []float64 // milliseconds
}

// measureSecrets takes the times of what was asked for, for addresses with and without an account in turns, as they come
// to a client on the same machine: a worse case than any that is asked over a network.
func measureSecrets(ctx context.Context, o options, say func(string, ...any)) (list []told, err error) {
	l := &lab{o: o}
	defer func() { l.close() }()
	if l.dir, err = os.MkdirTemp("", "kyrobench"); err != nil {
		return nil, err
	}
	if err = l.build(ctx); err != nil {
		return nil, err
	}
	if l.database, err = openDatabase(ctx, o.database); err != nil {
		return nil, err
	}
	secret, mode := rand.Text()+rand.Text(), "open"
	if err := l.restart(ctx, secret, mode); err != nil {
		return nil, err
	}
	if err := l.signUps(ctx); err != nil {
		return nil, err
	}
	for _, each := range o.secretives {
		if each.mode != mode {
			mode = each.mode
			if err := l.restart(ctx, secret, mode); err != nil {
				return nil, err
			}
		}
		t, err := l.tell(ctx, each)
		if err != nil {
			return nil, fmt.Errorf("measure %s: %w", each.name, err)
		}
		area, apart := t.area()
		say("%-12s area under the curve %.3f ± %.3f", t.name, area, apart)
		list = append(list, t)
	}
	return list, nil
}

// restart has the server in another mode of sign-up, on the same database.
func (l *lab) restart(ctx context.Context, secret, mode string) (err error) {
	if former := l.sides[0].process; former != nil {
		former.stop()
		l.sides[0].process = nil
	}
	if l.sides[0], err = startServer(ctx, l, secret, os.Stderr, "KYRO_SIGNUP="+mode); err != nil {
		return fmt.Errorf("start the server with KYRO_SIGNUP=%s: %w", mode, err)
	}
	return nil
}

// addressOf is the address of an account; those without one look alike.
func addressOf(i int) string { return fmt.Sprintf("person-%020d@example.com", i) }

func noAddress() string {
	return fmt.Sprintf("person-%020d@example.com", mathrand.Int64N(1<<60)+accounts)
}

func (l *lab) signUps(ctx context.Context) error {
	c, err := client.New("http://"+l.sides[0].address, client.Options{})
	if err != nil {
		return err
	}
	for i := range accounts {
		err := c.Do(ctx, `mutation($email: String!) { registerUser(input: {email: $email, name: "Zoë", password: "plenty of random words"}) { user { id } errors { code } } }`,
			map[string]any{"email": addressOf(i)}, new(json.RawMessage))
		if err != nil {
			return err
		}
	}
	return nil
}

// tell asks for both kinds of addresses in turns, in an order that is drawn for each pair. All are answered alike, or
// it fails.
func (l *lab) tell(ctx context.Context, s secretive) (told, error) {
	t := told{secretive: s}
	c, err := client.New("http://"+l.sides[0].address, client.Options{})
	if err != nil {
		return t, err
	}
	same := ""
	ask := func(email string) (float64, error) {
		var data map[string]json.RawMessage
		begun := time.Now()
		err := c.Do(ctx, "mutation($email: String!) { "+s.mutation+" }", map[string]any{"email": email}, &data)
		took := float64(time.Since(begun).Nanoseconds()) / 1e6
		if err != nil {
			return 0, err
		}
		if answered := string(data[s.answer]); same == "" {
			same = answered
		} else if answered != same {
			return 0, fmt.Errorf("one address is answered %s, and another %s", same, answered)
		}
		return took, nil
	}
	for pair := range warmUp + l.o.pairs {
		known := mathrand.IntN(2) == 0
		for range 2 {
			email, times := noAddress(), &t.unknown
			if known {
				email, times = addressOf(mathrand.IntN(accounts)), &t.known
			}
			took, err := ask(email)
			if err != nil {
				return t, err
			}
			if pair >= warmUp {
				*times = append(*times, took)
			}
			known = !known
		}
	}
	return t, nil
}

// area is the area under the curve (ROC): how likely a known address takes longer than an unknown one, where 0.5 is that
// nobody can tell. apart is how far from it the truth may be, with a confidence of 95 % (Hanley and McNeil).
func (t told) area() (area, apart float64) {
	n, m := float64(len(t.known)), float64(len(t.unknown))
	unknown := slices.Sorted(slices.Values(t.unknown))
	for _, took := range t.known {
		below, _ := slices.BinarySearch(unknown, took)
		upTo, _ := slices.BinarySearch(unknown, math.Nextafter(took, math.Inf(1)))
		area += float64(below+upTo) / 2
	}
	area /= n * m
	q1, q2 := area/(2-area), 2*area*area/(1+area)
	variance := (area*(1-area) + (n-1)*(q1-area*area) + (m-1)*(q2-area*area)) / (n * m)
	return area, 1.96 * math.Sqrt(max(variance, 0))
}

// reportSecrets writes the page.
func reportSecrets(ctx context.Context, args []string, busy string, list []told) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Measured on %s at revision %s with `%s`, against PostgreSQL on the same machine%s. Load average before: %s.\n\n", time.Now().Format(time.DateOnly),
		revision(ctx), strings.Join(append([]string{"go run ./bench"}, args...), " "), processor(), busy)
	b.WriteString("| asked for | pairs | known, median | unknown, median | area under the curve | 95 % between | |\n|---|---|---|---|---|---|---|\n")
	for _, t := range list {
		area, apart := t.area()
		verdict := "cannot be told apart"
		if area < wantLeast || area > wantMost {
			verdict = "**can be told apart**"
		}
		fmt.Fprintf(&b, "| %s | %d | %.2f ms | %.2f ms | %.3f | %.3f and %.3f | %s |\n", t.name, len(t.known), median(t.known), median(t.unknown),
			area, area-apart, area+apart, verdict)
	}
	return b.Bytes()
}
