package ai_test

import (
	"slices"
	"strings"
	"testing"

	"kyrochat/kyro"
	"kyrochat/text"
)

const (
	ruled   = "Prices\n\n| Tent | Persons | Price |\n|---|---|---|\n| Falcon 2 | 2 | 199 EUR |\n| Falcon 3 | 3 | 249 EUR |\n| Eagle 3 | 3 | 310 EUR |\n| Falcon 30 | 30 | 1,900 EUR |"
	bare    = "| Falcon 2 | 199 EUR |\n| Falcon 3 | 249 EUR |\n| Eagle 3 | 310 EUR |"
	records = "Tent: Falcon 2; Persons: 2; Price: 199 EUR\nTent: Falcon 3; Persons: 3; Price: 249 EUR\nTent: Eagle 3; Persons: 3; Price: 310 EUR"
	staff   = "| Anna Berg | kitchen |\n| Bela Kovacs | front desk |\n| Cem Aydin | kitchen |"
	items   = "Bring these things:\n\n- a sleeping bag\n- a lamp with batteries\n- two litres of water\n\nThe bus leaves at nine."
)

// Rows of tables are answers by themselves: the one that is asked about, with the names of its columns where they are
// there, and nothing of the rows beside it.
func TestExtractiveAnswersFromTables(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, question, language, passage, columns string
		want                                       string
		quotes                                     []string
	}{
		{"names above the rows", "What does the Falcon 3 cost?", "en", ruled, "",
			"Tent: Falcon 3; Persons: 3; Price: 249 EUR [1]", []string{"| Falcon 3 | 3 | 249 EUR |"}},
		{"the last row", "What is the price of the Eagle 3?", "en", ruled, "",
			"Tent: Eagle 3; Persons: 3; Price: 310 EUR [1]", []string{"| Eagle 3 | 3 | 310 EUR |"}},
		{"names above the passage", "What does the Falcon 3 cost?", "en", bare, "Tent | Price",
			"Tent: Falcon 3; Price: 249 EUR [1]", []string{"| Falcon 3 | 249 EUR |"}},
		{"no names", "What does the Falcon 3 cost?", "en", bare, "", "“Falcon 3 | 249 EUR” [1]", []string{"| Falcon 3 | 249 EUR |"}},
		{"names for other columns", "What does the Falcon 3 cost?", "en", bare, "Tent | Price | Remark", "“Falcon 3 | 249 EUR” [1]", []string{"| Falcon 3 | 249 EUR |"}},
		{"a name in each row", "What does the Falcon 3 cost?", "en", records, "",
			"Tent: Falcon 3; Persons: 3; Price: 249 EUR [1]", []string{"Tent: Falcon 3; Persons: 3; Price: 249 EUR"}},
		{"words alone", "Where does Bela Kovacs work?", "en", staff, "", "“Bela Kovacs | front desk” [1]", []string{"| Bela Kovacs | front desk |"}},
		{"several rows", "Who is in the kitchen?", "en", staff, "",
			"“Anna Berg | kitchen” [1]\n\n“Cem Aydin | kitchen” [1]", []string{"| Anna Berg | kitchen |", "| Cem Aydin | kitchen |"}},
		{"two that are asked about", "What do the Falcon 2 and the Eagle 3 cost?", "en", records, "",
			"Tent: Falcon 2; Persons: 2; Price: 199 EUR [1]\n\nTent: Eagle 3; Persons: 3; Price: 310 EUR [1]",
			[]string{"Tent: Falcon 2; Persons: 2; Price: 199 EUR", "Tent: Eagle 3; Persons: 3; Price: 310 EUR"}},
		{"signs of Markdown", "What does the Falcon 3 cost?", "en", "| Tent | Price |\n| Falcon 3 | *249* EUR |\n| Eagle 3 | 310 EUR |", "",
			`Tent: Falcon 3; Price: \*249\* EUR [1]`, []string{"| Falcon 3 | *249* EUR |"}},
		{"Spanish", "¿Cuánto cuesta el Halcón 3?", "es", "| Tienda | Precio |\n|---|---|\n| Halcón 2 | 199 € |\n| Halcón 3 | 249 € |", "",
			"Tienda: Halcón 3; Precio: 249 € [1]", []string{"| Halcón 3 | 249 € |"}},
		{"Chinese", "碧螺春的单价是多少？", "zh", "| 品名 | 产地 | 单价 |\n|---|---|---|\n| 西湖龙井 | 浙江 | 268元 |\n| 碧螺春 | 江苏 | 188元 |", "",
			"品名: 碧螺春; 产地: 江苏; 单价: 188元 [1]", []string{"| 碧螺春 | 江苏 | 188元 |"}},
		{"another figure", "What does the Falcon 4 cost?", "en", ruled, "", "I do not know.", nil},
		{"another name", "What does the Zephyr cost?", "en", records, "", "I do not know.", nil},
		{"another name in small letters", "what is the price of the zephyr?", "en", ruled, "", "I do not know.", nil},
		{"a list that is asked for", "Which things should I bring?", "en", items, "",
			"“Bring these things: - a sleeping bag - a lamp with batteries - two litres of water” [1]",
			[]string{"Bring these things:\n\n- a sleeping bag\n- a lamp with batteries\n- two litres of water"}},
		{"an item", "How many litres of water?", "en", items, "", "“- two litres of water” [1]", []string{"- two litres of water"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := promptOf(c.question, c.language, c.passage, "The shop opens at ten.")
			if c.columns != "" {
				p.Passages[0].Chunk.HeadingPath = []string{"Shop", c.columns}
			}
			if r := answered(t, p); r.text != c.want || !slices.Equal(r.quotes, c.quotes) {
				t.Errorf("answered %q\n    want %q\n  quotes %q", r.text, c.want, r.quotes)
			}
		})
	}
}

// A row that the limit cuts is cited as far as it is shown.
func TestExtractiveKeepsToItsLimitInRows(t *testing.T) {
	t.Parallel()
	p := promptOf("What does the Falcon 3 cost?", "en", ruled)
	full := answered(t, p)
	cut := 0
	for limit := 1; limit <= text.Tokens(full.text)+20; limit++ {
		p.Bot.MaxOutputTokens = &limit
		r := answered(t, p)
		if r.text == full.text {
			continue
		}
		cut++
		if r.finish.Reason != kyro.FinishLength || !strings.HasSuffix(r.text, "… [1]") || len(r.quotes) != 1 || !strings.HasPrefix("| Falcon 3 | 3 | 249 EUR |", r.quotes[0]) {
			t.Errorf("limit %d: %q quotes %q, %+v", limit, r.text, r.quotes, r.finish)
		}
	}
	if cut == 0 {
		t.Error("no limit cut it")
	}
}
