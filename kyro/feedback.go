package kyro

import (
	"slices"
	"time"
)

// Rating is a thumb.
type Rating string

// The thumbs.
const (
	RatingUp   Rating = "UP"
	RatingDown Rating = "DOWN"
)

// FeedbackReason is why an answer is found good or bad.
type FeedbackReason string

// The reasons: of a good answer, of a bad one, and of either.
const (
	ReasonCorrect       FeedbackReason = "CORRECT"
	ReasonComplete      FeedbackReason = "COMPLETE"
	ReasonClear         FeedbackReason = "CLEAR"
	ReasonWrong         FeedbackReason = "WRONG"
	ReasonIncomplete    FeedbackReason = "INCOMPLETE"
	ReasonOutdated      FeedbackReason = "OUTDATED"
	ReasonNotAnswered   FeedbackReason = "NOT_ANSWERED"
	ReasonWrongSources  FeedbackReason = "WRONG_SOURCES"
	ReasonUnclear       FeedbackReason = "UNCLEAR"
	ReasonInappropriate FeedbackReason = "INAPPROPRIATE"
	ReasonOther         FeedbackReason = "OTHER"
)

// of says of which thumb a reason can be; "" for either.
func (r FeedbackReason) of() Rating {
	switch r {
	case ReasonOther:
		return ""
	case ReasonCorrect, ReasonComplete, ReasonClear:
		return RatingUp
	default:
		return RatingDown
	}
}

// MaxFeedbackComment is the longest comment, in characters.
const MaxFeedbackComment = 2_000

// Feedback is what a person says of an answer.
type Feedback struct {
	Rating  Rating           `json:"rating"`            // "" takes back what was said before
	Reasons []FeedbackReason `json:"reasons,omitempty"` // each once, in the order in which they were given
	Comment string           `json:"comment,omitempty"`
	RatedAt time.Time        `json:"ratedAt"`
}

// Validate checks the reasons, which must be of the thumb, and the comment. Reasons that are given twice are one.
func (f *Feedback) Validate() error {
	if f.Rating == "" && (len(f.Reasons) > 0 || f.Comment != "") {
		return Invalid("rating", "Reasons and comments go with a rating.")
	}
	var reasons []FeedbackReason
	for _, r := range f.Reasons {
		if of := r.of(); of != "" && of != f.Rating {
			return Invalid("reasons", "%s is no reason for %s.", r, f.Rating)
		}
		if !slices.Contains(reasons, r) {
			reasons = append(reasons, r)
		}
	}
	f.Reasons = reasons
	return checkText("comment", "The comment", f.Comment, MaxFeedbackComment)
}
