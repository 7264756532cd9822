package kyro

import "io"

// MaxURL is the longest address of a page, in bytes.
const MaxURL = 2_048

// Fetch is a page to be fetched from the web.
type Fetch struct {
	URL          string
	ETag         string // of what is there already: not modified is an answer then, too
	LastModified string
}

// Fetched is what a server answered. Whoever gets it closes Body.
type Fetched struct {
	URL          string // where it was found after redirects
	NotModified  bool   // it is what the Fetch named; there is no Body then
	ContentType  string // as the server claims it; not to be trusted
	ETag         string
	LastModified string
	NoIndex      bool          // the server does not want it to be found (X-Robots-Tag)
	Body         io.ReadCloser // at most as many bytes as one file may have: FILE_TOO_LARGE while it is read
}
