package account_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/kyro"
)

// at is somebody who is not signed in, at an address.
func at(address string) kyro.Viewer {
	addr := netip.MustParseAddr(address)
	prefix := 24
	if addr.Is6() {
		prefix = 48
	}
	wide, _ := addr.Prefix(prefix)
	network, _ := addr.Prefix(min(addr.BitLen(), 64))
	return kyro.Viewer{Network: network, Device: kyro.Device{AddressPrefix: wide.String()}}
}

// guessed says what becomes of a wrong password: false where it was refused before it was looked at.
func (w *world) guessed(t *testing.T, who kyro.Viewer, email, device string) (bool, time.Duration) {
	t.Helper()
	before := len(w.hash.verified)
	_, err := w.LogIn(t.Context(), who, email, "a wrong password", device)
	looked := len(w.hash.verified) > before
	if looked {
		wantCode(t, err, kyro.CodeInvalidCredentials)
		return true, 0
	}
	wantCode(t, err, kyro.CodeRateLimited)
	return false, err.(*kyro.Error).RetryAfter
}

// signedUp is ada, who signed up from 192.0.2.7, and the token of her device.
func (w *world) signedUp(t *testing.T) (device string) {
	t.Helper()
	in, err := w.Register(t.Context(), at("192.0.2.7"), "ada@example.org", goodPassword, "Ada")
	if err != nil {
		t.Fatal(err)
	}
	return in.DeviceToken
}

const ada, nobody = "ada@example.org", "nobody@example.org"

// From one network five guesses at an account are free, then each waits twice as long as the one before; whether there
// is the account makes no difference, nor how the address is written.
func TestGuessesFromOneNetworkSlowDown(t *testing.T) {
	t.Parallel()
	for _, email := range []string{ada, nobody, "no address"} {
		w := newWorld(t, kyro.SignUpOpen)
		w.signedUp(t)
		for i := range 5 {
			if ok, _ := w.guessed(t, at(fmt.Sprint("198.51.100.", i)), strings.ToUpper(email), ""); !ok {
				t.Fatalf("%s: number %d was refused", email, i)
			}
		}
		for n := 1; n <= 5; n++ {
			delay := time.Second << n
			ok, wait := w.guessed(t, at("198.51.100.9"), " "+email, "")
			if ok || wait != delay {
				t.Fatalf("%s: guess %d: %v, wait %v, want %v", email, 5+n, ok, wait, delay)
			}
			w.pass(delay)
			if ok, wait := w.guessed(t, at("198.51.100.9"), email, ""); !ok {
				t.Fatalf("%s: guess %d is refused after its delay, for %v more", email, 5+n, wait)
			}
		}
		// What all networks have together is spent now.
		if ok, wait := w.guessed(t, at("203.0.113.1"), email, ""); ok || wait < 13*time.Minute {
			t.Errorf("%s: from elsewhere: %v, %v", email, ok, wait)
		}
	}
}

// Whatever networks strangers guess from, they have ten guesses in a quarter of an hour and a hundred a day; meanwhile the
// owner gets in, with the device's token from anywhere, or from where a session lives.
func TestStrangersNeitherGuessMuchNorLockTheOwnerOut(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t, kyro.SignUpOpen)
		device := w.signedUp(t)
		var made []time.Time
		for w.now.Before(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)) {
			from := at(fmt.Sprintf("198.%d.%d.%d", random.IntN(1+int(seed)), random.IntN(250), random.IntN(250)))
			token := ""
			if random.IntN(5) == 0 {
				token = []string{"rubbish", new(tokens).Device(kyro.UserID(2), w.now), device + "x"}[random.IntN(2)]
			}
			if ok, _ := w.guessed(t, from, ada, token); ok {
				made = append(made, w.now)
			}
			if random.IntN(40) == 0 {
				who, token := at("203.0.113.50"), device
				if random.IntN(2) == 0 {
					who, token = at("192.0.2.200"), ""
				}
				if _, err := w.LogIn(t.Context(), who, ada, goodPassword, token); err != nil {
					t.Fatalf("seed %d: the owner was kept out: %v", seed, err)
				}
			}
			w.pass(time.Duration(random.Int64N(int64(90 * time.Second))))
		}
		for _, c := range []struct {
			most int
			per  time.Duration
		}{{10, 15 * time.Minute}, {100, 24 * time.Hour}} {
			for i := c.most; i < len(made); i++ {
				if made[i].Sub(made[i-c.most]) < c.per {
					t.Fatalf("seed %d: more than %d guesses in %v", seed, c.most, c.per)
				}
			}
		}
		if len(made) < 150 {
			t.Errorf("seed %d: %d guesses only: the test does not try hard enough", seed, len(made))
		}
	}
}

