package kyro

import (
	"io"
	"time"
)

// Upload is a file that arrives with a request. Its bytes are read from the connection while Reader is read, and
// are gone when the request has been answered.
type Upload struct {
	FileName    string // as the client names it; not to be trusted
	ContentType string // as the client claims it; not to be trusted
	Reader      io.Reader
}

// MaxSlots is how many uploads of one user may be under way, each with as much as one file may have.
const MaxSlots = 20

// UploadSlot is a place that a file is sent to in parts, before it is a document.
type UploadSlot struct {
	ID            ID
	BotID         ID
	OwnerID       ID
	FileName      string
	Title         string // "" where the file's name serves
	SizeBytes     *int64 // nil where that was not said
	ReceivedBytes int64
	DocumentID    ID // zero until the file is there
	CreatedAt     time.Time
	ExpiresAt     time.Time
}

// NodeID makes UploadSlot a Node.
func (u *UploadSlot) NodeID() ID { return u.ID }

// ReadableBy reports whether the viewer may see the slot. Only the owner may.
func (u *UploadSlot) ReadableBy(v Viewer) bool { return v.Is(u.OwnerID) }
