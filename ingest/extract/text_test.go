package extract

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"

	"kyrochat/kyro"
	"kyrochat/text"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden reads the files of testdata and compares their blocks, each shown with its text.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		mime := map[string]string{
			".md": Markdown, ".txt": Plain, ".html": HTML, ".csv": CSV, ".tsv": CSV, ".json": JSON, ".jsonl": JSON,
		}[filepath.Ext(path)]
		if mime == "" {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			ex, err := readText(data, kyro.Original{MimeType: mime}, kyro.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			checkExtraction(t, ex)
			got := show(ex)
			golden := path + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// show is an extraction as a person can check it.
func show(ex kyro.Extraction) string {
	var b strings.Builder
	for _, block := range ex.Blocks {
		b.WriteString("[" + string(block.Kind))
		if block.Level > 0 {
			b.WriteString(" " + string(rune('0'+block.Level)))
		}
		if block.Page > 0 {
			b.WriteString(" on page " + string(rune('0'+block.Page)))
		}
		b.WriteString("]\n" + ex.Text[block.Start:block.End] + "\n\n")
	}
	if ex.Title != "" {
		b.WriteString("title " + ex.Title + "\n")
	}
	for _, w := range ex.Warnings {
		line, _ := json.Marshal(w)
		b.WriteString("warning " + string(line) + "\n")
	}
	return b.String()
}

// checkExtraction asserts what kyro.Extraction promises.
func checkExtraction(t *testing.T, ex kyro.Extraction) {
	t.Helper()
	if text.Normalize(ex.Text) != ex.Text {
		t.Error("the text is not in its stored form")
	}
	at := 0
	for i, b := range ex.Blocks {
		if b.Start < at || b.End <= b.Start || b.End > len(ex.Text) {
			t.Fatalf("block %d is out of order: %+v after %d of %d", i, b, at, len(ex.Text))
		}
		s := ex.Text[b.Start:b.End]
		if !utf8.ValidString(s) || isBlank(s) {
			t.Errorf("block %d is %q", i, s)
		}
		if (b.Level > 0) != (b.Kind == kyro.BlockHeading) || b.Level > 6 {
			t.Errorf("block %d is a %s of level %d", i, b.Kind, b.Level)
		}
		at = b.End
	}
}

func TestCharsets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, s string }{
		{"windows-1251", "Договор аренды жилого помещения заключён между сторонами.\nСрок действия один год."},
		{"koi8-r", "Договор аренды жилого помещения заключён между сторонами.\nСрок действия один год."},
		{"gb18030", "本合同由双方签订,租金每月支付一次。\n退款需在三十天内申请。"},
		{"shift_jis", "返品は購入から三十日以内に申請してください。送料はお客様の負担です。"},
		{"euc-jp", "返品は購入から三十日以内に申請してください。送料はお客様の負担です。"},
		{"big5", "本合約由雙方簽訂,租金每月支付一次。退款需在三十天內申請。"},
		{"euc-kr", "반품은 구매 후 삼십일 이내에 신청해 주십시오. 배송비는 고객 부담입니다."},
		{"windows-1252", "Größe und Länge der Straße: 20 €"},
		{"windows-1252", "Café"},
		{"windows-1252", "El niño comió la piña mañana por la mañana con su papá."},
		{"windows-1250", "Zażółć gęślą jaźń, proszę o zwrot pieniędzy w ciągu trzydziestu dni"},
		{"windows-1253", "Η επιστροφή χρημάτων γίνεται εντός τριάντα ημερών"},
		{"windows-1255", "החזר כספי יינתן תוך שלושים יום"},
		{"windows-1256", "يتم استرداد الأموال خلال ثلاثين يوما"},
	} {
		enc, err := htmlindex.Get(c.name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := enc.NewEncoder().Bytes([]byte(c.s))
		if err != nil {
			t.Fatal(err)
		}
		ex, err := readText(data, kyro.Original{MimeType: Plain}, kyro.DefaultLimits())
		if err != nil || ex.Text != c.s {
			t.Errorf("%s: %q, %v", c.name, ex.Text, err)
			continue
		}
		if len(ex.Warnings) != 1 || ex.Warnings[0].Code != CharsetGuessed {
			t.Errorf("%s: warnings %v", c.name, ex.Warnings)
		}
	}
}

func TestByteOrderMarks(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"UTF-8":     "\xef\xbb\xbfGr\xc3\xb6\xc3\x9fe",
		"UTF-16LE":  "\xff\xfeG\x00r\x00\xf6\x00\xdf\x00e\x00",
		"UTF-16BE":  "\xfe\xff\x00G\x00r\x00\xf6\x00\xdf\x00e",
		"UTF-32LE":  "\xff\xfe\x00\x00G\x00\x00\x00r\x00\x00\x00\xf6\x00\x00\x00\xdf\x00\x00\x00e\x00\x00\x00",
		"UTF-32BE":  "\x00\x00\xfe\xff\x00\x00\x00G\x00\x00\x00r\x00\x00\x00\xf6\x00\x00\x00\xdf\x00\x00\x00e",
		"none":      "Gr\xc3\xb6\xc3\x9fe",
		"composing": "Gro\xcc\x88\xc3\x9fe",
	} {
		ex, err := readText([]byte(data), kyro.Original{MimeType: Plain}, kyro.DefaultLimits())
		if err != nil || ex.Text != "Größe" || len(ex.Warnings) != 0 {
			t.Errorf("%s: %q, %v, %v", name, ex.Text, ex.Warnings, err)
		}
	}
}

