package ingest

import (
	"context"
	"errors"
	"io"
	"time"

	"kyrochat/kyro"
)

const (
	partBytes   = 128 << 10        // held in memory of an upload, and stored at once
	storeMost   = 8                // parts that are stored at once: each is in memory a few times then
	finishMost  = 4                // files that become documents at once
	leastPart   = 16 << 10         // of a part that is not the last, so that nobody makes millions of rows
	storeWait   = 30 * time.Second // for a part to be stored, whatever becomes of the connection
	finishWait  = time.Minute      // for the whole to become a document
	slowestPlan = 1 << 20          // bytes that are copied in a second, at least
)

// Part is a piece of a file that is being sent.
type Part struct {
	At    int64         // how many bytes are before it
	Size  int64         // of the part; -1: up to the end of the body
	Total int64         // of the file; -1: not known yet
	Whole bool          // the body is all of the file
	Body  io.ReadCloser // Close ends a Read that waits

	RequestID string // for the audit log
}

// end is how many bytes of the file there are with the part; -1 where its size is not known.
func (p *Part) end() int64 {
	if p.Size < 0 {
		return -1
	}
	return p.At + p.Size
}

// Sent is what is there of a file after a part of it.
type Sent struct {
	Slot     kyro.UploadSlot
	Document *kyro.Document // once all of it is there
}

// Send takes in a part of a file, which has to begin where the upload is; with the last one the file becomes a document as
// by Upload. What arrives is stored as it comes, so that of a connection that breaks all is there that came. To send the
// last part again gives the document again. CONFLICT for a part that begins elsewhere, Sent says where the upload is;
// VALIDATION for ranges that do not fit; NOT_FOUND as of Slot; UNAVAILABLE while the server goes away; otherwise the errors
// of Upload.
func (s *Service) Send(ctx context.Context, token string, p Part) (Sent, error) {
	slot, err := s.Slot(ctx, token)
	if err != nil {
		return Sent{}, err
	}
	if err := s.takesIn(); err != nil {
		return Sent{Slot: slot}, err
	}
	total, err := s.total(slot, p)
	if err != nil {
		return Sent{Slot: slot}, err
	}
	if !fits(slot, p, total) { // without disturbing who sends now
		return Sent{Slot: slot}, moved()
	}
	ctx, leave, err := s.senders.begin(ctx, slot.ID)
	if err != nil {
		return Sent{Slot: slot}, err
	}
	defer leave()
	if slot, err = s.Slot(ctx, token); err != nil {
		return Sent{}, err
	}
	if !fits(slot, p, total) {
		return Sent{Slot: slot}, moved()
	}
	if !slot.DocumentID.IsZero() {
		return s.sent(ctx, slot)
	}
	if p.At == slot.ReceivedBytes && p.Size != 0 {
		whole, err := s.receive(ctx, &slot, p, total)
		if err != nil {
			return Sent{Slot: slot}, s.refused(ctx, slot, err)
		}
		if whole {
			total = slot.ReceivedBytes
		}
	}
	if total < 0 || slot.ReceivedBytes < total {
		return Sent{Slot: slot}, nil
	}
	sent, err := s.finish(ctx, slot, p.RequestID)
	return sent, s.refused(ctx, slot, err)
}

// refused gives an upload up whose file is refused for its type or its size: nothing that is sent would make it another one,
// so that it would only take a place. The error is given back.
func (s *Service) refused(ctx context.Context, slot kyro.UploadSlot, err error) error {
	switch kyro.ErrorCode(err) {
	case kyro.CodeUnsupportedType, kyro.CodeFileTooLarge:
	default:
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWait)
	defer cancel()
	dropped := s.slots.DropSlot(ctx, slot.ID)
	if dropped == nil {
		dropped = s.dropParts(slot.ID)
	}
	if dropped != nil {
		s.log.WarnContext(ctx, "an upload whose file was refused stays until it is over", "upload", slot.ID.String(), "error", dropped)
	}
	return err
}

// total is how many bytes the file is to have; -1 while nobody said so.
func (s *Service) total(slot kyro.UploadSlot, p Part) (int64, error) {
	total := p.Total
	if p.Whole {
		total = p.Size
	}
	if known := slot.SizeBytes; known != nil {
		if total >= 0 && total != *known {
			return 0, kyro.Invalid("file", "The file was to have %d bytes, and these are of one of %d. Make a new upload.", *known, total)
		}
		total = *known
	}
	switch last := total >= 0 && p.end() == total; {
	case total > s.limits.MaxUploadBytes, p.end() > s.limits.MaxUploadBytes:
		return 0, tooLarge(s.limits.MaxUploadBytes)
	case total >= 0 && p.end() > total:
		return 0, kyro.Invalid("file", "The part ends behind the %d bytes of the file.", total)
	case !p.Whole && !last && p.Size > 0 && p.Size < leastPart:
		return 0, kyro.Invalid("file", "All parts but the last have at least %d bytes.", leastPart)
	}
	return total, nil
}

// fits reports whether the part goes on where the upload is, or repeats the end of all that was to come.
func fits(slot kyro.UploadSlot, p Part, total int64) bool {
	switch {
	case !slot.DocumentID.IsZero():
		return p.end() < 0 || p.end() == slot.ReceivedBytes
	case p.At == slot.ReceivedBytes:
		return true
	default:
		return total == slot.ReceivedBytes && p.end() == total
	}
}

