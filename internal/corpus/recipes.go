package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
)

// recipe says how a file of the corpus is made. What was written into it is its reference where no other program tells
// that; PDF and DOCX are read by pdftotext and pandoc.
type recipe struct {
	file     string
	producer string // programs that worked one after the other, joined by " + "
	language string
	kind     string
	warnings string // codes that reading it must give
	make     func(*kitchen) (path string, written []byte, err error)
}

var recipes = []recipe{
	// Printed by LibreOffice
	{file: "manual-libreoffice.pdf", producer: "pandoc + LibreOffice", language: "en", kind: "manual: lists, table, code, footnote", make: officePDF("manual-en.md")},
	{file: "contract-libreoffice.pdf", producer: "pandoc + LibreOffice", language: "de", kind: "contract: sections, table", make: officePDF("contract-de.md")},
	{file: "minutes-libreoffice.pdf", producer: "pandoc + LibreOffice", language: "ru", kind: "minutes: numbered list, table", make: officePDF("minutes-ru.md")},
	{file: "prices-libreoffice.pdf", producer: "pandoc + LibreOffice", language: "zh", kind: "price list: tables", make: officePDF("prices-zh.md")},
	{file: "report-libreoffice.pdf", producer: "LibreOffice", language: "en", kind: "report: header, footer with page numbers, table over pages with repeated head, merged cells, tracked changes, footnote",
		make: func(k *kitchen) (string, []byte, error) { return printed(k)(k.inventory()) }},
	{file: "slides-libreoffice.pdf", producer: "pandoc + LibreOffice", language: "en", kind: "slides", make: func(k *kitchen) (string, []byte, error) {
		return printed(k)(k.pandoc(k.source("slides-en.md"), "pptx"))
	}},
	{file: "ledger-libreoffice.pdf", producer: "openpyxl + LibreOffice", language: "en", kind: "printed sheet: head repeated on each page", make: func(k *kitchen) (string, []byte, error) {
		path, _, err := k.python("ledger.py", "xlsx")
		return printed(k)(path, err)
	}},

	// Set by LaTeX
	{file: "paper-latex.pdf", producer: "pdfTeX", language: "en", kind: "paper: two columns, ligatures, hyphenation, footnote, formula, table", make: latexPDF("paper-en.tex")},
	{file: "report-latex.pdf", producer: "pdfTeX", language: "de", kind: "report: hyphenation, header, page numbers", make: latexPDF("report-de.tex")},
	{file: "manual-latex.pdf", producer: "pandoc + pdfTeX", language: "en", kind: "manual: outline, lists, table, code, footnote", make: pandocPDF("manual-en.md", "-V", "fontfamily=mathptmx")},
	{file: "contract-latex.pdf", producer: "pandoc + pdfTeX", language: "de", kind: "contract: outline, sections, table", make: pandocPDF("contract-de.md", "-V", "lang=de")},

	// Printed by Chromium
	{file: "manual-chromium.pdf", producer: "pandoc + Chromium", language: "en", kind: "manual: date, title and page number on each page", make: chromiumPDF("manual-en.md", "--header")},
	{file: "faq-chromium.pdf", producer: "pandoc + Chromium", language: "es", kind: "questions and answers: table", make: chromiumPDF("faq-es.md")},
	{file: "minutes-chromium.pdf", producer: "pandoc + Chromium", language: "ru", kind: "minutes: table", make: chromiumPDF("minutes-ru.md")},
	{file: "prices-chromium.pdf", producer: "pandoc + Chromium", language: "zh", kind: "price list: tables", make: chromiumPDF("prices-zh.md")},
	{file: "guide-chromium.pdf", producer: "pandoc + Chromium", language: "ar", kind: "guide: written from right to left", make: chromiumPDF("guide-ar.md", "-V", "lang=ar", "-V", "dir=rtl")},
	{file: "notice-chromium.pdf", producer: "pandoc + Chromium", language: "th", kind: "notice: no spaces between words", make: chromiumPDF("notice-th.md")},
	{file: "site-chromium.pdf", producer: "pandoc + Chromium", language: "en", kind: "printed web page with navigation and advertisements", make: func(k *kitchen) (string, []byte, error) {
		path, err := k.page("site-news.html", "changes-en.md", "House rules", "en", "utf-8")
		if err != nil {
			return "", nil, err
		}
		path, err = k.chromium(path, false)
		return path, nil, err
	}},

	// Set by groff, written anew by Ghostscript and qpdf
	{file: "manual-groff.pdf", producer: "pandoc + groff + Ghostscript", language: "en", kind: "manual: page numbers, hyphenation, by way of PostScript", make: groffPDF("manual-en.md")},
	{file: "faq-groff.pdf", producer: "pandoc + groff + Ghostscript", language: "es", kind: "questions and answers, by way of PostScript", make: groffPDF("faq-es.md")},
	{file: "paper-ghostscript.pdf", producer: "pdfTeX + Ghostscript", language: "en", kind: "paper: two columns, distilled again", make: redistilled(latexPDF("paper-en.tex"))},
	{file: "contract-ghostscript.pdf", producer: "pandoc + LibreOffice + Ghostscript", language: "de", kind: "contract, distilled again", make: redistilled(officePDF("contract-de.md"))},
	{file: "minutes-ghostscript.pdf", producer: "pandoc + Chromium + Ghostscript", language: "ru", kind: "minutes, distilled again", make: redistilled(chromiumPDF("minutes-ru.md"))},
	{file: "report-rotated.pdf", producer: "pdfTeX + qpdf", language: "de", kind: "report: pages turned by a quarter", make: rewritten(latexPDF("report-de.tex"), "--rotate=+90")},
	{file: "contract-encrypted.pdf", producer: "pandoc + LibreOffice + qpdf", language: "de", kind: "contract: encrypted, opens without a password", make: rewritten(officePDF("contract-de.md"), "--encrypt", "", "owner", "256", "--")},
	{file: "scan.pdf", producer: "pandoc + LibreOffice + Ghostscript", language: "zh", kind: "scan: pictures of pages", warnings: "PAGE_WITHOUT_TEXT", make: func(k *kitchen) (string, []byte, error) {
		path, _, err := officePDF("prices-zh.md")(k)
		if err == nil {
			path, err = k.scan(path)
		}
		return path, nil, err
	}},
	{file: "mixed.pdf", producer: "pandoc + LibreOffice + Ghostscript + qpdf", language: "es", kind: "printed pages with a scan behind them", warnings: "PAGE_WITHOUT_TEXT", make: func(k *kitchen) (string, []byte, error) {
		text, _, err := officePDF("faq-es.md")(k)
		if err != nil {
			return "", nil, err
		}
		scan, err := k.scan(text)
		if err == nil {
			scan, err = k.qpdf(text, "--pages", text, scan, "1", "--")
		}
		return scan, nil, err
	}},

	// Word
	{file: "manual-pandoc.docx", producer: "pandoc", language: "en", kind: "manual: lists, table, code, footnote", make: pandocTo("manual-en.md", "docx")},
	{file: "contract-pandoc.docx", producer: "pandoc", language: "de", kind: "contract: sections, table", make: pandocTo("contract-de.md", "docx")},
	{file: "faq-pandoc.docx", producer: "pandoc", language: "es", kind: "questions and answers: table", make: pandocTo("faq-es.md", "docx")},
	{file: "guide-pandoc.docx", producer: "pandoc", language: "ar", kind: "guide: written from right to left", make: pandocTo("guide-ar.md", "docx")},
	{file: "changes-pandoc.docx", producer: "pandoc", language: "en", kind: "rules: tracked changes, footnote", make: pandocTo("changes-en.md", "docx", "--track-changes=all")},
	{file: "manual-libreoffice.docx", producer: "pandoc + LibreOffice", language: "en", kind: "manual: lists, table, code, footnote", make: officeFrom("manual-en.md", "odt", "docx")},
	{file: "minutes-libreoffice.docx", producer: "pandoc + LibreOffice", language: "ru", kind: "minutes: numbered list, table", make: officeFrom("minutes-ru.md", "odt", "docx")},
	{file: "prices-libreoffice.docx", producer: "pandoc + LibreOffice", language: "zh", kind: "price list: tables", make: officeFrom("prices-zh.md", "odt", "docx")},
	{file: "report-libreoffice.docx", producer: "LibreOffice", language: "en", kind: "report: header, footer, long table, merged cells, tracked changes, footnote", make: func(k *kitchen) (string, []byte, error) {
		path, err := k.inventory()
		if err == nil {
			path, err = k.office(path, "docx")
		}
		return path, nil, err
	}},
	{file: "letter-python.docx", producer: "python-docx", language: "en", kind: "letter: merged cells, header, footer", make: func(k *kitchen) (string, []byte, error) {
		return k.python("letter.py", "docx")
	}},

	// PowerPoint and Excel
	{file: "workshop-pandoc.pptx", producer: "pandoc", language: "en", kind: "slides: lists, table, notes", make: slides("slides-en.md")},
	{file: "library-pandoc.pptx", producer: "pandoc", language: "de", kind: "slides: lists, table", make: slides("slides-de.md")},
	{file: "library-libreoffice.pptx", producer: "pandoc + LibreOffice", language: "de", kind: "slides: lists, table", make: func(k *kitchen) (string, []byte, error) {
		path, written, err := slides("slides-de.md")(k)
		for _, ext := range []string{"odp", "pptx"} {
			if err == nil {
				path, err = k.office(path, ext)
			}
		}
		return path, written, err
	}},
	{file: "budget-openpyxl.xlsx", producer: "openpyxl", language: "en", kind: "workbook: three sheets, merged cells, dates, a formula without its value", make: func(k *kitchen) (string, []byte, error) {
		return k.python("budget.py", "xlsx")
	}},
	{file: "budget-libreoffice.xlsx", producer: "openpyxl + LibreOffice", language: "en", kind: "workbook: three sheets, merged cells, dates, a formula with its value", make: func(k *kitchen) (string, []byte, error) {
		path, written, err := k.python("budget.py", "xlsx")
		if err == nil {
			path, err = k.office(path, "ods")
		}
		if err == nil {
			path, err = k.office(path, "xlsx")
		}
		return path, append(written, "2965.5\n"...), err
	}},
	{file: "ledger-openpyxl.xlsx", producer: "openpyxl", language: "en", kind: "a long sheet", make: func(k *kitchen) (string, []byte, error) {
		return k.python("ledger.py", "xlsx")
	}},
	{file: "stock-libreoffice.xlsx", producer: "LibreOffice", language: "en", kind: "stock list", make: func(k *kitchen) (string, []byte, error) {
		written, err := cells(k, "stock.csv", ",")
		if err != nil {
			return "", nil, err
		}
		path, err := k.office(k.source("stock.csv"), "xlsx")
		return path, bytes.NewBuffer(bytes.ReplaceAll(written, []byte(".00"), nil)).Bytes(), err
	}},

	// Web pages
	{file: "manual-site.html", producer: "pandoc + template", language: "en", kind: "help centre: navigation, sidebar, search, cookie banner, footer", make: web("site-docs.html", "manual-en.md", "Tidewater 300", "en", "utf-8")},
	{file: "changes-news.html", producer: "pandoc + template", language: "en", kind: "newspaper: advertisements, comments, newsletter, related articles", make: web("site-news.html", "changes-en.md", "House rules", "en", "utf-8")},
	{file: "faq-shop.html", producer: "pandoc + template", language: "es", kind: "shop: menus, recommendations, hidden popup", make: web("site-shop.html", "faq-es.md", "Preguntas frecuentes", "es", "utf-8")},
	{file: "contract-tables.html", producer: "pandoc + template", language: "de", kind: "page laid out by tables, windows-1252", make: web("site-tables.html", "contract-de.md", "Wartungsvertrag", "de", "windows-1252")},
	{file: "minutes-tables.html", producer: "pandoc + template", language: "ru", kind: "page laid out by tables, windows-1251", make: web("site-tables.html", "minutes-ru.md", "Протокол", "ru", "windows-1251")},
	{file: "prices-tables.html", producer: "pandoc + template", language: "zh", kind: "page laid out by tables, gb18030", make: web("site-tables.html", "prices-zh.md", "茶叶价格表", "zh", "gb18030")},
	{file: "guide-site.html", producer: "pandoc + template", language: "ar", kind: "help centre, written from right to left", make: web("site-docs.html", "guide-ar.md", "دليل المكتبة", "ar", "utf-8")},

	// Markdown and plain text
	{file: "manual.md", producer: "by hand", language: "en", kind: "manual: front matter, lists, table, code, footnote", make: markdown("manual-en.md")},
	{file: "faq.md", producer: "by hand", language: "es", kind: "questions and answers: table", make: markdown("faq-es.md")},
	{file: "notice.md", producer: "by hand", language: "th", kind: "notice: no spaces between words", make: markdown("notice-th.md")},
	{file: "manual-utf8.txt", producer: "pandoc", language: "en", kind: "plain text, UTF-8", make: plainText("manual-en.md", "utf-8")},
	{file: "contract-windows1252.txt", producer: "pandoc", language: "de", kind: "plain text, windows-1252", warnings: "CHARSET_GUESSED", make: plainText("contract-de.md", "windows-1252")},
	{file: "faq-utf16.txt", producer: "pandoc", language: "es", kind: "plain text, UTF-16 with a byte order mark", make: plainText("faq-es.md", "utf-16le+bom")},
	{file: "minutes-windows1251.txt", producer: "pandoc", language: "ru", kind: "plain text, windows-1251", warnings: "CHARSET_GUESSED", make: plainText("minutes-ru.md", "windows-1251")},
	{file: "minutes-utf16be.txt", producer: "pandoc", language: "ru", kind: "plain text, UTF-16 with a byte order mark, big end first", make: plainText("minutes-ru.md", "utf-16be+bom")},
	{file: "prices-gb18030.txt", producer: "pandoc", language: "zh", kind: "plain text, gb18030", warnings: "CHARSET_GUESSED", make: plainText("prices-zh.md", "gb18030")},
	{file: "guide-windows1256.txt", producer: "pandoc", language: "ar", kind: "plain text, windows-1256", warnings: "CHARSET_GUESSED", make: plainText("guide-ar.md", "windows-1256")},
	{file: "returns-shiftjis.txt", producer: "by hand", language: "ja", kind: "plain text, Shift_JIS", warnings: "CHARSET_GUESSED", make: byHand("returns-ja.txt", "shift_jis", nil)},

	// Records
	{file: "stock.csv", producer: "by hand", language: "en", kind: "stock list: commas, quotes, a line end within a cell", make: byHand("stock.csv", "utf-8", separated(","))},
	{file: "timetable.csv", producer: "by hand", language: "de", kind: "timetable: semicolons, windows-1252", warnings: "CHARSET_GUESSED", make: byHand("fahrplan.csv", "windows-1252", separated(";"))},
	{file: "branches.tsv", producer: "by hand", language: "ru", kind: "branches: tabs", make: byHand("branches.tsv", "utf-8", separated("\t"))},
	{file: "tickets.json", producer: "by hand", language: "en", kind: "a list of records, in two languages", make: byHand("tickets.json", "utf-8", values)},
	{file: "recipe.json", producer: "by hand", language: "en", kind: "one nested record", make: byHand("recipe.json", "utf-8", values)},
	{file: "rules.jsonl", producer: "by hand", language: "en", kind: "a record on each line", make: byHand("rules.jsonl", "utf-8", values)},
}

