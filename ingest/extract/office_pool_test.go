package extract_test

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"

	"kyrochat/ingest/extract"
	"kyrochat/kyro"
)

// TestOfficeInAProcessOfItsOwn reads a document, and refuses a bomb, as the server does.
func TestOfficeInAProcessOfItsOwn(t *testing.T) {
	t.Parallel()
	pool := newPool(t, kyro.DefaultLimits())
	pack := func(main string) string {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for name, s := range map[string]string{
			"_rels/.rels":       `<Relationships><Relationship Id="a" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`,
			"word/document.xml": main,
		} {
			w, err := z.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, s); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return file(t, b.Bytes())
	}
	read := func(path string) (kyro.Extraction, error) {
		return pool.Extract(t.Context(), kyro.Original{Path: path, MimeType: extract.DOCX}, func(int, int) {})
	}
	ex, err := read(pack(`<document><body><p><r><t>Tea is brewed.</t></r></p></body></document>`))
	if err != nil || ex.Text != "Tea is brewed." {
		t.Errorf("read %q, %v", ex.Text, err)
	}
	bomb := pack(`<document><body>` + string(bytes.Repeat([]byte(" "), 60<<20)) + `</body></document>`)
	_, err = read(bomb)
	wantError(t, "a bomb", err, kyro.CodeValidation, "a piece of its XML is too long")
	_, err = read(file(t, nil))
	wantError(t, "an empty file", err, kyro.CodeFileEmpty, "empty")
}
