package kyro

import "time"

// Limits are the figures the product works within. Every one is a setting; DefaultLimits holds the defaults.
type Limits struct {
	MaxUploadBytes   int64 // one file
	MaxExtractedText int   // bytes of text extracted from one document
	MaxChunks        int   // chunks of one document version
	MaxPages         int   // pages of one PDF
	MaxTextChars     int   // UTF-16 units of a text document
	MaxMessageChars  int   // UTF-16 units of a message
	MaxWaiting       int   // messages of one conversation that wait while an answer is running
	MaxRunning       int   // answers that one process makes at once
	MaxQueued        int   // conversations that wait for one of those places; what is beyond it the sweep finds

	MaxDocuments    int   // live documents of one user; 0: no limit
	MaxStorageBytes int64 // of their originals together; 0: no limit
	MaxUnfinished   int   // documents of all users that wait or are worked on; 0: no limit
	IngestWindow    int   // documents of one user that have a job at once

	UserDailyMessages int // answers that one user has made in a day of UTC; 0: no limit
	UserDailyTokens   int // tokens that they take together; 0: no limit

	AnswerLease     time.Duration // how long an answer stays owned without a heartbeat
	AnswerHeartbeat time.Duration
	AnswerSweep     time.Duration // how often lost answers are looked for
	AnswerTotal     time.Duration // the longest an answer may take
	AnswerFirstByte time.Duration // the longest wait for the first piece
	AnswerIdle      time.Duration // the longest wait between two pieces
	DrainTimeout    time.Duration // what running answers get at shutdown
	ExtractTimeout  time.Duration // the longest extraction of one document
}

// DefaultLimits are the limits where nothing is configured.
func DefaultLimits() Limits {
	return Limits{
		MaxUploadBytes:   32 << 20,
		MaxExtractedText: 16 << 20,
		MaxChunks:        20_000,
		MaxPages:         2_000,
		MaxTextChars:     100_000,
		MaxMessageChars:  8_000,
		MaxWaiting:       3,
		MaxRunning:       2_048,
		MaxQueued:        8_192,
		MaxDocuments:     500,
		MaxStorageBytes:  200 << 20,
		MaxUnfinished:    10_000,
		IngestWindow:     8,
		AnswerLease:      15 * time.Second,
		AnswerHeartbeat:  5 * time.Second,
		AnswerSweep:      5 * time.Second,
		AnswerTotal:      120 * time.Second,
		AnswerFirstByte:  20 * time.Second,
		AnswerIdle:       15 * time.Second,
		DrainTimeout:     15 * time.Second,
		ExtractTimeout:   30 * time.Second,
	}
}
