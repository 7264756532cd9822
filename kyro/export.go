package kyro

import (
	"strings"
	"time"
)

// ExportKind is what an export is of.
type ExportKind string

// The kinds of exports.
const (
	ExportConversations ExportKind = "CONVERSATIONS" // the owner's conversations with a bot
	ExportMyData        ExportKind = "MY_DATA"       // everything that is kept of a person
)

// ExportFormat is what the file of an export is.
type ExportFormat string

// The formats of exports.
const (
	ExportJSONL ExportFormat = "JSONL" // a line for each message
	ExportCSV   ExportFormat = "CSV"   // a row for each message
	ExportZIP   ExportFormat = "ZIP"   // an archive of JSON and original files
)

// ExportStatus is how far an export is.
type ExportStatus string

// The states of an export, in the order it passes them.
const (
	ExportQueued  ExportStatus = "QUEUED"
	ExportRunning ExportStatus = "RUNNING"
	ExportReady   ExportStatus = "READY"
	ExportFailed  ExportStatus = "FAILED"
)

// Final reports whether nothing more happens to the export by itself, but that it expires.
func (s ExportStatus) Final() bool { return s == ExportReady || s == ExportFailed }

// Limits of exports.
const (
	MaxExports       = 3                  // of one user that are under way or can be downloaded
	MaxExportsListed = 20                 // those that failed included
	ExportTTL        = 7 * 24 * time.Hour // how long one can be downloaded, unless the settings say otherwise
	MaxExportBytes   = 1 << 30            // of its file, unless the settings say otherwise
	ExportLinkTTL    = 5 * time.Minute    // how long an address of its file is good
)

// Export is a file that is made in the background of what belongs to somebody, to be downloaded by them. It holds what was
// there when it was asked for: nothing that was deleted before, and nothing that was created later.
type Export struct {
	ID         ID
	OwnerID    ID
	BotID      ID // of conversations; zero of one's own data
	Kind       ExportKind
	Format     ExportFormat
	From, To   *time.Time // of conversations: the messages that were created in between; nil: no bound
	Status     ExportStatus
	Attempt    int64 // counts the beginnings; a worker of an older one can write nothing
	Done       int   // conversations and documents that are in it by now
	Total      *int  // nil until it began
	SizeBytes  *int64
	Hash       string // SHA-256 of the file, in hex; "" until it is there
	Object     string // where a bucket has the file; "" where none has
	Failure    *Error // why it failed
	CreatedAt  time.Time
	UpdatedAt  time.Time
	FinishedAt *time.Time
	ExpiresAt  time.Time // after which nothing is left of it
}

// NodeID makes Export a Node.
func (e *Export) NodeID() ID { return e.ID }

// ReadableBy reports whether the viewer may see the export. Only the owner may.
func (e *Export) ReadableBy(v Viewer) bool { return v.Is(e.OwnerID) }

// Holds reports whether a message that was created at the time belongs into the export.
func (e *Export) Holds(created time.Time) bool {
	return !created.After(e.CreatedAt) && (e.From == nil || !created.Before(*e.From)) && (e.To == nil || created.Before(*e.To))
}

// Same reports whether two exports were asked for alike, so that one will do.
func (e *Export) Same(other *Export) bool {
	return e.OwnerID == other.OwnerID && e.BotID == other.BotID && e.Kind == other.Kind && e.Format == other.Format &&
		sameMoment(e.From, other.From) && sameMoment(e.To, other.To)
}

func sameMoment(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

// Check checks what is asked for: the format, which must be of the kind, and the span.
func (e *Export) Check() error {
	if (e.Kind == ExportMyData) != (e.Format == ExportZIP) {
		return Invalid("format", "Conversations are exported as JSONL or as CSV.")
	}
	if e.From != nil && e.To != nil && !e.From.Before(*e.To) {
		return Invalid("to", "The end must be after the beginning.")
	}
	return nil
}

// FileName is what the file is called when it is saved.
func (e *Export) FileName() string {
	day := e.CreatedAt.UTC().Format("2006-01-02")
	if e.Kind == ExportMyData {
		return "kyrochat-my-data-" + day + ".zip"
	}
	return "kyrochat-" + strings.ReplaceAll(e.BotID.String(), "_", "-") + "-conversations-" + day + "." + strings.ToLower(string(e.Format))
}

// ExportProgress is how far an export is: conversations and documents that are in it, and how many there are to be. Total is
// nil until it began.
type ExportProgress struct {
	Done  int
	Total *int
}

// Progress is how far the export is.
func (e *Export) Progress() *ExportProgress { return &ExportProgress{e.Done, e.Total} }