// A making is the last column of a recipe.
type making = func(*kitchen) (string, []byte, error)

// printed lets LibreOffice print what was made.
func printed(k *kitchen) func(string, error) (string, []byte, error) {
	return func(path string, err error) (string, []byte, error) {
		if err == nil {
			path, err = k.office(path, "pdf")
		}
		return path, nil, err
	}
}

func officePDF(source string) making {
	return func(k *kitchen) (string, []byte, error) { return printed(k)(k.pandoc(k.source(source), "odt")) }
}

func latexPDF(source string) making {
	return func(k *kitchen) (string, []byte, error) {
		path, err := k.latex(k.source(source))
		return path, nil, err
	}
}

func pandocPDF(source string, args ...string) making {
	return func(k *kitchen) (string, []byte, error) {
		path, err := k.pandoc(k.source(source), "pdf", args...)
		return path, nil, err
	}
}

func groffPDF(source string) making {
	return func(k *kitchen) (string, []byte, error) {
		data, err := k.groff(k.source(source))
		if err != nil {
			return "", nil, err
		}
		path, err := k.write("ps", data)
		if err == nil {
			path, err = k.redistill(path)
		}
		return path, nil, err
	}
}

// isHeader is the argument that is not for pandoc: Chromium adds a header and a footer to each page.
func isHeader(arg string) bool { return arg == "--header" }

