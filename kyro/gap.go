package kyro

import "time"

// GapStatus is what becomes of a gap.
type GapStatus string

// The states of a gap.
const (
	GapOpen      GapStatus = "OPEN"
	GapChecking  GapStatus = "CHECKING"   // its owner has answered it, and its questions are asked again
	GapFixed     GapStatus = "FIXED"      // they are answered
	GapStillOpen GapStatus = "STILL_OPEN" // they are not
	GapDismissed GapStatus = "DISMISSED"  // its owner wants no answer to it
)

// GapsToDo are the states of gaps that somebody should look at, or is at.
var GapsToDo = []GapStatus{GapOpen, GapChecking, GapStillOpen}

// GapProblem is why an answer did not close a gap.
type GapProblem string

// The problems.
const (
	GapDocumentFailed  GapProblem = "DOCUMENT_FAILED"  // the document that was made of the answer cannot be searched
	GapDocumentDeleted GapProblem = "DOCUMENT_DELETED" // it was deleted before all questions were asked again
	GapNotAnswered     GapProblem = "NOT_ANSWERED"     // too many of the questions are still not answered
	GapNoBudget        GapProblem = "BUDGET_EXCEEDED"  // to ask the questions again may take more than is left of a budget
	GapNotChecked      GapProblem = "NOT_CHECKED"      // the questions could not be asked again
)

// GapVerdict is what came of a question that was asked again.
type GapVerdict string

// The verdicts; "" where it was not asked yet.
const (
	GapAnswered   GapVerdict = "ANSWERED"
	GapUnanswered GapVerdict = "UNANSWERED"
)

// Limits of gaps.
const (
	// MaxGapsCompared is with how many gaps of a bot a question is compared: those that were asked for last, whatever
	// their state. One that is like an older one begins a new gap.
	MaxGapsCompared = 500
	// MaxGapVectors is how many questions of a gap its centre is made of: the first ones.
	MaxGapVectors = 50
	// MaxGapAsked is how many questions of a gap are asked again once it was answered.
	MaxGapAsked = 20
	// MaxUnanswered is how many unanswered questions analytics name.
	MaxUnanswered     = 50
	DefaultUnanswered = 10
)

// Gap is something that people want to know of a bot and do not get answered.
type Gap struct {
	ID             ID
	BotID          ID
	Status         GapStatus
	Question       string // the one that is most like all the others
	Representative ID     // its message
	Asked          int
	Unanswered     int // all but those that were answered when they were asked again
	NotFound       int // those to which nothing was found
	RatedDown      int // those whose answer was rated down
	People         int
	FirstAskedAt   time.Time
	LastAskedAt    time.Time
	DocumentID     ID // made of the last answer; zero where there was none
	Run            int64
	Check          GapCheck
	CreatedAt      time.Time
}

// NodeID makes Gap a Node.
func (g *Gap) NodeID() ID { return g.ID }

// GapCheck is how it went to ask the questions of a gap again after it was answered.
type GapCheck struct {
	Total, Done, Answered int
	Tokens                int64
	Problem               GapProblem // "" where there is none, or it is not known yet
	BeganAt               *time.Time // nil: the gap was never answered
	EndedAt               *time.Time // nil: it goes on
}

// Began is when the gap was answered.
func (c *GapCheck) Began() time.Time {
	if c.BeganAt == nil {
		return time.Time{}
	}
	return *c.BeganAt
}

// TokenCount is Tokens as clients are told of them: the whole numbers of GraphQL are shorter.
func (c *GapCheck) TokenCount() float64 { return float64(c.Tokens) }

// Fixes reports whether so many answers close a gap: at least four of five of the questions that were asked again.
func (c GapCheck) Fixes() bool { return c.Total > 0 && 5*c.Answered >= 4*c.Total }

// GapQuestion is a question of a gap.
type GapQuestion struct {
	MessageID ID
	GapID     ID
	Text      string
	AskedAt   time.Time
	NotFound  bool
	RatedDown bool
	Verdict   GapVerdict
}

// GapFilter selects gaps of one bot.
type GapFilter struct {
	Status []GapStatus // none: GapsToDo
}

// GapAnswer is a pair of question and answer that is to close a gap.
type GapAnswer struct {
	GapID ID
	QA    QA
}

// GapPlacing is how questions of a bot are put together into gaps.
type GapPlacing struct {
	Bot       ID
	Model     string  // names the embedding, and tells its vectors from those of every other
	Threshold float64 // the least similarity to the centre of a gap, as a cosine
	Limit     int     // questions at once
	Now       time.Time
}

// GapTrial is a question that is to be asked again, with what an answer is made from.
type GapTrial struct {
	AnswerJob
	NotFound bool
}

// Rehearsed is what came of a question that was asked for nobody to see.
type Rehearsed struct {
	Grounding Grounding
	Citations []Citation
	Usage     MessageUsage // also of one that failed
	Degraded  bool         // the vectors could not be searched, or another model stood in for the one that is set
}

// CheckedGap is a gap whose questions are being asked again.
type CheckedGap struct {
	Gap      Gap
	Document *Document // nil: it was deleted
	Unused   bool      // its owner's account is not in use
}

// GapCount is how often people asked for what a gap is about, in some span of time.
type GapCount struct {
	Gap   Gap
	Count int
}

// The orders of gaps and of their questions: the most frequent first, and the newest first.
const (
	GapsOrder         = "gaps.UNANSWERED.DESC"
	GapQuestionsOrder = "gapQuestions.ASKED.DESC"
)
