package extract

import (
	"fmt"
	"github.com/klippa-app/go-pdfium/requests"
	"kyrochat/kyro"
	"os"
	"testing"
)

func TestDevLines(t *testing.T) {
	f := os.Getenv("FILE")
	if f == "" {
		t.Skip()
	}
	e, _ := newPDFEngine("/tmp/kyrocache")
	in, _ := e.pool.GetInstance(10e9)
	b, _ := os.ReadFile(f)
	d, err := in.OpenDocument(&requests.OpenDocument{File: &b})
	if err != nil {
		t.Fatal(err)
	}
	var pages []pdfPage
	for i := 0; i < 3; i++ {
		p, err := readPage(in, d.Document, i)
		if err != nil {
			break
		}
		pages = append(pages, p)
		for _, l := range p.lines {
			fmt.Printf("%d x%.1f-%.1f y%.1f fw%.1f s%.1f b%v h%v %q\n", i+1, l.left, l.right, l.y, l.firstWord, l.size, l.bold, l.hyphen, l.text)
		}
	}
	fmt.Printf("%+v\n", styleOf(pages))
	tx, _ := in.GetPageText(&requests.GetPageText{Page: requests.Page{ByIndex: &requests.PageByIndex{Document: d.Document, Index: 0}}})
	fmt.Printf("%q\n", tx.Text)
	_ = kyro.Limits{}
}
