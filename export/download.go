package export

import (
	"context"
	"io"

	"kyrochat/kyro"
)

// Path is where files of exports are given out, each by a capability.
const Path = "/exports/"

// Download is the file of an export on its way out.
type Download struct {
	Name     string
	MimeType string
	Hash     string // SHA-256 of the body, in hex
	Body     io.ReadSeekCloser
}

var mimeTypes = map[kyro.ExportFormat]string{kyro.ExportJSONL: "application/jsonl", kyro.ExportCSV: "text/csv", kyro.ExportZIP: "application/zip"}

// URL is where the file of an export can be had for five minutes; "" where there is none. It asks nobody: whether the export
// is still there, and whose, is looked at when somebody comes.
func (s *Service) URL(e *kyro.Export) string {
	if e.Status != kyro.ExportReady {
		return ""
	}
	return s.Base() + Path + s.Grants.Grant(Path, s.time().Add(kyro.ExportLinkTTL), e.ID.Key, e.OwnerID.Key)
}

// Download opens the file of an address, as long as ctx lasts. NOT_FOUND, in one text, for whatever is none: made up, over,
// of an export that was deleted or has expired, of an account out of use. UNAVAILABLE where it is in a bucket that is away.
func (s *Service) Download(ctx context.Context, token string) (Download, error) {
	now := s.time()
	about := s.Grants.Granted(Path, token, now)
	if len(about) != 2 {
		return Download{}, noFile()
	}
	rows, err := s.Store.Exports(ctx, kyro.UserID(about[1]), []kyro.ID{kyro.ExportID(about[0])}, now)
	e, err := kyro.One(rows, err, kyro.KindExport)
	if err == nil && e.Status != kyro.ExportReady {
		err = noFile()
	}
	if err != nil {
		return Download{}, orNoFile(err)
	}
	body, err := s.open(ctx, e)
	if err != nil {
		return Download{}, orNoFile(err)
	}
	return Download{Name: e.FileName(), MimeType: mimeTypes[e.Format], Hash: e.Hash, Body: body}, nil
}

func noFile() error {
	return kyro.Errorf(kyro.CodeNotFound, "There is no file here, or not any more. Ask the export for another url.")
}

func orNoFile(err error) error {
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		return noFile()
	}
	return err
}

// open reads the file of an export, wherever it is.
func (s *Service) open(ctx context.Context, e kyro.Export) (io.ReadSeekCloser, error) {
	switch {
	case e.Object != "" && s.Bucket == nil:
		return nil, kyro.Errorf(kyro.CodeUnavailable, "The storage that has this file is not set up.")
	case e.Object != "":
		return s.Bucket.Open(ctx, e.Object)
	case s.Shared:
		return unclosed{s.Store.ExportFile(ctx, e)}, nil
	default:
		return s.Folder.Open(e.ID)
	}
}

// unclosed needs no closing.
type unclosed struct{ io.ReadSeeker }

func (unclosed) Close() error { return nil }
