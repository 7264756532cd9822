package extract

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"kyrochat/kyro"
)

func toks(s string) map[string]int {
	m := map[string]int{}
	for _, w := range strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		m[w]++
	}
	return m
}

func TestDev(t *testing.T) {
	glob := os.Getenv("GLOB")
	if glob == "" {
		t.Skip()
	}
	r := &reader{cacheDir: "/tmp/kyrocache"}
	sum, n := 0.0, 0
	var spent time.Duration
	pages := 0
	for _, g := range strings.Fields(glob) {
		files, _ := filepath.Glob(g)
		for _, f := range files {
			start := time.Now()
			ex, err := r.read(f, PDF, kyro.DefaultLimits(), func(int, int) {})
			d := time.Since(start)
			if err != nil {
				fmt.Printf("%-40s ERR %v\n", filepath.Base(f), err)
				continue
			}
			spent += d
			pages += ex.Pages
			ref, _ := exec.Command("pdftotext", f, "-").Output()
			a, b := toks(ex.Text), toks(string(ref))
			hit, na, nb := 0, 0, 0
			var miss, extra []string
			for w, c := range a {
				na += c
				hit += min(c, b[w])
				if c > b[w] {
					extra = append(extra, w)
				}
			}
			for w, c := range b {
				nb += c
				if c > a[w] {
					miss = append(miss, w)
				}
			}
			f1 := 1.0
			if na+nb > 0 {
				f1 = 2 * float64(hit) / float64(na+nb)
			}
			if nb >= 20 {
				sum += f1
				n++
			}
			fmt.Printf("%-40s F1 %.3f n=%d pages=%d blocks=%d %v warn=%d\n", filepath.Base(f), f1, nb, ex.Pages, len(ex.Blocks), d.Round(time.Millisecond), len(ex.Warnings))
			if f1 < 0.98 {
				fmt.Println("   miss", miss[:min(12, len(miss))], "extra", extra[:min(12, len(extra))])
			}
			if os.Getenv("SHOW") != "" {
				for _, bl := range ex.Blocks {
					fmt.Printf("[p%d %s %d] %q\n", bl.Page, bl.Kind, bl.Level, ex.Text[bl.Start:bl.End])
				}
			}
		}
	}
	fmt.Printf("mean %.4f over %d, %d pages %v\n", sum/float64(n), n, pages, spent)
}
