package ingest

import (
	"regexp"

	"kyrochat/kyro"
	"kyrochat/text"
)

// checkTitle checks a title that somebody gave and brings it into the form that texts are stored in: what a reader does
// not see in it a model would still read. VALIDATION where nothing is left.
func checkTitle(title string) (string, error) {
	title, err := kyro.CheckTitle(title)
	if err != nil {
		return "", err
	}
	return kyro.CheckTitle(text.Normalize(title))
}

// betterTitle is what a page calls itself, unless its owner named it, and what a file calls itself, where neither its owner
// nor its name has said what it is about; "" otherwise, and where it does not say.
func betterTitle(d *kyro.Document, own string) string {
	if d.Kind == kyro.DocumentURL && !d.TitleGiven {
		return titleOfText(own)
	}
	if d.Kind != kyro.DocumentFile || d.Title != titleOf(d.FileName) || !meaningless.MatchString(d.Title) {
		return ""
	}
	own = titleOfText(own)
	if own == "" || meaningless.MatchString(own) {
		return ""
	}
	return own
}

// meaningless are names that programs give to files that nobody named.
var meaningless = regexp.MustCompile(`(?i)^(untitled( document)?|download(ed)?( file)?|document|file|unnamed|unknown|new document|scan|tmp|temp|output|export|attachment)[\s_(-]*\d{0,4}\)?$`)