// receive stores what arrives, and notes in the slot how much is there. whole says that the body ended by itself and was to
// be all of the file, of which nobody knew the size.
func (s *Service) receive(ctx context.Context, slot *kyro.UploadSlot, p Part, total int64) (whole bool, err error) {
	defer context.AfterFunc(ctx, func() { _ = p.Body.Close() })()
	room := s.limits.MaxUploadBytes - slot.ReceivedBytes
	if total >= 0 {
		room = total - slot.ReceivedBytes
	}
	if p.Size >= 0 {
		room = p.Size
	}
	body := make([]byte, partBytes)
	for {
		n, broken := fill(p.Body, body)
		if errors.Is(context.Cause(ctx), errOvertaken) {
			return false, moved()
		}
		over := int64(n) > room
		n = int(min(int64(n), room))
		if n > 0 {
			if err := s.keepPart(ctx, slot, body[:n]); err != nil {
				return false, err
			}
			room -= int64(n)
		}
		switch {
		case over && total < 0 && p.Size < 0:
			return false, tooLarge(s.limits.MaxUploadBytes)
		case over:
			return false, kyro.Invalid("file", "More bytes came than were told of.")
		case broken == io.EOF:
			return p.Whole && total < 0, nil
		case broken != nil:
			return false, kyro.Errorf(kyro.CodeBadUserInput, "The part broke off. Go on behind the Upload-Offset bytes that are there.").Because(broken)
		}
		if err := s.takesIn(); err != nil {
			return false, err // what is there stays
		}
	}
}

// fill reads until p is full; an error is that of the body, io.EOF at its end.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = r.Read(p[n:])
		n += more
	}
	return n, err
}

// keepPart stores bytes behind those that are there. First the bytes, then how many there are: of what a crash cut off in
// between, nothing is there.
func (s *Service) keepPart(ctx context.Context, slot *kyro.UploadSlot, body []byte) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWait)
	defer cancel()
	if err := take(ctx, s.storing); err != nil {
		return err
	}
	defer func() { <-s.storing }()
	size, kept := len(body), body
	if !s.shared {
		if err := s.parts.AppendPart(slot.ID, slot.ReceivedBytes, body); err != nil {
			return err
		}
		kept = nil
	}
	if err := s.slots.AddPart(ctx, slot.ID, slot.ReceivedBytes, size, kept); err != nil {
		return err
	}
	slot.ReceivedBytes += int64(size)
	return nil
}

// finish makes a document of all that was sent. It goes on where the client has gone: all of the file is there.
func (s *Service) finish(ctx context.Context, slot kyro.UploadSlot, requestID string) (Sent, error) {
	patience := finishWait + time.Duration(slot.ReceivedBytes)*time.Second/slowestPlan
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := take(ctx, s.finishing); err != nil {
		return Sent{Slot: slot}, err
	}
	defer func() { <-s.finishing }()
	d := kyro.NewDocument{
		BotID: slot.BotID, OwnerID: slot.OwnerID, Kind: kyro.DocumentFile, FileName: slot.FileName, Title: slot.Title, SlotID: slot.ID,
	}
	if d.Title == "" {
		d.Title = titleOf(slot.FileName)
	}
	body, err := s.openParts(ctx, slot)
	if err != nil {
		return Sent{Slot: slot}, err
	}
	defer func() { _ = body.Close() }()
	added, err := s.takeIn(ctx, kyro.Viewer{UserID: slot.OwnerID, RequestID: requestID}, d, body)
	if kyro.ErrorCode(err) == kyro.CodeConflict { // another node was at it, too
		if again, found := s.slots.OpenSlot(ctx, slot.ID, s.time()); found == nil && !again.DocumentID.IsZero() {
			return s.sent(ctx, again)
		}
	}
	if err != nil {
		return Sent{Slot: slot}, err
	}
	if err := s.dropParts(slot.ID); err != nil {
		s.log.WarnContext(ctx, "what was sent of a file stays until it is swept", "upload", slot.ID.String(), "error", err)
	}
	slot.DocumentID = added.Document.ID
	return Sent{Slot: slot, Document: &added.Document}, nil
}

// take waits for a place; whoever has it gives it back.
func take(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return kyro.Errorf(kyro.CodeUnavailable, "Too much is being stored at the moment. Try again in a moment.").Because(ctx.Err())
	}
}

// openParts reads all that is there.
func (s *Service) openParts(ctx context.Context, slot kyro.UploadSlot) (io.ReadCloser, error) {
	switch {
	case slot.ReceivedBytes == 0:
		return io.NopCloser(eof{}), nil
	case s.shared:
		return io.NopCloser(s.slots.Parts(ctx, slot.ID)), nil
	default:
		return s.parts.OpenParts(slot.ID, slot.ReceivedBytes)
	}
}

// eof has nothing to read.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// sent is what there is of a slot that has its document, which may have been deleted since.
func (s *Service) sent(ctx context.Context, slot kyro.UploadSlot) (Sent, error) {
	d, err := s.slots.OwnDocument(ctx, slot.OwnerID, slot.DocumentID)
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		return Sent{}, noSlot()
	}
	return Sent{Slot: slot, Document: &d}, err
}
