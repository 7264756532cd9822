package kyro_test

import (
	"strings"
	"testing"

	"kyrochat/kyro"
)

func TestNounsAreNodes(t *testing.T) {
	t.Parallel()
	for want, node := range map[kyro.ID]kyro.Node{
		kyro.UserID(1): &kyro.User{ID: kyro.UserID(1)}, kyro.SessionID(2): &kyro.Session{ID: kyro.SessionID(2)},
		kyro.BotID(3): &kyro.Bot{ID: kyro.BotID(3)}, kyro.DocumentID(4): &kyro.Document{ID: kyro.DocumentID(4)},
		kyro.ChunkID(5): &kyro.Chunk{ID: kyro.ChunkID(5)}, kyro.ConversationID(6): &kyro.Conversation{ID: kyro.ConversationID(6)},
		kyro.MessageID(7): &kyro.Message{ID: kyro.MessageID(7)},
	} {
		if node.NodeID() != want {
			t.Errorf("%v is %v", want, node.NodeID())
		}
	}
	if (kyro.ID{}).String() != "" || !(kyro.ID{}).IsZero() {
		t.Error("the zero id names something")
	}
}

func TestPagesOfAChunk(t *testing.T) {
	t.Parallel()
	first := 4
	c := kyro.Chunk{Text: "abc def ghi", PageStart: &first, PageTurns: []int{4, 4, 8}} // page 5 has no text
	for _, tt := range []struct{ start, end, first, last int }{{0, 3, 4, 4}, {0, 4, 4, 4}, {0, 5, 4, 6}, {4, 7, 6, 6}, {8, 11, 7, 7}, {0, 11, 4, 7}} {
		if from, to := c.Pages(tt.start, tt.end); *from != tt.first || *to != tt.last {
			t.Errorf("%d to %d: pages %d to %d, want %d to %d", tt.start, tt.end, *from, *to, tt.first, tt.last)
		}
	}
	if from, to := (&kyro.Chunk{Text: "abc"}).Pages(0, 3); from != nil || to != nil {
		t.Error("pages where the format has none")
	}
}

func TestWhatStandsAboveAChunk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path     []string
		text     string
		headings int
		columns  string
	}{
		{nil, "| a | b |", 0, ""}, {[]string{"Prices", "Product | Price"}, "| Ada | 3 |", 1, "Product | Price"}, {[]string{"Product | Price"}, "| Ada | 3 |", 0, "Product | Price"},
		{[]string{"Prices", "Product | Price"}, "Ada costs 3.", 2, ""}, {[]string{"Prices"}, "| Ada | 3 |", 1, ""},
	} {
		headings, columns := (&kyro.Chunk{HeadingPath: c.path, Text: c.text}).Above()
		if len(headings) != c.headings || columns != c.columns {
			t.Errorf("above %q in %q: %q and %q", c.text, c.path, headings, columns)
		}
	}
}

func TestHowADocumentIsCut(t *testing.T) {
	t.Parallel()
	d := kyro.Document{Title: "Prices"}
	if d.ChunkSize() != kyro.DefaultChunkTokens || d.ChunkOverlap() != kyro.DefaultOverlap || d.EmbedTitle() != "Prices" {
		t.Errorf("by default: %d, %d, %q", d.ChunkSize(), d.ChunkOverlap(), d.EmbedTitle())
	}
	d.ChunkTokens, d.Lead = ptr(100), "Prices of 2026"
	if d.ChunkSize() != 100 || d.ChunkOverlap() != 50 || d.EmbedTitle() != "Prices of 2026" {
		t.Errorf("small chunks: %d, %d, %q", d.ChunkSize(), d.ChunkOverlap(), d.EmbedTitle())
	}
	if d.OverlapTokens = ptr(7); d.ChunkOverlap() != 7 {
		t.Errorf("an overlap of its own: %d", d.ChunkOverlap())
	}
}

