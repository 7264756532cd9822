package kyro

import "time"

// RunCause is why a document is worked on.
type RunCause string

// Why documents are worked on.
const (
	RunAdded       RunCause = "ADDED"
	RunRetried     RunCause = "RETRIED"
	RunReprocessed RunCause = "REPROCESSED"
	RunResynced    RunCause = "RESYNCED"
	RunScheduled   RunCause = "SCHEDULED"
)

// RunOutcome is how a run ended.
type RunOutcome string

// How runs end.
const (
	RunDone      RunOutcome = "DONE"
	RunUnchanged RunOutcome = "UNCHANGED"
	RunFailed    RunOutcome = "FAILED"
	RunNeedsOCR  RunOutcome = "NEEDS_OCR"
	RunCanceled  RunOutcome = "CANCELED"
)

// DocumentRun is one time that a document is worked on, the last one as its row keeps it.
type DocumentRun struct {
	Cause          RunCause   `json:"cause"`
	Outcome        RunOutcome `json:"outcome,omitempty"` // "" while it is under way
	Reason         string     `json:"reason,omitempty"`  // for a person
	StartedAt      time.Time  `json:"startedAt"`
	FinishedAt     *time.Time `json:"finishedAt,omitempty"`
	ChunksReused   int        `json:"chunksReused,omitempty"`
	ChunksEmbedded int        `json:"chunksEmbedded,omitempty"`
	ChunksRemoved  int        `json:"chunksRemoved,omitempty"`
	Counted        bool       `json:"counted,omitempty"` // ChunksReused is known
}

// DocumentSync is how a document is kept in step with its page.
type DocumentSync struct {
	IntervalHours *int // nil: never by itself
	NextAt        *time.Time
	CheckedAt     *time.Time
}

// MaxSyncHours is the longest interval at which a page is looked at.
const MaxSyncHours = 8_760

// The sizes of chunks that a document may be cut into, in tokens, and what they are where nothing else was asked for.
const (
	MinChunkTokens     = 64
	MaxChunkTokens     = 1_024
	DefaultChunkTokens = 400
	DefaultOverlap     = 60
)

// NewRun is a run that a finished document is to have: its next version is made.
type NewRun struct {
	Cause                      RunCause
	ChunkTokens, OverlapTokens Opt[int] // how to cut it from now on
	Now                        time.Time
}

// VersionFacts are what is known of a version while it is made beside the one that answers use. When it is activated they
// become the document's own; when its run ends otherwise they are forgotten, and the document is what it was.
type VersionFacts struct {
	MimeType     string            `json:"mimeType,omitempty"`
	ContentHash  string            `json:"contentHash,omitempty"`
	SizeBytes    *int64            `json:"sizeBytes,omitempty"`
	ETag         string            `json:"etag,omitempty"`
	LastModified string            `json:"lastModified,omitempty"`
	Claimed      string            `json:"claimed,omitempty"`
	FetchedType  string            `json:"fetchedType,omitempty"`
	FetchedURL   string            `json:"fetchedUrl,omitempty"`
	URL          string            `json:"url,omitempty"`   // where its page calls itself so; "" where that stays
	Title        string            `json:"title,omitempty"` // where the document is called what its page calls itself
	PageCount    *int              `json:"pageCount,omitempty"`
	PageChars    []int             `json:"pageChars,omitempty"`
	ChunkCount   int               `json:"chunkCount,omitempty"`
	CharCount    *int              `json:"charCount,omitempty"`
	Language     string            `json:"language,omitempty"`
	Warnings     []DocumentWarning `json:"warnings,omitempty"`

	ChunkTokens   *int `json:"chunkTokens,omitempty"`
	OverlapTokens *int `json:"overlapTokens,omitempty"`
}
