package ingest

import (
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
