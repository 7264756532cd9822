package extract

import (
	"strings"
	"testing"

	"kyrochat/kyro"
)

func TestCSV(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ source, want string }{
		"commas":            {"Name,Age\nAnna,30\nBo,40\n", "Name: Anna; Age: 30\nName: Bo; Age: 40"},
		"semicolons":        {"Name;Price\nTea;1,50\nSalt;2,00\n", "Name: Tea; Price: 1,50\nName: Salt; Price: 2,00"},
		"tabs":              {"Name\tAge\nAnna, of old\t30\n", "Name: Anna, of old; Age: 30"},
		"strokes":           {"Name|Age\nAnna|30\n", "Name: Anna; Age: 30"},
		"quotes":            {"Name,Note\n\"Tea, green\",\"says \"\"hi\"\"\nand goes\"\n", "Name: Tea, green; Note: says \"hi\" and goes"},
		"quotes amiss":      {"Name,Note\nAn\"na,5\" wide\nBo,x\n", "Name: An\"na; Note: 5\" wide\nName: Bo; Note: x"},
		"no names":          {"1,2\n3,4\n", "| 1 | 2 |\n| 3 | 4 |"},
		"sentences":         {"What is it?,Tea.\nWho is it?,Anna.\n", "| What is it? | Tea. |\n| Who is it? | Anna. |"},
		"a single column":   {"Anna\nBo\n", "Anna\nBo"},
		"a single row":      {"a,b\n", "| a | b |"},
		"names alone twice": {"a,a\n1,2\n", "| a | a |\n| 1 | 2 |"},
		"empty columns":     {"Name,,Age\nAnna,,30\n", "Name: Anna; Age: 30"},
		"empty, no names":   {"1,,2\n3,,4\n", "| 1 | 2 |\n| 3 | 4 |"},
		"more than names":   {"Name,Age\nAnna,30,tall\n", "Name: Anna; Age: 30; tall"},
		"empty rows":        {"Name,Age\n,\n\nAnna,30\n,,\n", "Name: Anna; Age: 30"},
		"nothing":           {",,\n,,\n", ""},
	} {
		ex, err := readText([]byte(c.source), kyro.Original{MimeType: CSV}, kyro.DefaultLimits())
		if err != nil || ex.Text != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s\n%v", name, ex.Text, c.want, err)
		}
		checkExtraction(t, ex)
	}
}

func TestBombsOfCSV(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source string
		code   kyro.Code
	}{
		"one cell of megabytes":     {"a,b\n" + strings.Repeat("word ", 6<<20/5), ""},
		"one line of commas":        {strings.Repeat(",", 30<<20), kyro.CodeLimitReached},
		"one line of cells":         {strings.Repeat("ab,", 10<<20), kyro.CodeLimitReached},
		"a quote that never ends":   {"a,\"" + strings.Repeat("b,c\n", 1<<20), ""},
		"a quote that swallows all": {"a,\"" + strings.Repeat("b, c d e f\n", 1<<20), kyro.CodeValidation},
		"quotes":                    {strings.Repeat("\"", 6<<20), ""},
		"too many rows":             {"a,b\n" + strings.Repeat("1,2\n", maxCSVRows+1), kyro.CodeLimitReached},
		"as many rows as may be":    {"a,b\n" + strings.Repeat("1,2\n", maxCSVRows), ""},
		"lines without a value":     {strings.Repeat(",\n", 1<<20), ""},
		"a name that fills memory":  {strings.Repeat("n", 1<<20) + ",b\n" + strings.Repeat("1,2\n", 1000), ""},
	} {
		ex, err := readText([]byte(c.source), kyro.Original{MimeType: CSV}, kyro.DefaultLimits())
		if kyro.ErrorCode(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
		checkExtraction(t, ex)
	}
}