// A network that guesses at many accounts is stopped after thirty, but not those in it who bring their device's token.
func TestOneNetworkAtManyAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	device := w.signedUp(t)
	looked := 0
	for i := range 40 {
		if ok, _ := w.guessed(t, at("2001:db8:1:1::7"), fmt.Sprintf("person%d@example.org", i), ""); ok {
			looked++
		}
	}
	if looked != 30 {
		t.Errorf("%d guesses were looked at, want 30", looked)
	}
	if ok, _ := w.guessed(t, at("2001:db8:1:1:ffff::1"), nobody, ""); ok {
		t.Error("another address of the network is counted anew")
	}
	if ok, _ := w.guessed(t, at("2001:db8:1:2::1"), nobody, ""); !ok {
		t.Error("another network is refused")
	}
	if _, err := w.LogIn(t.Context(), at("2001:db8:1:1::7"), ada, goodPassword, device); err != nil {
		t.Errorf("a known device in the network: %v", err)
	}
	w.pass(5 * time.Minute)
	if ok, _ := w.guessed(t, at("2001:db8:1:1::7"), nobody, ""); !ok {
		t.Error("refused after five minutes")
	}
}

// Whoever has the token of a device, or comes from a network of the owner's, cannot guess without end either.
func TestKnownDevicesAreCountedToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	device := w.signedUp(t)
	for name, guess := range map[string]func(i int) (bool, time.Duration){
		"by the token, from everywhere": func(i int) (bool, time.Duration) {
			return w.guessed(t, at(fmt.Sprintf("198.51.%d.%d", i/250, i%250)), ada, device)
		},
		"from everywhere in the network": func(i int) (bool, time.Duration) {
			return w.guessed(t, at(fmt.Sprintf("192.0.2.%d", i%250)), ada, "")
		},
	} {
		start, looked := w.now, 0
		for i := range 3_000 {
			ok, wait := guess(i)
			if ok {
				looked++
			}
			if w.now.Add(wait).Sub(start) >= 24*time.Hour {
				break
			}
			w.pass(wait)
		}
		if looked != 100 {
			t.Errorf("%s: %d guesses in a day, want 100", name, looked)
		}
	}
	// The owner's other device is not the one that was stolen.
	if _, err := w.LogIn(t.Context(), at("203.0.113.50"), ada, goodPassword, new(tokens).Device(kyro.UserID(1), w.now)); err != nil {
		t.Errorf("another device: %v", err)
	}
}

// A password that was right clears what was guessed on the same device, and takes nothing back of what others did.
func TestSuccessClearsItsOwnDeviceOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	w.signedUp(t)
	for i := range 9 { // by strangers
		w.guessed(t, at(fmt.Sprintf("198.51.%d.1", i)), ada, "")
	}
	if _, err := w.LogIn(t.Context(), at("203.0.113.50"), ada, goodPassword, ""); err != nil {
		t.Fatal(err)
	}
	if ok, _ := w.guessed(t, at("198.51.100.1"), ada, ""); !ok {
		t.Error("the success counts as a guess")
	}
	if ok, _ := w.guessed(t, at("198.51.101.1"), ada, ""); ok {
		t.Error("the success has cleared what strangers did")
	}
	for range 3 { // the owner mistypes, and then does not
		for range 5 {
			if ok, _ := w.guessed(t, at("192.0.2.7"), ada, ""); !ok {
				t.Fatal("the owner is refused at home")
			}
		}
		w.pass(2 * time.Second)
		if _, err := w.LogIn(t.Context(), at("192.0.2.7"), ada, goodPassword, ""); err != nil {
			t.Fatal(err)
		}
	}
	// Whoever has an account of their own does not get guesses at others by it.
	looked := 0
	for i := range 200 {
		if ok, _ := w.guessed(t, at("192.0.2.99"), fmt.Sprintf("person%d@example.org", i), ""); ok {
			looked++
		}
		if i%10 == 0 {
			_, _ = w.LogIn(t.Context(), at("192.0.2.99"), ada, goodPassword, "")
		}
	}
	if looked != 30 {
		t.Errorf("%d guesses from one network between log-ins, want 30", looked)
	}
}

