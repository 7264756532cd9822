package program

import (
	"archive/zip"
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"kyrochat/internal/gemini"
)

// archived is an archive with these files, as office documents are.
func archived(t *testing.T, files ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.Create(f[0])
		if err == nil {
			_, err = w.Write([]byte(f[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const (
	officeTypes = `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>%s</Types>`
	officeRels  = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/%s" Target="%s"/></Relationships>`
)

// docxTable is a Word document with a table.
func docxTable(t *testing.T, rows [][]string) []byte {
	var b strings.Builder
	for _, row := range rows {
		b.WriteString("<w:tr>")
		for _, cell := range row {
			b.WriteString("<w:tc><w:p><w:r><w:t>" + cell + "</w:t></w:r></w:p></w:tc>")
		}
		b.WriteString("</w:tr>")
	}
	return archived(t,
		[2]string{"[Content_Types].xml", fmt.Sprintf(officeTypes, `<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>`)},
		[2]string{"_rels/.rels", fmt.Sprintf(officeRels, "officeDocument", "word/document.xml")},
		[2]string{"word/document.xml", `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>Our tents of this summer, for hire and for sale.</w:t></w:r></w:p><w:tbl>` + b.String() + `</w:tbl></w:body></w:document>`})
}

// xlsxTable is a workbook of one sheet.
func xlsxTable(t *testing.T, rows [][]string) []byte {
	var b strings.Builder
	for _, row := range rows {
		b.WriteString("<row>")
		for _, cell := range row {
			b.WriteString(`<c t="inlineStr"><is><t>` + cell + "</t></is></c>")
		}
		b.WriteString("</row>")
	}
	return archived(t,
		[2]string{"[Content_Types].xml", fmt.Sprintf(officeTypes, `<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>`)},
		[2]string{"_rels/.rels", fmt.Sprintf(officeRels, "officeDocument", "xl/workbook.xml")},
		[2]string{"xl/workbook.xml", `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Tents" sheetId="1" r:id="r1"/></sheets></workbook>`},
		[2]string{"xl/_rels/workbook.xml.rels", fmt.Sprintf(officeRels, "worksheet", "worksheets/sheet1.xml")},
		[2]string{"xl/worksheets/sheet1.xml", `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>` + b.String() + `</sheetData></worksheet>`})
}

func htmlTable(rows [][]string) []byte {
	var b strings.Builder
	for _, row := range rows {
		b.WriteString("<tr><td>" + strings.Join(row, "</td><td>") + "</td></tr>")
	}
	return []byte("<html><head><title>Tents</title></head><body><h1>Tents</h1><table>" + b.String() + "</table></body></html>")
}

func lines(rows [][]string, before, between, after string) string {
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(before + strings.Join(row, between) + after + "\n")
	}
	return b.String()
}

// TestTablesAnswer asks for the price of one of many tents, in each format that has tables, without a model: the answer is
// its row and no other, told with the names of the columns, and the citation is that line of the document.
func TestTablesAnswer(t *testing.T) {
	t.Parallel()
	rows := [][]string{{"Tent", "Persons", "Price"}, {"Falcon 2", "2", "199 EUR"}, {"Falcon 3", "3", "249 EUR"}, {"Eagle 3", "3", "310 EUR"}, {"Falcon 30", "30", "1900 EUR"}}
	const piped, named = "| Falcon 3 | 3 | 249 EUR |", "Tent: Falcon 3; Persons: 3; Price: 249 EUR"
	p := startServer(t, nil).signUp(t)
	for name, c := range map[string]struct {
		add   func(bot string) *reply
		quote string
	}{
		"CSV":  {func(bot string) *reply { return p.upload(bot, "tents.csv", []byte(lines(rows, "", ",", ""))) }, named},
		"XLSX": {func(bot string) *reply { return p.upload(bot, "tents.xlsx", xlsxTable(t, rows)) }, named},
		"DOCX": {func(bot string) *reply { return p.upload(bot, "tents.docx", docxTable(t, rows)) }, piped},
		"HTML": {func(bot string) *reply { return p.upload(bot, "tents.html", htmlTable(rows)) }, piped},
		"a pair": {func(bot string) *reply {
			table := slices.Insert(slices.Clone(rows), 1, []string{"---", "---", "---"})
			return p.must(`mutation($b: ID!, $a: String!) { uploadDocument: addQADocument(input: {botId: $b, question: "What are the prices of your tents?", answer: $a}) { document { id } errors { code } } }`,
				vars{"b": bot, "a": lines(table, "| ", " | ", " |")})
		}, piped},
	} {
		bot := p.newBot()
		document := c.add(bot).text("uploadDocument.document.id")
		if status := p.settled(document); status != "READY" {
			t.Errorf("%s: the document is %s", name, status)
			continue
		}
		for _, question := range []string{"What does the Falcon 3 cost?", "What is the price of the Falcon 3?"} {
			final, text := p.chat(vars{"botId": bot, "text": question})
			const at = "messageStream.message.citations.0."
			if text != named+" [1]" || len(final.list("messageStream.message.citations")) != 1 || final.text(at+"quote") != c.quote || final.get(at+"verified") != true {
				t.Errorf("%s: %s %q: %s", name, question, text, final.body)
			} else if slice(final.text(at+"document.text"), final.number(at+"charStart"), final.number(at+"charEnd")) != c.quote {
				t.Errorf("%s: the quote does not stand there: %s", name, final.body)
			}
		}
		if final, text := p.chat(vars{"botId": bot, "text": "What does the Falcon 5 cost?"}); final.text("messageStream.message.grounding") != "NOT_FOUND" {
			t.Errorf("%s: of another tent it says %q", name, text)
		}
	}
}

// TestRowsReachThePromptWithTheirColumns: the middle of a long table is asked about by the name of a column, which stands
// many passages above it.
func TestRowsReachThePromptWithTheirColumns(t *testing.T) {
	t.Parallel()
	rows := [][]string{{"Tent", "Deposit", "Rent"}}
	for i := range 200 {
		rows = append(rows, []string{fmt.Sprintf("Falcon %d", 100+i), fmt.Sprintf("%d crowns", 1000+i), fmt.Sprintf("%d crowns a night", 20+i)})
	}
	model := gemini.Start(t, gemini.Options{})
	p := startServer(t, map[string]string{"GEMINI_API_KEY": model.Key, "KYRO_GEMINI_URL": model.URL}).signUp(t)
	bot := p.newBot()
	if status := p.settled(p.upload(bot, "tents.docx", docxTable(t, rows)).text("uploadDocument.document.id")); status != "READY" {
		t.Fatal(status)
	}
	p.chat(vars{"botId": bot, "text": "How high is the deposit of the Falcon 277?"})
	prompt := ""
	for _, q := range model.RequestsOf(gemini.KindAnswer) {
		prompt += q.Prompt
	}
	row := strings.Index(prompt, "| Falcon 277 | 1177 crowns |")
	if row < 0 {
		t.Fatalf("the row is not in the prompt:\n%s", prompt)
	}
	head := prompt[strings.LastIndex(prompt[:row], "Title: "):row]
	if !strings.Contains(head, "\nColumns: Tent | Deposit | Rent\n") || strings.Contains(head, "| Tent | Deposit") {
		t.Errorf("the row stands under:\n%s", head)
	}
}