func TestQuestionsWithAnswersAreChecked(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("é", n) }
	for _, c := range []struct {
		qa    kyro.QA
		field string
	}{
		{kyro.QA{Question: long(kyro.MaxQuestion), Answer: long(kyro.MaxAnswer)}, ""}, {kyro.QA{Question: " \n", Answer: "a"}, "question"}, {kyro.QA{Question: "q"}, "answer"},
		{kyro.QA{Question: long(kyro.MaxQuestion + 1), Answer: "a"}, "question"}, {kyro.QA{Question: "q", Answer: long(kyro.MaxAnswer + 1)}, "answer"},
	} {
		err, _ := c.qa.Check().(*kyro.Error)
		if (err == nil) != (c.field == "") || err != nil && (err.Code != kyro.CodeValidation || err.Field[0] != c.field) {
			t.Errorf("%d and %d characters: %v, want it at %q", kyro.CharCount(c.qa.Question), kyro.CharCount(c.qa.Answer), err, c.field)
		}
	}
}

func TestChecksThatFoundNothing(t *testing.T) {
	t.Parallel()
	log := kyro.AuditCheck{AuditMark: kyro.AuditMark{Lines: 7}}
	if broken := log.BrokenAt(3, "changed"); !log.Intact() || broken.Intact() {
		t.Errorf("intact: %t, broken at a line: %t", log.Intact(), broken.Intact())
	}
	answered := kyro.GapCheck{BeganAt: &now}
	if began := (&kyro.GapCheck{}).Began(); !began.IsZero() || !answered.Began().Equal(now) {
		t.Errorf("a gap that was never answered was answered at %s, another at %s", began, answered.Began())
	}
}

func TestFinalMessages(t *testing.T) {
	t.Parallel()
	for status, final := range map[kyro.MessageStatus]bool{
		kyro.MessagePending: false, kyro.MessageRetrieving: false, kyro.MessageStreaming: false,
		kyro.MessageCompleted: true, kyro.MessageStopped: true, kyro.MessageFailed: true, kyro.MessageInterrupted: true,
	} {
		if status.Final() != final {
			t.Errorf("%s: %v", status, status.Final())
		}
	}
}

func TestDocumentText(t *testing.T) {
	t.Parallel()
	for s, ok := range map[string]bool{"x": true, " x ": true, "": false, " \n": false, strings.Repeat("x", 11): false, "\xff": false, "a\x00": false} {
		if err := kyro.CheckDocumentText(s, 10); (err == nil) != ok || !ok && kyro.ErrorCode(err) != kyro.CodeValidation {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestProgressOfADocument(t *testing.T) {
	t.Parallel()
	total := 4
	d := kyro.Document{ID: kyro.DocumentID(1), Status: kyro.DocumentEmbedding, StageDone: 2, StageTotal: &total, UpdatedAt: now}
	if p := d.Progress(); p.DocumentID != d.ID || p.Status != d.Status || p.Percent() != 72 || p.UpdatedAt != now || p.Deleted {
		t.Errorf("%+v at %g percent", p, p.Percent())
	}
}

func TestOrdersHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	names := map[string]bool{kyro.DocumentsOrder: true, kyro.UnusedOrder: true, kyro.ChunksOrder: true, kyro.MessagesOrder: true}
	for _, direction := range []kyro.Direction{kyro.Asc, kyro.Desc} {
		for _, by := range []kyro.BotOrderField{kyro.BotsByCreation, kyro.BotsByName} {
			names[kyro.BotOrder{By: by, Direction: direction}.Name()] = true
		}
		for _, by := range []kyro.ConversationOrderField{kyro.ConversationsByCreation, kyro.ConversationsByLastMessage} {
			names[kyro.ConversationOrder{By: by, Direction: direction}.Name()] = true
		}
	}
	if len(names) != 12 {
		t.Errorf("a cursor of one list would fit another: %v", names)
	}
}

func TestUserNames(t *testing.T) {
	t.Parallel()
	if got, err := kyro.CheckUserName(" Zoë "); err != nil || got != "Zoë" {
		t.Errorf("%q, %v", got, err)
	}
	for _, s := range []string{"", " ", "\u200b\u200d", "a\tb", strings.Repeat("x", 101)} {
		if _, err := kyro.CheckUserName(s); kyro.ErrorCode(err) != kyro.CodeValidation {
			t.Errorf("%q: %v", s, err)
		}
	}
}
