package auth

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
	"github.com/trustelem/zxcvbn"

	"kyrochat/kyro"
)

// Strength tells passwords that somebody could guess: those that many people use, that are made of their owner's name or
// address, and those that zxcvbn finds with less than a hundred million guesses. It has no rules on what a password is to
// be made of (ASVS 5.0, 6.2.5).
//
// Of the ports of zxcvbn to Go the one of trustelem is taken, although it has not been touched for years: it is that of
// today's zxcvbn (4.4), where the maintained ones are of its first version, which takes a short text that is repeated for
// strong, and a second and a half for some. It is arithmetic on tables, and nothing of it is to be kept up.
type Strength struct{}

const (
	minScore        = 3  // of 4: beyond 10^8 guesses
	maxEstimated    = 72 // code points that zxcvbn is asked about, which takes long for more
	maxWithSigns    = 40 // where there are many signs that may stand for letters
	maxSubstitutes  = 6  // digits and signs that may stand for letters; with each more it takes longer, up to twice as long
	minOwn          = 4  // letters of a name or an address that make a difference
	minDifferences  = 5  // from the address, in letters to be changed
	maxWordsOfOwner = 20
)

// Weak answers WEAK_PASSWORD, at "password", with a reason for a person, where a password is easy to guess for whoever
// knows what about says of its owner: what has an @ in it is the address, all else are names. It takes some 10 ms at
// the most.
func (Strength) Weak(password string, about ...string) error {
	folded := strings.ToLower(password)
	if isCommon(folded) {
		return weak("It is on the list of the passwords that people use most, which are tried first.")
	}
	var words []string
	for _, each := range slices.Concat(about, []string{"kyrochat"}) {
		each = strings.ToLower(strings.TrimSpace(each))
		name, what := each, "your name"
		if local, _, address := strings.Cut(each, "@"); address {
			name, what = local, "your email address"
			if near(folded, each) {
				return weak("It is nearly your email address.")
			}
		} else if each == "kyrochat" {
			what = "the name of this service"
		}
		if utf8.RuneCountInString(name) >= minOwn && strings.Contains(folded, name) {
			return weak("It contains " + what + ", which is easy to guess.")
		}
		words = append(words, each, name)
		words = append(words, strings.FieldsFunc(each, func(r rune) bool { return strings.ContainsRune(" .-_@+", r) })...)
	}
	if zxcvbn.PasswordStrength(estimable(password), words[:min(len(words), maxWordsOfOwner)]).Score < minScore {
		return weak("It is easy to guess: common words, names, dates and patterns are tried first, also with signs in place of letters.")
	}
	return nil
}

func weak(why string) error {
	return kyro.Errorf(kyro.CodeWeakPassword, "Choose another password. %s A few unrelated words do well.", why).At("password")
}

// near reports whether a few letters make one text of the other.
func near(a, b string) bool {
	apart := utf8.RuneCountInString(a) - utf8.RuneCountInString(b)
	return max(apart, -apart) < minDifferences && levenshtein.ComputeDistance(a, b) < minDifferences
}

// substitutes are the signs besides digits that zxcvbn takes for letters, those for the same letter together.
var substitutes = []string{"({[<", "!|", "@", "$", "+", "%"}

// estimable is what zxcvbn is asked about: the beginning of a password, with control characters for what would take it
// too long: the second of two signs for the same letter, and signs above maxSubstitutes. Those are of no pattern, and the
// same one stands for the same letter, so that repetitions show. zxcvbn counts bytes where it should count letters, so
// that scripts other than Latin would look several times as long as they are: they get control characters, too.
func estimable(password string) string {
	var b strings.Builder
	stands, signs, taken := map[rune]byte{}, map[rune]bool{}, map[string]rune{}
	for i, r := range []rune(password) {
		if i == maxEstimated {
			break
		}
		if r < utf8.RuneSelf && plain(r, signs, taken) {
			b.WriteByte(byte(r))
			continue
		}
		if stands[r] == 0 {
			stands[r] = byte(1 + len(stands)*11%31) // far from each other: neighbours would be a sequence
		}
		b.WriteByte(stands[r])
	}
	estimated := b.String()
	if len(signs) >= maxSubstitutes {
		estimated = estimated[:min(len(estimated), maxWithSigns)]
	}
	return estimated
}

// plain reports whether a character stays as it is.
func plain(r rune, signs map[rune]bool, taken map[string]rune) bool {
	if r >= '0' && r <= '9' {
		signs[r] = true
		return true
	}
	i := slices.IndexFunc(substitutes, func(group string) bool { return strings.ContainsRune(group, r) })
	if i < 0 || signs[r] {
		return true
	}
	if taken[substitutes[i]] != 0 || len(signs) >= maxSubstitutes {
		return false
	}
	taken[substitutes[i]], signs[r] = r, true
	return true
}
