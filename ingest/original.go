package ingest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"time"

	"kyrochat/kyro"
)

// Originals are in one of three places: the store, as all texts and on PostgreSQL all files are; the files of this node; or
// a bucket, which then has all files. Each says of a document what it is made from, whatever the settings say today, but
// that what lies in a bucket needs the bucket.

// Originals keeps files in a bucket, under keys below the name of the installation. Its errors are UNAVAILABLE, TIMEOUT or
// UPSTREAM_FAILED where it is away or refuses, and NOT_FOUND.
type Originals interface {
	Put(ctx context.Context, key string, r io.Reader, size int64) error
	// Open reads an object, as long as ctx lasts; NOT_FOUND where there is none, also with the first Read.
	Open(ctx context.Context, key string) (io.ReadSeekCloser, error)
	// Remove removes objects. None is no error.
	Remove(ctx context.Context, keys []string) error
	// Walk visits all objects that are older than the time. An error of visit ends it and is given back.
	Walk(ctx context.Context, before time.Time, visit func(keys []string) error) error
}

// ObjectStore remembers which objects of the bucket belong to which documents.
type ObjectStore interface {
	// Object is where the original of a version of a live document is, or of the last one before that brought its own; ""
	// where that is not in a bucket.
	Object(ctx context.Context, document kyro.ID, version int) (string, error)
	// DeadObjects gives those of a document that its next Purge forgets: all of a deleted one; of a live one those that
	// nothing will be made from any more.
	DeadObjects(ctx context.Context, document kyro.ID) ([]string, error)
	// UnknownObjects gives those that belong to no document.
	UnknownObjects(ctx context.Context, objects []string) ([]string, error)
}

// theBucket is the bucket as a document waits for it.
var theBucket = upstream{name: "bucket", reason: "The storage of files does not answer at the moment. This goes on by itself.", before: true}

// takeIn receives a file to its end and makes a document of it.
func (s *Service) takeIn(ctx context.Context, v kyro.Viewer, d kyro.NewDocument, r io.Reader) (Added, error) {
	received, err := s.files.Receive(ctx, r, s.limits.MaxUploadBytes)
	if err != nil {
		return Added{}, atFile(err)
	}
	defer s.files.Discard(received)
	if d.MimeType, err = s.typeOf(received, d.FileName); err != nil {
		return Added{}, atFile(err)
	}
	d.SizeBytes, d.ContentHash = &received.Size, received.SHA256
	if !s.shared && s.originals == nil {
		return s.add(ctx, v, d, nil, func(stored kyro.Document) error {
			return s.files.Place(received, stored.ID, stored.Version)
		})
	}
	original, err := s.files.Open(received)
	if err != nil {
		return Added{}, err
	}
	defer func() { _ = original.Close() }()
	if s.originals == nil {
		return s.add(ctx, v, d, original, nil)
	}
	if d.Object, err = s.put(ctx, original, received.Size); err != nil {
		return Added{}, err
	}
	return s.add(ctx, v, d, nil, nil)
}

// put puts a file into the bucket before the row that refers to it is stored. Where that is not stored, the object is left
// to the sweep: whoever removed it could be wrong about what became of the row.
func (s *Service) put(ctx context.Context, original io.Reader, size int64) (key string, err error) {
	key = s.newKey()
	if err := s.originals.Put(ctx, key, original, size); err != nil {
		s.log.WarnContext(ctx, "a file could not be put into the bucket", "error", err)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		away := kyro.Errorf(kyro.CodeUnavailable, "The storage of files does not answer at the moment. Try again in a moment.").Because(err)
		away.RetryAfter = awayPause
		return "", away
	}
	return key, nil
}

// object is where the bucket has the original of a version; "" where it does not.
func (s *Service) object(ctx context.Context, document kyro.ID, version int) (string, error) {
	if s.objects == nil {
		return "", nil
	}
	key, err := s.objects.Object(ctx, document, version)
	if err == nil && key != "" && s.originals == nil {
		err = kyro.Errorf(kyro.CodeUnavailable, "The storage that has this file is not set up.")
	}
	return key, err
}

// fetchOriginal brings an object to this node, where it can be read.
func (w *work) fetchOriginal(ctx context.Context, key string) (path string, discard func(), err error) {
	var received Received
	err = ask(ctx, theBucket, func(ctx context.Context) error {
		body, err := w.originals.Open(ctx, key)
		if err != nil {
			return err
		}
		defer func() { _ = body.Close() }()
		received, err = w.files.Receive(ctx, body, math.MaxInt64)
		return err
	})
	if err != nil {
		return "", nil, err
	}
	return received.Path, func() { w.files.Discard(received) }, nil
}

// open reads the original of a version, wherever it is. NOT_FOUND where none is kept.
func (s *Service) open(ctx context.Context, document kyro.ID, version int) (io.ReadSeekCloser, error) {
	key, err := s.object(ctx, document, version)
	switch {
	case err != nil:
		return nil, err
	case key != "":
		return s.originals.Open(ctx, key)
	}
	body, err := s.store.Original(ctx, document, version)
	if err == nil {
		return unclosed{body}, nil
	}
	for ; kyro.ErrorCode(err) == kyro.CodeNotFound && version > 0; version-- {
		file, none := s.files.Open(Received{Path: s.files.Path(document, version)})
		if !errors.Is(none, fs.ErrNotExist) {
			return file, none
		}
	}
	return nil, err
}

// unclosed needs no closing.
type unclosed struct{ io.ReadSeeker }

func (unclosed) Close() error { return nil }

// purgeObjects removes what the bucket has of a document that nothing is made from any more, before the rows go that say what
// that is.
func (s *Service) purgeObjects(ctx context.Context, document kyro.ID) error {
	if s.originals == nil || s.objects == nil {
		return nil
	}
	keys, err := s.objects.DeadObjects(ctx, document)
	if err != nil || len(keys) == 0 {
		return err
	}
	if err := s.unheld(ctx); err != nil {
		return err
	}
	return ask(ctx, theBucket, func(ctx context.Context) error { return s.originals.Remove(ctx, keys) })
}

// sweepObjects removes what the bucket has that no row refers to: of uploads that came to nothing.
func (s *Service) sweepObjects(ctx context.Context) error {
	if s.originals == nil {
		return nil
	}
	err := s.originals.Walk(ctx, s.now().Add(-sweepAge), func(keys []string) error {
		unknown, err := s.objects.UnknownObjects(ctx, keys)
		if err != nil || len(unknown) == 0 {
			return err
		}
		if err := s.unheld(ctx); err != nil {
			return err
		}
		s.log.InfoContext(ctx, "removing files without a document from the bucket", "files", len(unknown))
		return s.originals.Remove(ctx, unknown)
	})
	if errors.Is(err, kyro.ErrJobAgain) {
		return err
	}
	if err != nil {
		return s.later(ctx, kyro.JobSweepFiles, 0, laterPause, theBucket.because(err))
	}
	return nil
}
