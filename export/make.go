package export

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	"kyrochat/kyro"
)

const (
	noteEvery  = time.Second      // how often it is noted how far an export is
	awayPause  = 15 * time.Second // before another turn, where something is away; of what is made, it doubles with every beginning
	awayMost   = 10 * time.Minute // and is no longer than this
	awayAge    = 24 * time.Hour   // so old an export is given up, where something is still away
	sweepAge   = time.Hour        // files without an export are left so long
	sweepBatch = 100
)

// errOver says that the attempt counts no more.
var errOver = errors.New("the export is over")

// Work does a JobExport: it makes the file, keeps it, and makes the export READY. A turn that is cut off leaves nothing that
// anybody sees; the next one begins anew.
func (s *Service) Work(ctx context.Context, job kyro.Job) error {
	id := kyro.ExportID(job.Key)
	e, err := s.Store.BeginExport(ctx, id, s.time())
	if kyro.ErrorCode(err) == kyro.CodeNotFound { // final, deleted, or of an account out of use
		return s.fail(ctx, id, 0, outOfUse())
	}
	if err != nil {
		return s.orLater(ctx, kyro.Export{ID: id}, err)
	}
	began := s.Now()
	m := &making{Service: s, e: e}
	err = m.do(ctx)
	switch {
	case err == nil:
		s.Log.InfoContext(ctx, "export made", "export", id.String(), "kind", m.e.Kind, "bytes", *m.e.SizeBytes, "took", s.Now().Sub(began).Round(time.Millisecond))
		return nil
	case errors.Is(err, errOver): // where the account went out of use, nobody else says so
		return s.fail(ctx, id, e.Attempt, outOfUse())
	case kyro.ErrorCode(err) == kyro.CodeFileTooLarge:
		return s.fail(ctx, id, e.Attempt, s.tooLarge(e))
	default:
		return s.orLater(ctx, e, err)
	}
}

// orLater gives an export another turn where something is away that it needs, such as the storage of files: that passes. One
// that is a day old by then, or half as old as it may get, fails and says what was away. Any other error is given back, as is
// what comes of a turn that takes too long or is cut off.
func (s *Service) orLater(ctx context.Context, e kyro.Export, err error) error {
	away, known := errors.AsType[*kyro.Error](err)
	if !known || ctx.Err() != nil {
		return err
	}
	switch away.Code {
	case kyro.CodeUnavailable, kyro.CodeUpstreamFailed, kyro.CodeTimeout:
	default:
		return err
	}
	pause := max(away.RetryAfter, min(awayPause<<min(max(e.Attempt-1, 0), 10), awayMost))
	most := min(awayAge, s.TTL/2) // before it expires
	if !e.CreatedAt.IsZero() && s.Now().Add(pause).Sub(e.CreatedAt) > most {
		s.Log.WarnContext(ctx, "an export is given up, since what it needs is away", "export", e.ID.String(), "error", err)
		why := kyro.Errorf(away.Code, "%s The export was put off for as long as it could be. Ask for it again later.", away.Message)
		return s.fail(ctx, e.ID, e.Attempt, why)
	}
	s.Log.WarnContext(ctx, "an export waits for what is away", "export", e.ID.String(), "attempt", e.Attempt, "pause", pause, "error", err)
	return kyro.JobAgainAfter(pause)
}

// fail gives an export up, of which is told for as long as of one that is READY.
func (s *Service) fail(ctx context.Context, id kyro.ID, attempt int64, why *kyro.Error) error {
	now := s.time()
	return s.Store.FailExport(ctx, id, attempt, why, now, now.Add(s.TTL))
}

func outOfUse() *kyro.Error {
	return kyro.Errorf(kyro.CodeInterrupted, "The account was out of use while this was made. Ask for it again.")
}

func (s *Service) tooLarge(e kyro.Export) *kyro.Error {
	advice := "Ask for parts of it, by from and to."
	if e.Kind == kyro.ExportMyData {
		advice = "Download your documents one by one, or ask whoever runs this server for a higher limit."
	}
	return kyro.Errorf(kyro.CodeFileTooLarge, "The file would be larger than the %d MiB that are allowed. %s", max(1, s.MaxBytes>>20), advice)
}

// GiveUp ends an export whose JobExport has failed for the last time.
func (s *Service) GiveUp(ctx context.Context, job kyro.Job, _ error) error {
	why := kyro.Errorf(kyro.CodeInternal, "The export could not be made because of a fault on our side. Ask for it again later.")
	return s.fail(ctx, kyro.ExportID(job.Key), 0, why)
}

// making is one attempt at an export.
type making struct {
	*Service
	e     kyro.Export
	noted time.Time
}

