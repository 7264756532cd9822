package ingest

import (
	"context"
	"io"
	"slices"
	"time"

	"kyrochat/kyro"
	"kyrochat/text"
)

// SlotStore keeps the places that files are sent to in parts.
type SlotStore interface {
	// CreateSlot makes a place for a live bot of the owner; NOT_FOUND where there is no such bot, LIMIT_REACHED where the
	// owner has so many that are not complete and not over.
	CreateSlot(ctx context.Context, u kyro.UploadSlot, most int) (kyro.UploadSlot, error)
	Slots(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.UploadSlot, error)
	// OpenSlot finds a slot that is not over, of an account in use and a live bot; NOT_FOUND else.
	OpenSlot(ctx context.Context, id kyro.ID, now time.Time) (kyro.UploadSlot, error)
	// AddPart adds bytes behind the at that are there, in one fact; CONFLICT where there are more or less, or a document
	// by now. Without a body it notes only that they are there.
	AddPart(ctx context.Context, id kyro.ID, at int64, size int, body []byte) error
	// Parts reads the bodies of all parts, as long as ctx lasts.
	Parts(ctx context.Context, id kyro.ID) io.Reader
	// DropSlot removes a slot that has no document, with what is there. None is no error.
	DropSlot(ctx context.Context, id kyro.ID) error
	// SweepSlots removes slots that are over.
	SweepSlots(ctx context.Context, now time.Time) error
	// UnknownSlots gives those of the slots that are not there, or have their document.
	UnknownSlots(ctx context.Context, ids []kyro.ID) ([]kyro.ID, error)
	// OwnDocument reads a live document of an account in use; NOT_FOUND else.
	OwnDocument(ctx context.Context, owner, id kyro.ID) (kyro.Document, error)
}

// PartFiles keeps on this node what is there of uploads, where the store does not.
type PartFiles interface {
	// AppendPart writes bytes behind the at that are there, in place of what a crash left behind them, and makes sure that
	// they are on the disk.
	AppendPart(slot kyro.ID, at int64, body []byte) error
	// OpenParts reads the first size bytes that are there.
	OpenParts(slot kyro.ID, size int64) (io.ReadCloser, error)
	// DropParts removes what is there. Nothing is no error.
	DropParts(slot kyro.ID) error
	// SlotsWithParts gives the slots that something is there of which was last written before the time.
	SlotsWithParts(before time.Time) ([]kyro.ID, error)
}

// Grants makes and reads capabilities: texts that nobody can make up, each good for one use of what it is about until it
// ends. Nothing of them is stored.
type Grants interface {
	Grant(use string, expires time.Time, about ...int64) string
	// Granted gives what a capability for the use is about; nil for all that is none, or is over.
	Granted(use, token string, now time.Time) (about []int64)
}

// The uses of capabilities, which are the paths of their addresses too.
const (
	UploadsPath = "/uploads/"
	FilesPath   = "/files/"
)

// NewSlot is a file that will be sent.
type NewSlot struct {
	FileName  string
	SizeBytes *int64
	Title     *string
}

// CreateSlot makes a place to send a file for a bot of the viewer to. VALIDATION for name, title and size, FILE_TOO_LARGE at
// the size; LIMIT_REACHED with kyro.MaxSlots that are not complete; NOT_FOUND for a bot that is not the viewer's;
// RATE_LIMITED as for Upload, of which each counts as one.
func (s *Service) CreateSlot(ctx context.Context, v kyro.Viewer, botID kyro.ID, n NewSlot) (kyro.UploadSlot, error) {
	if err := v.MustFor(botID, kyro.KindBot, kyro.ScopeIngest); err != nil {
		return kyro.UploadSlot{}, err
	}
	if err := s.takesIn(); err != nil {
		return kyro.UploadSlot{}, err
	}
	u := kyro.UploadSlot{BotID: botID, OwnerID: v.UserID, SizeBytes: n.SizeBytes, FileName: kyro.CleanFileName(text.Normalize(n.FileName))}
	if u.FileName == "" {
		return kyro.UploadSlot{}, kyro.Invalid("fileName", "Give the file's name, with its extension.")
	}
	if n.Title != nil {
		title, err := checkTitle(*n.Title)
		if err != nil {
			return kyro.UploadSlot{}, err
		}
		u.Title = title
	}
	switch size := n.SizeBytes; {
	case size == nil:
	case *size < 1:
		return kyro.UploadSlot{}, kyro.Invalid("sizeBytes", "The size must be at least 1 byte.")
	case *size > s.limits.MaxUploadBytes:
		return kyro.UploadSlot{}, tooLarge(s.limits.MaxUploadBytes).At("sizeBytes")
	}
	if err := s.ownBot(ctx, v, botID); err != nil {
		return kyro.UploadSlot{}, err
	}
	if err := s.limit(ctx, v); err != nil {
		return kyro.UploadSlot{}, err
	}
	u.CreatedAt = s.time()
	u.ExpiresAt = u.CreatedAt.Add(s.slotTTL).Truncate(time.Second)
	return s.slots.CreateSlot(ctx, u, kyro.MaxSlots)
}