func chromiumPDF(source string, args ...string) making {
	return func(k *kitchen) (string, []byte, error) {
		args, header := slices.DeleteFunc(slices.Clone(args), isHeader), slices.ContainsFunc(args, isHeader)
		path, err := k.pandoc(k.source(source), "html", args...)
		if err == nil {
			path, err = k.chromium(path, header)
		}
		return path, nil, err
	}
}

func redistilled(first making) making {
	return func(k *kitchen) (string, []byte, error) {
		path, _, err := first(k)
		if err == nil {
			path, err = k.redistill(path)
		}
		return path, nil, err
	}
}

func rewritten(first making, args ...string) making {
	return func(k *kitchen) (string, []byte, error) {
		path, _, err := first(k)
		if err == nil {
			path, err = k.qpdf(path, args...)
		}
		return path, nil, err
	}
}

func pandocTo(source, ext string, args ...string) making {
	return func(k *kitchen) (string, []byte, error) {
		path, err := k.pandoc(k.source(source), ext, args...)
		return path, nil, err
	}
}

func officeFrom(source, by, ext string) making {
	return func(k *kitchen) (string, []byte, error) {
		path, err := k.pandoc(k.source(source), by)
		if err == nil {
			path, err = k.office(path, ext)
		}
		return path, nil, err
	}
}

