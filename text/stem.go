package text

import (
	"github.com/kljensen/snowball/english"
	"github.com/kljensen/snowball/french"
	"github.com/kljensen/snowball/hungarian"
	"github.com/kljensen/snowball/norwegian"
	"github.com/kljensen/snowball/russian"
	"github.com/kljensen/snowball/spanish"
	"github.com/kljensen/snowball/swedish"
)

// stemmers are the languages whose words are stemmed. Each leaves its stop words as they are.
var stemmers = map[string]func(string) string{
	"en": func(w string) string { return english.Stem(w, false) },
	"es": func(w string) string { return spanish.Stem(w, false) },
	"fr": func(w string) string { return french.Stem(w, false) },
	"hu": func(w string) string { return hungarian.Stem(w, false) },
	"no": func(w string) string { return norwegian.Stem(w, false) },
	"nb": func(w string) string { return norwegian.Stem(w, false) },
	"nn": func(w string) string { return norwegian.Stem(w, false) },
	"ru": func(w string) string { return russian.Stem(w, false) },
	"sv": func(w string) string { return swedish.Stem(w, false) },
}
