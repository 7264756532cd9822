package text_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"kyrochat/text"
)

func TestTerms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, language, in, want string }{
		{"English", "en", "The companies are running, quickly!", "the compani are run quick"},
		{"apostrophes", "en", "the company’s don't we're O'Brien's rock'n'roll", "the compani dont we obrien brien rocknrol rock roll"},
		{"Spanish, with and without accents", "es", "información informacion Las canciones", "inform informacion informacion las cancion"},
		{"French elision", "fr", "L'homme qu’il aujourd'hui élève", "homm il aujourdhui hui elev"},
		{"Russian", "ru", "Москвы новый ёлка", "москв нов елка"},
		{"Russian words in English text", "en", "the Москва", "the москва ʰмоск ʰоскв ʰсква"},
		{"Swedish", "sv", "flickorna åkte", "flick akt"},
		{"Norwegian", "no", "båtene løper", "bat lop"},
		{"Hungarian", "hu", "házakban", "haz"},
		{"German has no stemmer", "de", "Die Haustür", "die haustur ʰhaus ʰaust ʰustu ʰstur"},
		{"unknown language", "", "word", "word ʰword"},
		{"Hebrew", "he", "צה\"ל בָּנוּ", "צהל צה בנו"},
		{"Arabic", "ar", "الْمَدِينَة", "المدينه ʰالمد ʰلمدي ʰمدين ʰدينه"},
		{"Hindi keeps its marks", "hi", "हिन्दी", "हिन्दी ʰहिन् ʰिन्द ʰन्दी"},
		{"Chinese", "zh", "量子计算，猫。", "量子 子计 计算 猫"},
		{"Chinese with other scripts", "zh", "iPhone手机2020年", "iphone ʰipho ʰphon ʰhone 手机 2020 年"},
		{"Japanese, half width", "ja", "東京ﾀﾜｰ", "東京 京タ タワ ワー"},
		{"Korean", "ko", "수도는 서울", "수도 도는 서울"},
		{"Thai", "th", "ไทย", "ไท ทย"},
		{"thousands and decimals", "en", "1,024 1.024 1'000'000 3.14 3,14 1,024.50 100%", "1024 1024 1000000 3ˑ14 3ˑ14 1024ˑ50 1024 50 100"},
		{"dates and versions", "en", "2023-11-05 12.05.2020 v1.2.13", "2023ˑ11ˑ05 2023 11 05 12ˑ05ˑ2020 12 05 2020 v1ˑ2ˑ13 v1 13 1ˑ2ˑ13"},
		{"identifiers", "en", "foo_bar node.js getUserName __init__ YouTube", "foobar foo bar nodej node js getusernam get user name init youtub"},
		{"languages", "en", "C++, C# and .NET; Notepad++", "cplusplus c csharp c and dotnet net notepadplusplus notepad"},
		{"codes", "en", "XK-400 10kg B2B 1990s", "xk400 xk 400 10kg 10 kg b2b 1990s 1990"},
		{"hyphens", "en", "wi-fi e-mails state\u2010of\u2011the-art", "wifi wi fi email mail stateoftheart state of the art"},
		{"addresses", "en", "john.doe@example.com", "johndo john doe examplecom exampl com"},
		{"digits of other scripts", "ar", "١٢٣ ۴۵ ６７", "123 45 67"},
		{"no words", "en", " … — 😀 ☺️ \n", ""},
	} {
		if got := strings.Join(text.Terms(c.in, c.language), " "); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestTermsMeet(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{ // two spellings that must share a term, and their language
		{"nodejs", "Node.js", "en"}, {"wifi", "Wi-Fi", "en"}, {"XK400", "xk-400", "en"}, {"cafe", "café", "fr"}, {"informacion", "información", "es"},
		{"Straße", "STRASSE", "de"}, {"emails", "e-mail", "en"}, {"1.2.3", "v1.2.3", "en"}, {"naïve", "naive", "en"}, {"ﬁne", "fine", "en"},
		{"أحمد", "احمد", "ar"}, {"Haus", "Haustür", "de"}, {"company", "company's", "en"}, {"État", "l'état", "fr"}, {"U.S.", "US", "en"},
	} {
		a, b := text.Terms(c[0], c[2]), text.Terms(c[1], c[2])
		if !slices.ContainsFunc(a, func(t string) bool { return slices.Contains(b, t) }) {
			t.Errorf("%s %q and %s %q share no term", c[0], a, c[1], b)
		}
	}
	if a, b := text.Terms("3.14", "en"), text.Terms("314", "en"); slices.Equal(a, b) {
		t.Errorf("3.14 and 314 are both %q", a)
	}
}

func TestLongWordsAreCut(t *testing.T) {
	t.Parallel()
	for _, s := range []string{strings.Repeat("a", 1000), strings.Repeat("ж", 1000), strings.Repeat("9", 500), strings.Repeat("ab-", 300), strings.Repeat("3.", 300)} {
		for _, language := range []string{"en", "ru", ""} {
			checkTerms(t, text.Terms(s, language))
		}
	}
}

func checkTerms(t *testing.T, terms []string) {
	t.Helper()
	for _, term := range terms {
		if len(term) == 0 || len(term) > text.MaxTermBytes {
			t.Fatalf("a term of %d bytes: %+q", len(term), term)
		}
		for _, r := range term {
			if r == unicode.ReplacementChar || !unicode.In(r, unicode.L, unicode.N, unicode.M) {
				t.Fatalf("%U in %+q", r, term)
			}
		}
	}
}

func FuzzTerms(f *testing.F) {
	for _, s := range []string{"L'été 3.14,5 C++ __a__ é's", "ﷺ ㈱ ½ ŉ ͺ", "漢ｶﾞ々ー", "a\u0301\u0327.b-٣", "v1.-2", "''..--", "\xff\u200d"} {
		f.Add(s, "en")
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, s, language string) {
		terms := text.Terms(s, language)
		checkTerms(t, terms)
		for _, q := range text.Query(s, []string{language}) {
			if len(q.Variants) == 0 || q.Word == "" {
				t.Fatalf("Query(%q) has an empty term: %+v", s, q)
			}
			checkTerms(t, q.Variants)
		}
	})
}

// FuzzQueryFindsItsText holds the promise of the package: a word of a text finds it.
func FuzzQueryFindsItsText(f *testing.F) {
	for _, p := range prose {
		f.Add(p)
	}
	f.Add("L'été C++ node.js XK-400 1,024.50 ｶﾞ")
	f.Fuzz(func(t *testing.T, s string) {
		s = text.Normalize(s)
		if len(s) > 1000 || !norm.NFC.IsNormalString(s) {
			return
		}
		for _, language := range []string{"en", "es", "ru", "de", ""} {
			terms := text.Terms(s, language)
			for _, q := range text.Query(s, []string{language}) {
				if !slices.ContainsFunc(q.Variants, func(v string) bool { return slices.Contains(terms, v) }) {
					t.Fatalf("%q: %q %q is not among %q", language, q.Word, q.Variants, terms)
				}
			}
		}
	})
}
