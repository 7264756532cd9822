package kyro

import "io"

// Upload is a file that arrives with a request. Its bytes are read from the connection while Reader is read, and
// are gone when the request has been answered.
type Upload struct {
	FileName    string // as the client names it; not to be trusted
	ContentType string // as the client claims it; not to be trusted
	Reader      io.Reader
}
