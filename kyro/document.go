package kyro

import (
	"slices"
	"strings"
	"time"
	"unicode"
)

// MaxTitle is the longest title of a document or conversation, in characters.
const MaxTitle = 200

// DocumentKind is where a document comes from.
type DocumentKind string

// The kinds of documents.
const (
	DocumentFile DocumentKind = "FILE"
	DocumentURL  DocumentKind = "URL"
	DocumentText DocumentKind = "TEXT"
	DocumentQA   DocumentKind = "QA"
)

// DocumentStatus is how far a document has come on its way to being knowledge.
type DocumentStatus string

// The states of a document, in the order it passes them.
const (
	DocumentQueued       DocumentStatus = "QUEUED"
	DocumentFetching     DocumentStatus = "FETCHING"
	DocumentExtracting   DocumentStatus = "EXTRACTING"
	DocumentChunking     DocumentStatus = "CHUNKING"
	DocumentEmbedding    DocumentStatus = "EMBEDDING"
	DocumentWaitingQuota DocumentStatus = "WAITING_QUOTA"
	DocumentReady        DocumentStatus = "READY"
	DocumentWarned       DocumentStatus = "READY_WITH_WARNINGS"
	DocumentNeedsOCR     DocumentStatus = "NEEDS_OCR"
	DocumentFailed       DocumentStatus = "FAILED"
	DocumentCanceled     DocumentStatus = "CANCELED"
)

// FinalDocumentStatuses are those that a run of ingestion ends with.
var FinalDocumentStatuses = []DocumentStatus{DocumentReady, DocumentWarned, DocumentNeedsOCR, DocumentFailed, DocumentCanceled}

// Final reports whether nothing more happens to the document by itself.
func (s DocumentStatus) Final() bool { return slices.Contains(FinalDocumentStatuses, s) }

// Ready reports whether the document's text was found and is searchable.
func (s DocumentStatus) Ready() bool { return s == DocumentReady || s == DocumentWarned }

// Retryable reports whether retryDocument starts the document again.
func (s DocumentStatus) Retryable() bool { return s.Final() && !s.Ready() }

// Document is one source of knowledge of a bot. Version counts its contents; answers use the active version only.
type Document struct {
	ID            ID
	BotID         ID
	OwnerID       ID
	Kind          DocumentKind
	Title         string
	FileName      string // "" unless a file
	URL           string // "" unless a URL: what the page calls its address, else what was asked for
	PageURL       string // what was asked for, which is fetched
	TitleGiven    bool   // its owner named it; otherwise it is called what its page calls itself
	Lead          string // what its chunks are embedded under where that is not the title, so that a new title changes no chunk
	MimeType      string // decided by content; "" until known
	SizeBytes     *int64 // nil where there is no original
	Version       int    // the version that is being made or was made last, from 1
	ActiveVersion int    // the version that answers use; 0 while there is none
	Run           int64  // counts the runs of ingestion; a worker of an older run can write nothing
	Status        DocumentStatus
	StatusReason  string // for a person; "" where there is nothing to say
	StageDone     int
	StageTotal    *int    // nil while unknown
	Reached       float64 // percent of the way that was done when it ended without success; of no meaning otherwise
	RetryAt       *time.Time
	PageCount     *int
	ChunkCount    int
	CharCount     *int
	Language      string // ISO 639-1, "" where unknown
	ContentHash   string // SHA-256 of the original, in hex
	Warnings      []DocumentWarning
	PageChars     []int       // UTF-16 units of text on each page; nil where the format has none, or until known
	ChunkTokens   *int        // what it was asked to be cut into; nil: the default
	OverlapTokens *int        // likewise
	LastRun       DocumentRun // what was last done about it
	CrawlID       ID          // that found it; zero where there was none
	ETag          string      // of its page, as it was last fetched
	LastModified  string      // likewise
	Claimed       string      // likewise: the Content-Type it came with
	FetchedType   string      // of what was fetched last, by its content
	FetchedURL    string      // where that was found, after redirections; "" where nobody knows
	FetchedRun    int64       // the run that last stored what was fetched; 0 while there was none
	FetchTries    int         // how often that failed in this run
	SyncFailures  int         // how many runs failed in a row that its schedule began
	SyncHours     *int        // how often its page is looked at; nil: never by itself
	SyncAt        *time.Time  // when next; nil where it is not
	CheckedAt     *time.Time  // when last; nil until then
	CreatedAt     time.Time
	UpdatedAt     time.Time
	ReadyAt       *time.Time
}

// NodeID makes Document a Node.
func (d *Document) NodeID() ID { return d.ID }

// ReadableBy reports whether the viewer may see the document. Only the owner may.
func (d *Document) ReadableBy(v Viewer) bool { return v.Is(d.OwnerID) }

// ChunkSize is what its chunks are filled up to, in tokens.
func (d *Document) ChunkSize() int {
	if d.ChunkTokens != nil {
		return *d.ChunkTokens
	}
	return DefaultChunkTokens
}

// ChunkOverlap is how much of the end of a chunk the next one repeats, in tokens.
func (d *Document) ChunkOverlap() int {
	if d.OverlapTokens != nil {
		return *d.OverlapTokens
	}
	return min(DefaultOverlap, d.ChunkSize()/2)
}

// EmbedTitle is what stands above its chunks where they are embedded and searched.
func (d *Document) EmbedTitle() string {
	if d.Lead != "" {
		return d.Lead
	}
	return d.Title
}

// Sync is how the document is kept in step with its page.
func (d *Document) Sync() DocumentSync { return DocumentSync{d.SyncHours, d.SyncAt, d.CheckedAt} }