func (m *making) do(ctx context.Context) error {
	file, err := m.Folder.Create()
	if err != nil {
		return err
	}
	defer m.Folder.Discard(file)
	out := &output{to: file, hash: sha256.New(), limit: m.MaxBytes}
	buffer := bufio.NewWriterSize(out, 64<<10)
	if m.e.Kind == kyro.ExportMyData {
		err = m.archive(ctx, buffer)
	} else {
		err = m.conversations(ctx, buffer)
	}
	if err == nil {
		err = buffer.Flush()
	}
	if err != nil {
		return err
	}
	*m.e.Total = m.e.Done // some may be gone, or have come too late
	m.e.SizeBytes, m.e.Hash = &out.size, hex.EncodeToString(out.hash.Sum(nil))
	if err := m.note(ctx); err != nil { // before the file goes anywhere
		return err
	}
	return m.keep(ctx, file)
}

// keep puts the file where it is downloaded from, and then makes the export READY.
func (m *making) keep(ctx context.Context, file *os.File) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	switch {
	case m.Bucket != nil:
		m.e.Object = m.NewKey()
		if err := m.Bucket.Put(ctx, m.e.Object, file, *m.e.SizeBytes); err != nil {
			return fmt.Errorf("put an export into the bucket: %w", err)
		}
	case m.Shared:
		if err := over(m.Store.SaveExport(ctx, m.e, file)); err != nil {
			return err
		}
	default:
		if err := m.Folder.Keep(file, m.e.ID); err != nil {
			return err
		}
	}
	now := m.time()
	err := over(m.Store.FinishExport(ctx, m.e, now, now.Add(m.TTL)))
	if errors.Is(err, errOver) && m.Bucket == nil && !m.Shared { // whoever deleted it may have looked before the file was there
		err = errors.Join(err, m.Folder.Remove(m.e.ID))
	}
	return err
}

// over makes of the NOT_FOUND of an attempt that counts no more errOver.
func over(err error) error {
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		return fmt.Errorf("%w: %w", errOver, err)
	}
	return err
}

// total says how much there is to do, and more how much of it is done.
func (m *making) total(ctx context.Context, n int) error {
	m.e.Total = &n
	return m.note(ctx)
}

func (m *making) more(ctx context.Context, n int) error {
	m.e.Done += n
	if m.Now().Sub(m.noted) < noteEvery {
		return nil
	}
	return m.note(ctx)
}

func (m *making) note(ctx context.Context) error {
	m.noted = m.Now()
	*m.e.Total = max(*m.e.Total, m.e.Done) // documents may have come meanwhile
	return over(m.Store.NoteExport(ctx, m.e, m.time()))
}

// output is the file of an export, up to a limit.
type output struct {
	to    io.Writer
	hash  hash.Hash
	size  int64
	limit int64
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	if o.size += int64(len(p)); o.size > o.limit {
		return 0, kyro.Errorf(kyro.CodeFileTooLarge, "The export is too large.")
	}
	o.hash.Write(p)
	n, err := o.to.Write(p)
	if err != nil {
		err = fmt.Errorf("write an export: %w", err)
	}
	return n, err
}

// Expire takes exports away that have expired, and removes files of this node that belong to none, as a crash may leave them,
// whole or cut off. It runs on one node at a time: each has its turn, and sweeps before it makes another file, too.
func (s *Service) Expire(ctx context.Context) error {
	if err := s.Store.ExpireExports(ctx, s.time()); err != nil {
		return err
	}
	if err := s.Folder.Sweep(); err != nil {
		return err
	}
	kept, err := s.Folder.Kept(s.Now().Add(-sweepAge))
	if err != nil {
		return err
	}
	for len(kept) > 0 {
		batch := kept[:min(sweepBatch, len(kept))]
		kept = kept[len(batch):]
		unknown, err := s.Store.UnknownExports(ctx, batch)
		if err != nil {
			return err
		}
		for _, id := range unknown {
			if err := s.Folder.Remove(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// Drop does a JobDropExport: it removes what is left of an export that was taken away, the file before the row. Nothing else
// would ever do so: where something is away or fails, it has another turn.
func (s *Service) Drop(ctx context.Context, job kyro.Job) error {
	err := s.drop(ctx, kyro.ExportID(job.Key))
	if err == nil || ctx.Err() != nil {
		return err
	}
	s.Log.WarnContext(ctx, "an export could not be removed yet; trying again", "export", kyro.ExportID(job.Key).String(), "error", err)
	return kyro.JobAgainAfter(awayPause)
}

func (s *Service) drop(ctx context.Context, id kyro.ID) error {
	e, err := s.Store.DeletedExport(ctx, id)
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if e.Object != "" && s.Bucket != nil {
		if err := s.Bucket.Remove(ctx, []string{e.Object}); err != nil {
			return err
		}
	}
	if err := s.Folder.Remove(id); err != nil {
		return err
	}
	return s.Store.DropExport(ctx, id)
}
