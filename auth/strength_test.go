package auth_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"kyrochat/auth"
	"kyrochat/kyro"
)

func TestWeakPasswords(t *testing.T) {
	t.Parallel()
	about := []string{"ada.lovelace@example.org", "Countess Ada"}
	for password, why := range map[string]string{
		"1qaz2wsx3edc":               "on the list",
		"PASSWORDpassword":           "on the list",
		"Administrator":              "on the list",
		"ADA.lovelace rides again!":  "contains your email address",
		"ada.lovelace@exmple.org":    "nearly your email",
		"ada-lovelace@example.com":   "nearly your email",
		"aba.lovelace@exxxxle.org":   "nearly your email",
		"aba.lovelace@exxxxxe.org":   "", // five letters are others
		"the countess ada of 1843":   "contains your name",
		"I love KyroChat very much":  "name of this service",
		"xqxqxqxqxqxqxqxqxqxq":       "easy to guess",
		"zyxwvutsrqponmlk":           "easy to guess",
		"p@ssw0rd1234":               "easy to guess",
		"qwertyuiop123!":             "easy to guess",
		"漢漢漢漢漢漢漢漢漢漢漢漢":               "easy to guess",
		"lovelace1815":               "easy to guess", // a part of the address, and a year
		"correct horse battery":      "",
		"plenty of random words":     "",
		"turnip orbit 21511 lantern": "", // after all that are on the list, in its order
		"three wise owls at dusk":    "",
		"XK7DMV2PQWNZ3RTYBCDF4GHJ5K": "",
		"мой дядя самых честных правил": "",
		"床前明月光疑是地上霜舉頭":                  "",
		"chat with kyro tonight":        "",
		"wombat kettle":                 "", // just strong enough
	} {
		err := auth.Strength{}.Weak(password, about...)
		if why == "" {
			if err != nil {
				t.Errorf("%s: %v", password, err)
			}
			continue
		}
		if known, ok := err.(*kyro.Error); !ok || known.Code != kyro.CodeWeakPassword || known.Field[0] != "password" || !strings.Contains(known.Message, why) {
			t.Errorf("%s: %v, want that it is %s", password, err, why)
		}
	}
	if err := (auth.Strength{}).Weak("zora at the lake house", "Zora"); err == nil || !strings.Contains(err.Error(), "contains your name") {
		t.Errorf("a name of four letters: %v", err)
	}
	// What has too few letters to tell a person is not looked for, and nothing is known of nobody.
	for _, about := range [][]string{nil, {"", ""}, {"bo@example.org", "Bo"}} {
		if err := (auth.Strength{}).Weak("a boat on the lake", about...); err != nil {
			t.Errorf("%q: %v", about, err)
		}
	}
}

func TestFingerprintsAreOfPasswordsThatAreAllowed(t *testing.T) {
	t.Parallel()
	for password, allowed := range map[string]bool{
		strings.Repeat("ü", kyro.MinPassword-1): false, strings.Repeat("ü", kyro.MinPassword): true,
		strings.Repeat("ü", kyro.MaxPassword): true, strings.Repeat("ü", kyro.MaxPassword+1): false,
	} {
		if _, ok := auth.Fingerprint(password); ok != allowed {
			t.Errorf("%d bytes: %t", len(password), ok)
		}
	}
}

// What takes zxcvbn long is set aside: it would be a way to keep the processors busy.
func TestWhatIsEstimatedIsBounded(t *testing.T) {
	t.Parallel()
	for password, want := range map[string]string{
		"p@ssw0rd+$!": "p@ssw0rd+$!", "({(<aa": "(\x01(\x0caa", "0123456789@x": "0123456789\x01x", "1234@$|x": "1234@$\x01x", "123@@$%%!x": "123@@$%%\x01x",
		"/:/:": "/:/:", "\u007f": "\u007f", "\u0080": "\x01", strings.Repeat("ab", 40): strings.Repeat("ab", 36),
		"12345" + strings.Repeat("ab", 30):  "12345" + strings.Repeat("ab", 30),
		"123456" + strings.Repeat("ab", 30): "123456" + strings.Repeat("ab", 17),
		"123456ab":                          "123456ab",
	} {
		if got := auth.Estimable(password); got != want {
			t.Errorf("%q: %q, want %q", password, got, want)
		}
	}
}

// Whatever is sent as a password, somebody's name or address, gets an answer.
func TestStrengthTakesEverything(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("aAzé ß漢\u0301\U0001F600\x00\t\\.*+?()[]{}^$|1234567890@-_")
	text := func() string {
		list := make([]rune, random.IntN(130))
		some := 1 + random.IntN(len(alphabet))
		for i := range list {
			list[i] = alphabet[random.IntN(some)]
		}
		return string(list)
	}
	for range 150 {
		_ = auth.Strength{}.Weak(text(), text()+"@"+text(), text())
	}
	_ = auth.Strength{}.Weak("\xff\xfe not text at all", "\xff@\xfe")
}

func BenchmarkStrength(b *testing.B) {
	for name, password := range map[string]string{
		"short": "correct horse battery", "l33t": strings.Repeat("4@8({[<3691!|10$5+7%2", 20), "long": strings.Repeat("é", 256),
		"digits": strings.Repeat("8172630945", 12), "words": strings.Repeat("password", 60),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_ = auth.Strength{}.Weak(password[:min(len(password), kyro.MaxPasswordBytes)], strings.Repeat("ada.", 60)+"@example.org", strings.Repeat("ada ", 25))
			}
		})
	}
}