// tooLarge is the error of a file of more bytes than one may have.
func tooLarge(limit int64) *kyro.Error {
	return kyro.Errorf(kyro.CodeFileTooLarge, "The file is larger than %d bytes, the most for one file.", limit)
}

// Slots reads upload slots of the viewer, in any order, and leaves out what is not the viewer's. Whoever has the address of
// one may send to it, so that it takes the right to do so to see one.
func (s *Service) Slots(ctx context.Context, v kyro.Viewer, ids []kyro.ID) ([]kyro.UploadSlot, error) {
	if err := v.Must(kyro.ScopeIngest); err != nil {
		return nil, err
	}
	slots, err := s.slots.Slots(ctx, v.UserID, ids)
	return slices.DeleteFunc(slots, func(u kyro.UploadSlot) bool { return !u.ReadableBy(v) }), err
}

// SlotURL is where the file of a slot is sent; "" once it is there.
func (s *Service) SlotURL(u *kyro.UploadSlot) string {
	if !u.DocumentID.IsZero() {
		return ""
	}
	return s.base() + UploadsPath + s.grants.Grant(UploadsPath, u.ExpiresAt, u.ID.Key)
}

// Slot finds the slot of an address. NOT_FOUND, in one text, for whatever is none: made up, over, given up, of an account
// out of use, of a bot that is gone.
func (s *Service) Slot(ctx context.Context, token string) (kyro.UploadSlot, error) {
	now := s.time()
	about := s.grants.Granted(UploadsPath, token, now)
	if len(about) != 1 {
		return kyro.UploadSlot{}, noSlot()
	}
	slot, err := s.slots.OpenSlot(ctx, kyro.UploadID(about[0]), now)
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		err = noSlot()
	}
	return slot, err
}

func noSlot() error {
	return kyro.Errorf(kyro.CodeNotFound, "There is no upload here, or not any more. Make a new one by createUpload.")
}

// EndSlot ends an upload that is not complete; CONFLICT where it is.
func (s *Service) EndSlot(ctx context.Context, token string) error {
	slot, err := s.Slot(ctx, token)
	if err != nil {
		return err
	}
	_, leave, err := s.senders.begin(ctx, slot.ID)
	if err != nil {
		return err
	}
	defer leave()
	if slot, err = s.Slot(ctx, token); err != nil {
		return err
	}
	if !slot.DocumentID.IsZero() {
		return kyro.Errorf(kyro.CodeConflict, "The file is there, and a document by now. Delete it by deleteDocument.")
	}
	if err := s.slots.DropSlot(ctx, slot.ID); err != nil {
		return err
	}
	return s.dropParts(slot.ID)
}

// dropParts removes what is there of an upload on this node.
func (s *Service) dropParts(slot kyro.ID) error {
	if s.shared {
		return nil
	}
	return s.parts.DropParts(slot)
}

// sweepSlots removes uploads that are over, with what this node has of them.
func (s *Service) sweepSlots(ctx context.Context) error {
	if s.slots == nil {
		return nil
	}
	if err := s.slots.SweepSlots(ctx, s.time()); err != nil || s.shared {
		return err
	}
	// What was written a moment ago may be of a slot that is made now.
	ids, err := s.parts.SlotsWithParts(s.now().Add(-sweepAge))
	if err != nil {
		return err
	}
	unknown, err := s.slots.UnknownSlots(ctx, ids)
	if err != nil {
		return err
	}
	for _, id := range unknown {
		if err := s.parts.DropParts(id); err != nil {
			return err
		}
	}
	return nil
}