// A hundred guesses at once are a hundred.
func TestGuessesAtOnceAreCountedBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	w.signedUp(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[kyro.Code]int{}
	for i := range 100 {
		wg.Go(func() {
			_, err := w.LogIn(t.Context(), at(fmt.Sprintf("198.51.%d.1", i)), ada, "a wrong password", "")
			mu.Lock()
			defer mu.Unlock()
			codes[kyro.ErrorCode(err)]++
		})
	}
	wg.Wait()
	if codes[kyro.CodeInvalidCredentials] != 10 || codes[kyro.CodeRateLimited] != 90 {
		t.Errorf("%v", codes)
	}
}

// What nobody looked at is no guess: a server that is busy locks nobody out.
func TestBusyServersLockNobodyOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	w.signedUp(t)
	w.hash.failing = kyro.Errorf(kyro.CodeUnavailable, "busy")
	for range 20 {
		_, err := w.LogIn(t.Context(), at("203.0.113.50"), ada, goodPassword, "")
		wantCode(t, err, kyro.CodeUnavailable)
	}
	w.hash.failing = nil
	if _, err := w.LogIn(t.Context(), at("203.0.113.50"), ada, goodPassword, ""); err != nil {
		t.Error(err)
	}
}

// An address that has an account and one that has none make the same work, guess by guess.
func TestKnownAndUnknownAddressesDoTheSameWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	w.signedUp(t)
	work := func(email string) (list []string) {
		for i := range 20 {
			looks, hashes := w.store.looks, len(w.hash.verified)
			_, err := w.LogIn(t.Context(), at(fmt.Sprintf("198.51.%d.7", i/2)), email, "a wrong password", "rubbish")
			list = append(list, fmt.Sprint(w.store.looks-looks, len(w.hash.verified)-hashes, err))
		}
		return list
	}
	if a, b := work(ada), work(nobody); !slices.Equal(a, b) {
		t.Errorf("known   %q\nunknown %q", a, b)
	}
}

func TestDeviceTokensAreGivenAndGivenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	first := w.signedUp(t)
	w.pass(time.Hour)
	logIn := func(device string) string {
		t.Helper()
		in, err := w.LogIn(t.Context(), at("192.0.2.7"), ada, goodPassword, device)
		if err != nil {
			t.Fatal(err)
		}
		return in.DeviceToken
	}
	if got := logIn(first); got != first {
		t.Errorf("a good token came back as %q", got)
	}
	others := new(tokens).Device(kyro.UserID(2), w.now)
	for _, bad := range []string{"", "rubbish", others} {
		if got := logIn(bad); got == bad || got == first || !strings.HasPrefix(got, "device 1 ") {
			t.Errorf("%q came back as %q", bad, got)
		}
	}
	c := w.store.users[ada]
	c.PasswordChangedAt = w.now
	w.store.users[ada] = c
	if got := logIn(first); got == first {
		t.Error("a token from before the password was changed is good")
	}
	w.pass(kyro.DeviceTokenTTL)
	if last := logIn(""); logIn(last) != last {
		t.Error("a new token is not good")
	}
	if in, err := w.Refresh(t.Context(), kyro.Viewer{}, "1.1"); err == nil && in.DeviceToken != "" {
		t.Error("a refresh gives a device token")
	}
}

// A stolen access token does not open the door to guessing at the password.
func TestConfirmingIsCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	w.signedUp(t)
	me := kyro.Viewer{UserID: kyro.UserID(1), SessionID: kyro.SessionID(1), Network: at("192.0.2.7").Network}
	known, err := w.Confirm(t.Context(), me, goodPassword, "password")
	if err != nil || known.User.Email != ada {
		t.Fatalf("%+v, %v", known, err)
	}
	for range 5 {
		_, err := w.Confirm(t.Context(), me, "a wrong password", "currentPassword")
		wantCode(t, err, kyro.CodeInvalidCredentials)
		if field := err.(*kyro.Error).Field; !slices.Equal(field, []string{"currentPassword"}) {
			t.Errorf("at %v", field)
		}
	}
	hashes := len(w.hash.verified)
	_, err = w.Confirm(t.Context(), me, goodPassword, "password")
	wantCode(t, err, kyro.CodeRateLimited)
	if len(w.hash.verified) != hashes {
		t.Error("a refused password was looked at")
	}
	other := me
	other.SessionID = kyro.SessionID(2)
	if _, err := w.Confirm(t.Context(), other, goodPassword, "password"); err != nil {
		t.Errorf("another session: %v", err)
	}
	w.pass(2 * time.Second)
	if _, err := w.Confirm(t.Context(), me, goodPassword, "password"); err != nil {
		t.Errorf("after the delay: %v", err)
	}
	me.KeyID = kyro.APIKeyID(1)
	_, err = w.Confirm(t.Context(), me, goodPassword, "password")
	wantCode(t, err, kyro.CodeForbidden)
}