func TestDamagedUTF8StaysUTF8(t *testing.T) {
	t.Parallel()
	s := strings.Repeat("Größe 中文. ", 100)
	ex, err := readText([]byte(s+"\xff"+s), kyro.Original{MimeType: Plain}, kyro.DefaultLimits())
	if err != nil || strings.Count(ex.Text, "Größe 中文.") != 200 || strings.Count(ex.Text, "\uFFFD") != 1 {
		t.Errorf("%v, %d good", err, strings.Count(ex.Text, "Größe 中文."))
	}
}

func TestFrontMatter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ source, want string }{
		"yaml":          {"---\ntitle: A\ntags: [b]\n---\n\n# Text", "# Text"},
		"yaml, dots":    {"---\ntitle: A\n...\n# Text", "# Text"},
		"comment first": {"---\n# a comment\ntitle: A\n---\n# Text", "# Text"},
		"toml":          {"+++\ntitle = \"A\"\n+++\n# Text", "# Text"},
		"rule":          {"---\nNo setting.\n\n---\n# Text", "---\nNo setting.\n\n---\n# Text"},
		"open":          {"---\ntitle: A\n# Text", "---\ntitle: A\n# Text"},
		"later":         {"# Text\n---\ntitle: A\n---", "# Text\n---\ntitle: A\n---"},
	} {
		if got := withoutFrontMatter(c.source); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestHiddenHTML(t *testing.T) {
	t.Parallel()
	source := "Before <!-- secret --> after.\n\n<!-- block\n\nsecret -->\n\n<script>secret()</script>\n\n<style>\nsecret{}\n</style>\n\n" +
		"`<!-- code -->`\n\n```html\n<!-- code -->\n```\n\n<div>shown <!-- secret --></div>\n"
	got, blocks := parseMarkdown(source)
	if strings.Contains(got, "secret") {
		t.Errorf("hidden text is kept: %q", got)
	}
	if strings.Count(got, "<!-- code -->") != 2 || !strings.Contains(got, "Before  after.") || !strings.Contains(got, "shown") {
		t.Errorf("shown text is lost: %q", got)
	}
	checkExtraction(t, kyro.Extraction{Text: got, Blocks: blocks})
}

func TestDeepNesting(t *testing.T) {
	t.Parallel()
	for _, s := range []string{strings.Repeat(">", 100_000) + "deep", strings.Repeat("- ", 50_000) + "deep"} {
		ex, err := readText([]byte(s), kyro.Original{MimeType: Markdown}, kyro.DefaultLimits())
		if err != nil || ex.Text != s {
			t.Error(err)
		}
	}
}

func TestCoarsen(t *testing.T) {
	t.Parallel()
	var s strings.Builder
	for range maxBlocks + 1000 {
		s.WriteString("a.\n\n")
	}
	blocks := coarsen(parsePlain(s.String()))
	if len(blocks) > maxBlocks || blocks[0].Start != 0 || blocks[len(blocks)-1].End != s.Len()-2 {
		t.Errorf("%d blocks up to %d of %d", len(blocks), blocks[len(blocks)-1].End, s.Len())
	}
}

func FuzzPlain(f *testing.F)    { fuzzText(f, Plain) }
func FuzzMarkdown(f *testing.F) { fuzzText(f, Markdown) }
func FuzzHTML(f *testing.F)     { fuzzText(f, HTML) }
func FuzzCSV(f *testing.F)      { fuzzText(f, CSV) }
func FuzzJSON(f *testing.F)     { fuzzText(f, JSON) }
func FuzzQA(f *testing.F)       { fuzzText(f, QA) }

func fuzzText(f *testing.F, mime string) {
	files, _ := filepath.Glob("testdata/*.*")
	for _, path := range files {
		if data, err := os.ReadFile(path); err == nil {
			f.Add(data)
		}
	}
	f.Add([]byte("Title\n===\n\n* a\n    * b\n\n\ttab\n\n| a | b |\n|--|--|\n| 1 | 2 |\n\n<!-- x\n"))
	f.Add([]byte(`{"question":"How?","answer":"# A\\n- b\\n\\n| c | d |\\n|---|---|\\n| 1 | 2 |"}`))
	f.Add([]byte("<table><tr><td rowspan=2>a<td>b<tr>c</table><ul><li>x<ol start=3><li>y</ul><pre>z<br>\n</pre><p hidden>h<p>q<svg><p>r<dl><dt>s<dd>t"))
	f.Add([]byte("a;b\n\"c\n\";d\n"))
	f.Add([]byte("```\n\n```\n~~~\nx"))
	f.Add([]byte("- \n\n>\n# \n## #"))
	f.Fuzz(func(t *testing.T, data []byte) {
		began := time.Now()
		ex, err := readText(data, kyro.Original{MimeType: mime, URL: "https://a.test/b"}, kyro.DefaultLimits())
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %v", took)
		}
		if err != nil {
			if _, ok := err.(*kyro.Error); !ok {
				t.Error(err)
			}
			return
		}
		checkExtraction(t, ex)
	})
}