// Clone is a copy of the document that shares nothing with it.
func (d *Document) Clone() Document {
	c := *d
	c.SizeBytes, c.StageTotal, c.RetryAt = cloned(d.SizeBytes), cloned(d.StageTotal), cloned(d.RetryAt)
	c.PageCount, c.CharCount, c.ReadyAt = cloned(d.PageCount), cloned(d.CharCount), cloned(d.ReadyAt)
	c.ChunkTokens, c.OverlapTokens, c.LastRun.FinishedAt = cloned(d.ChunkTokens), cloned(d.OverlapTokens), cloned(d.LastRun.FinishedAt)
	c.SyncHours, c.SyncAt, c.CheckedAt = cloned(d.SyncHours), cloned(d.SyncAt), cloned(d.CheckedAt)
	c.Warnings, c.PageChars = slices.Clone(d.Warnings), slices.Clone(d.PageChars)
	for i := range c.Warnings {
		c.Warnings[i].Page = cloned(c.Warnings[i].Page)
	}
	return c
}

// DocumentWarning is something the owner should know about a document that is searchable all the same.
type DocumentWarning struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Page    *int   `json:"page,omitempty"`
}

// DocumentProgress is one state of a document's ingestion.
type DocumentProgress struct {
	DocumentID ID
	Deleted    bool // the document was deleted: the last event about it
	Status     DocumentStatus
	StageDone  int
	StageTotal *int
	Reached    float64 // as of Document
	RetryAt    *time.Time
	UpdatedAt  time.Time
}

// Progress is the document's present state.
func (d *Document) Progress() DocumentProgress {
	return DocumentProgress{
		DocumentID: d.ID, Status: d.Status, StageDone: d.StageDone, StageTotal: d.StageTotal, Reached: d.Reached,
		RetryAt: d.RetryAt, UpdatedAt: d.UpdatedAt,
	}
}

// stages says where on the way from 0 to 100 percent each state begins and ends. States without success have no place
// of their own: they stay where the way ended.
var stages = map[DocumentStatus][2]float64{
	DocumentQueued: {0, 0}, DocumentFetching: {0, 5}, DocumentExtracting: {5, 40}, DocumentChunking: {40, 45},
	DocumentEmbedding: {45, 99}, DocumentWaitingQuota: {45, 99}, DocumentReady: {100, 100}, DocumentWarned: {100, 100},
}

// Percent is how much of the whole way is done, 0 to 100. It never falls within one run.
func (p DocumentProgress) Percent() float64 {
	if p.Status.Retryable() {
		return p.Reached
	}
	span := stages[p.Status]
	if p.StageTotal == nil || *p.StageTotal <= 0 {
		return span[0]
	}
	done := min(1, float64(p.StageDone)/float64(*p.StageTotal))
	return span[0] + done*(span[1]-span[0])
}

// DocumentStep is one move of a document within a run of ingestion. Nil and empty fields stay as they are, but
// for StageDone, StageTotal and RetryAt, which are always written. Where Status ends the run without success, what
// was reached is kept.
type DocumentStep struct {
	Status     DocumentStatus
	Reason     string // written always: a state without a reason has none
	StageDone  int
	StageTotal *int
	RetryAt    *time.Time
	MimeType   string
	Pages      *ReadPages // of a run that ends because of what is on them
	Now        time.Time
}

// ReadPages is what was found on the pages of a document: how many there are, how much text each holds, and what is missing.
// Chars is nil where the format has no pages.
type ReadPages struct {
	Count    int
	Chars    []int
	Warnings []DocumentWarning
}

// NewDocument is a document about to be stored together with its first job.
type NewDocument struct {
	BotID, OwnerID ID
	Kind           DocumentKind
	Title          string
	FileName       string
	MimeType       string
	SizeBytes      *int64
	ContentHash    string
	URL            string
	CrawlID        ID
	SlotID         ID         // the upload slot that it came by; zero where it came otherwise
	Object         string     // where its original lies in a bucket; "" where it does not
	TitleGiven     bool       // of a URL
	Page           *SavedPage // of a URL that was fetched already
	Now            time.Time
}

// SavedPage is what was fetched of a page, without its bytes.
type SavedPage struct {
	MimeType     string
	Claimed      string // the Content-Type it came with
	ContentHash  string
	SizeBytes    int64
	ETag         string
	LastModified string
	URL          string // where it was found, after redirections
	Object       string // where it lies in a bucket; "" where it does not
}

// CheckTitle trims a title and checks that it has 1 to 200 characters on one line.
func CheckTitle(s string) (string, error) { return checkLine("title", "The title", s, MaxTitle) }

// CheckDocumentText checks the text of a text document: 1 to limit characters, not only white space.
func CheckDocumentText(s string, limit int) error {
	if strings.TrimSpace(s) == "" {
		return Invalid("text", "The text must not be empty.")
	}
	return checkText("text", "The text", s, limit)
}

// CleanFileName makes a client's file name safe to keep and show: the last path element without control or
// bidirectional characters, at most 255 bytes. It may be empty.
func CleanFileName(s string) string {
	if i := strings.LastIndexAny(s, `/\`); i >= 0 {
		s = s[i+1:]
	}
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || isBidiControl(r) {
			return -1
		}
		return r
	}, s)
	for len(s) > 255 {
		runes := []rune(s)
		s = string(runes[:len(runes)-1])
	}
	return strings.TrimSpace(s)
}

// DocumentFilter selects documents of one bot; empty fields select all.
type DocumentFilter struct {
	Status []DocumentStatus
	Kind   []DocumentKind
	Search string // part of the title or file name, without regard to case
}

// UnusedOrder is the order of documents that no answer cites: oldest first.
const UnusedOrder = "unusedDocuments.CREATED_AT.ASC"

// DocumentsOrder is the one order of documents: newest first.
const DocumentsOrder = "documents.CREATED_AT.DESC"