func slides(source string) making {
	return func(k *kitchen) (string, []byte, error) {
		written, err := k.plain(source)
		if err != nil {
			return "", nil, err
		}
		path, err := k.pandoc(k.source(source), "pptx")
		return path, written, err
	}
}

func web(site, article, title, language, charset string) making {
	return func(k *kitchen) (string, []byte, error) {
		written, err := k.plain(article)
		if err != nil {
			return "", nil, err
		}
		path, err := k.page(site, article, title, language, charset)
		return path, written, err
	}
}

func markdown(source string) making {
	return func(k *kitchen) (string, []byte, error) {
		written, err := k.plain(source)
		return k.source(source), written, err
	}
}

func plainText(source, charset string) making {
	return func(k *kitchen) (string, []byte, error) {
		written, err := k.plain(source)
		if err != nil {
			return "", nil, err
		}
		data, err := encode(written, charset)
		if err != nil {
			return "", nil, err
		}
		path, err := k.write("txt", data)
		return path, written, err
	}
}

// byHand takes a source as it is, in a character set; texts gives what a reader of it must find.
func byHand(source, charset string, texts func([]byte) ([]byte, error)) making {
	return func(k *kitchen) (string, []byte, error) {
		data, err := os.ReadFile(k.source(source))
		if err != nil {
			return "", nil, err
		}
		written := data
		if texts != nil {
			if written, err = texts(data); err != nil {
				return "", nil, err
			}
		}
		if data, err = encode(data, charset); err != nil {
			return "", nil, err
		}
		path, err := k.write(strings.TrimPrefix(source[strings.LastIndexByte(source, '.'):], "."), data)
		return path, written, err
	}
}
