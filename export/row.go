package export

import (
	"time"

	"kyrochat/kyro"
)

// stamp is a time as the API writes it: UTC, always with six digits of a second.
type stamp time.Time

const stampLayout = "2006-01-02T15:04:05.000000Z"

// String writes the time.
func (s stamp) String() string { return time.Time(s).UTC().Format(stampLayout) }

// MarshalJSON implements json.Marshaler.
func (s stamp) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

func stamped(t *time.Time) *stamp {
	if t == nil {
		return nil
	}
	s := stamp(*t)
	return &s
}

// row is a message as exports hold it: a line of JSONL, a row of CSV. What a message does not have is null or empty; fields
// may be added in later versions, at the end.
type row struct {
	ConversationID    string        `json:"conversationId"`
	ConversationTitle string        `json:"conversationTitle"`
	MessageID         string        `json:"messageId"`
	ParentID          *string       `json:"parentId"` // of an answer: what it answers
	Role              string        `json:"role"`
	Status            string        `json:"status"`
	Superseded        bool          `json:"superseded"` // a newer answer took its place
	CreatedAt         stamp         `json:"createdAt"`
	CompletedAt       *stamp        `json:"completedAt"`
	Text              string        `json:"text"`
	Grounding         *string       `json:"grounding"`
	FinishReason      *string       `json:"finishReason"`
	Notices           []string      `json:"notices"`
	Citations         []rowCitation `json:"citations"`
	Feedback          *rowFeedback  `json:"feedback"`
	Usage             *rowUsage     `json:"usage"`
	Error             *rowError     `json:"error"`
}

type rowCitation struct {
	Marker          int      `json:"marker"`
	DocumentID      *string  `json:"documentId"`
	DocumentTitle   string   `json:"documentTitle"`
	DocumentVersion int      `json:"documentVersion"`
	Quote           string   `json:"quote"`
	PageStart       *int     `json:"pageStart"`
	PageEnd         *int     `json:"pageEnd"`
	CharStart       int      `json:"charStart"`
	CharEnd         int      `json:"charEnd"`
	Score           float64  `json:"score"`
	Similarity      *float64 `json:"similarity"`
	Verified        bool     `json:"verified"`
}

type rowFeedback struct {
	Rating  string   `json:"rating"`
	Reasons []string `json:"reasons"`
	Comment string   `json:"comment"`
	RatedAt stamp    `json:"ratedAt"`
}

type rowUsage struct {
	Model              string `json:"model"`
	PromptTokens       int    `json:"promptTokens"`
	OutputTokens       int    `json:"outputTokens"`
	TotalTokens        int    `json:"totalTokens"`
	TimeToFirstTokenMs *int   `json:"timeToFirstTokenMs"`
	DurationMs         *int   `json:"durationMs"`
}

type rowError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// rowOf is a message of a conversation as exports hold it.
func rowOf(c *kyro.Conversation, m *kyro.Message) row {
	r := row{
		ConversationID: c.ID.String(), ConversationTitle: c.ShownTitle(), MessageID: m.ID.String(), ParentID: idOrNull(m.ParentID),
		Role: string(m.Role), Status: string(m.Status), Superseded: m.Superseded, CreatedAt: stamp(m.CreatedAt), CompletedAt: stamped(m.CompletedAt),
		Text: m.Text, Grounding: (*string)(m.Grounding), FinishReason: (*string)(m.FinishReason), Notices: texts(m.Notices),
		Citations: make([]rowCitation, len(m.Citations)),
	}
	for i, c := range m.Citations {
		r.Citations[i] = rowCitation{
			Marker: c.Marker, DocumentID: idOrNull(c.DocumentID), DocumentTitle: c.DocumentTitle, DocumentVersion: c.DocumentVersion, Quote: c.Quote,
			PageStart: c.PageStart, PageEnd: c.PageEnd, CharStart: c.CharStart, CharEnd: c.CharEnd, Score: c.Score, Similarity: c.Similarity, Verified: c.Verified,
		}
	}
	if f := m.Feedback; f != nil {
		r.Feedback = &rowFeedback{string(f.Rating), texts(f.Reasons), f.Comment, stamp(f.RatedAt)}
	}
	if u := m.Usage; u != nil {
		r.Usage = &rowUsage{u.Model, u.PromptTokens, u.OutputTokens, u.TotalTokens(), u.TimeToFirstTokenMs, u.DurationMs}
	}
	if e := m.Error; e != nil {
		r.Error = &rowError{string(e.Code), e.Message}
	}
	return r
}

func idOrNull(id kyro.ID) *string {
	if id.IsZero() {
		return nil
	}
	s := id.String()
	return &s
}

func texts[T ~string](list []T) []string {
	plain := make([]string, len(list))
	for i, each := range list {
		plain[i] = string(each)
	}
	return plain
}
