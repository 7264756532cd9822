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
		"three wise owls at dusk":    "",
		"XK7DMV2PQWNZ3RTYBCDF4GHJ5K": "",
		"мой дядя самых честных правил": "",
		"床前明月光疑是地上霜舉頭":                  "",
		"chat with kyro tonight":        "",
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
	// What has too few letters to tell a person is not looked for, and nothing is known of nobody.
	for _, about := range [][]string{nil, {"", ""}, {"bo@example.org", "Bo"}} {
		if err := (auth.Strength{}).Weak("a boat on the lake", about...); err != nil {
			t.Errorf("%q: %v", about, err)
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
