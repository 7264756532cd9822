package extract

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"kyrochat/kyro"
	"kyrochat/text"
)

// Whatever comes out of a child is distrusted: a file may have taken it over. It may then say what it likes of this file,
// and nothing that could harm more than that.

const (
	// maxWarnings is how many warnings there may be besides one for each page.
	maxWarnings = 20
	// maxSteps is how often a child may tell how far it is: each may be written to the database.
	maxSteps = 1_000
	// maxSentence is how long a sentence of a child may be, and maxCode one of its codes, in bytes.
	maxSentence, maxCode = 1_000, 40
	// maxLevel is more than any heading has.
	maxLevel = 100
)

// sane reports what an extraction has that no child would send by itself. What is a sentence for people is made fit for them.
func sane(ex *kyro.Extraction, limits kyro.Limits) error {
	switch {
	case len(ex.Text) > limits.MaxExtractedText, len(ex.Blocks) > maxBlocks, ex.Pages > limits.MaxPages, len(ex.Warnings) > limits.MaxPages+maxWarnings:
		return errors.New("the extractor sent more than its limits")
	case ex.Pages < 0, len(ex.PageChars) != 0 && len(ex.PageChars) != ex.Pages,
		slices.ContainsFunc(ex.PageChars, func(n int) bool { return n < 0 || n > math.MaxInt32 }):
		return errors.New("the extractor counted pages that are not there")
	case text.Normalize(ex.Text) != ex.Text:
		return errors.New("the extractor sent a text that is not in its stored form")
	}
	if page := ex.Page; page != nil && (len(page.Links) > kyro.MaxPageLinks || len(page.Canonical) > kyro.MaxURL ||
		slices.ContainsFunc(page.Links, func(link string) bool { return len(link) > kyro.MaxURL })) {
		return errors.New("the extractor sent links beyond its limits")
	}
	at := 0
	for _, b := range ex.Blocks {
		if b.Start < at || b.End < b.Start || b.End > len(ex.Text) || !onRune(ex.Text, b.Start) || !onRune(ex.Text, b.End) {
			return errors.New("the extractor sent blocks outside of the text")
		}
		if b.Page < 0 || b.Page > ex.Pages || b.Level < 0 || b.Level > maxLevel || !slices.Contains(blockKinds, b.Kind) {
			return errors.New("the extractor sent blocks of no kind or page")
		}
		at = b.End
	}
	ex.Title = sentence(ex.Title)
	for i := range ex.Warnings {
		w := &ex.Warnings[i]
		if !isCode(w.Code) || w.Page != nil && (*w.Page < 1 || *w.Page > limits.MaxPages) {
			return errors.New("the extractor sent a warning of no code or page")
		}
		w.Message = sentence(w.Message)
	}
	return nil
}

var blockKinds = []kyro.BlockKind{kyro.BlockHeading, kyro.BlockParagraph, kyro.BlockList, kyro.BlockTable, kyro.BlockCode}

func onRune(s string, i int) bool { return i == len(s) || utf8.RuneStart(s[i]) }

// isCode reports capital letters and underscores, not too many.
func isCode(s string) bool {
	return s != "" && len(s) <= maxCode && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

// sentence is a sentence of a child: one line that can be read, and not too long.
func sentence(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), maxSentence)], "")
	return strings.Join(strings.Fields(text.Normalize(s)), " ")
}

// sane reports whether there can be so much progress.
func (s *stage) sane() bool { return s.Done >= 0 && s.Done <= s.Total && s.Total <= math.MaxInt32 }

// failures are what may be wrong with a file. Other codes mean something to whoever asked for it to be read: that it is to be
// read again later, for instance, or that its run is over.
var failures = []kyro.Code{kyro.CodeUnsupportedType, kyro.CodeFileEmpty, kyro.CodeValidation, kyro.CodeLimitReached}

// err is the failure as an error: one for people, or one to be logged.
func (f *failure) err() error {
	message := sentence(f.Message)
	switch {
	case f.Code == "":
		return fmt.Errorf("%w: %s", errReported, message)
	case !slices.Contains(failures, f.Code) || message == "":
		return errors.New("the extractor told of a failure that no file has")
	}
	return kyro.Errorf(f.Code, "%s", message)
}
