package ingest

import (
	"context"
	"io"
	"time"

	"kyrochat/kyro"
)

// downloadTTL is how long the address of an original is good.
const downloadTTL = 5 * time.Minute

// Download is an original on its way out.
type Download struct {
	Name     string // for the file, with an extension
	MimeType string // as it was decided by content
	Hash     string // SHA-256 of the body, in hex; "" where it is not known
	Body     io.ReadSeekCloser
}

// DownloadURL is where the original of a document can be had for five minutes; "" where there is none yet. It asks nobody:
// whether the document is still there, and whose, is looked at when somebody comes.
func (s *Service) DownloadURL(d *kyro.Document) string {
	if d.SizeBytes == nil {
		return ""
	}
	expires := s.time().Add(downloadTTL)
	return s.base() + FilesPath + s.grants.Grant(FilesPath, expires, d.ID.Key, int64(versionInUse(d)), d.OwnerID.Key)
}

// versionInUse is the version that answers use, or the one that is being made where none is.
func versionInUse(d *kyro.Document) int {
	if d.ActiveVersion > 0 {
		return d.ActiveVersion
	}
	return d.Version
}

// Download opens the original of an address, as long as ctx lasts. NOT_FOUND, in one text, for whatever is none: made up,
// over, of a document that was deleted, of an account out of use. UNAVAILABLE where it is in a bucket that is away.
func (s *Service) Download(ctx context.Context, token string) (Download, error) {
	about := s.grants.Granted(FilesPath, token, s.time())
	if len(about) != 3 {
		return Download{}, noFile()
	}
	id, version := kyro.DocumentID(about[0]), int(about[1])
	d, err := s.slots.OwnDocument(ctx, kyro.UserID(about[2]), id)
	if err != nil {
		return Download{}, orNoFile(err)
	}
	body, err := s.open(ctx, id, version)
	if err != nil {
		return Download{}, orNoFile(err)
	}
	found := Download{Name: fileNameOf(&d), MimeType: d.MimeType, Body: body}
	if version == versionInUse(&d) {
		found.Hash = d.ContentHash
	}
	return found, nil
}

// OpenOriginal opens the original of a document of the owner, as long as ctx lasts, with what it is called when it is saved.
// NOT_FOUND where there is no such document, or none is kept; UNAVAILABLE where it is in a bucket that is away.
func (s *Service) OpenOriginal(ctx context.Context, owner, document kyro.ID) (name string, body io.ReadSeekCloser, err error) {
	d, err := s.slots.OwnDocument(ctx, owner, document)
	if err != nil {
		return "", nil, err
	}
	body, err = s.open(ctx, document, versionInUse(&d))
	return fileNameOf(&d), body, err
}

func noFile() error {
	return kyro.Errorf(kyro.CodeNotFound, "There is no file here, or not any more. Ask the document for another downloadUrl.")
}

func orNoFile(err error) error {
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		return noFile()
	}
	return err
}

// extensions are those of what has no file name of its own.
var extensions = map[string]string{
	markdown: ".md", plainText: ".txt", portable: ".pdf", "application/json": ".json", "text/html": ".html", "text/csv": ".csv",
}

// fileNameOf is what the original of a document is called when it is saved.
func fileNameOf(d *kyro.Document) string {
	if d.FileName != "" {
		return d.FileName
	}
	name := kyro.CleanFileName(d.Title)
	if name == "" {
		name = noFileName
	}
	extension := extensions[d.MimeType]
	if d.Kind == kyro.DocumentQA {
		extension = ".json"
	}
	return name + extension
}
