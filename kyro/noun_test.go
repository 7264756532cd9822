package kyro_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"kyrochat/kyro"
)

var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func TestBotPatch(t *testing.T) {
	t.Parallel()
	bot := kyro.NewBot(kyro.UserID(1), now)
	if err := bot.Apply(kyro.BotPatch{Name: kyro.Some("  Ada "), TopK: kyro.Some(9), Description: kyro.Some("d"), Strict: kyro.Some(false)}); err != nil {
		t.Fatal(err)
	}
	if bot.Name != "Ada" || bot.TopK != 9 || *bot.Description != "d" || bot.Strict || bot.NoAnswerText != kyro.DefaultNoAnswerText {
		t.Errorf("after the first patch: %+v", bot)
	}
	if err := bot.Apply(kyro.BotPatch{TopK: kyro.Opt[int]{Set: true}, Description: kyro.Opt[string]{Set: true}, Strict: kyro.Opt[bool]{Set: true}}); err != nil {
		t.Fatal(err)
	}
	if bot.Name != "Ada" || bot.TopK != kyro.DefaultTopK || bot.Description != nil || !bot.Strict {
		t.Errorf("null must clear or restore the default, and what is left out must stay: %+v", bot)
	}
}

func TestBotLimits(t *testing.T) {
	t.Parallel()
	tests := map[string]kyro.BotPatch{
		"name":                 {Name: kyro.Opt[string]{Set: true}},
		"name ":                {Name: kyro.Some(strings.Repeat("x", 101))},
		"name  ":               {Name: kyro.Some("a\nb")},
		"name   ":              {Name: kyro.Some(" ")},
		"name    ":             {Name: kyro.Some("\xff")},
		"description":          {Description: kyro.Some(strings.Repeat("é", 501))},
		"instructions":         {Instructions: kyro.Some(strings.Repeat("x", 8001))},
		"welcomeMessage":       {WelcomeMessage: kyro.Some("\x00")},
		"suggestedQuestions":   {SuggestedQuestions: kyro.Some(make([]string, 7))},
		"suggestedQuestions.1": {SuggestedQuestions: kyro.Some([]string{"ok", ""})},
		"temperature":          {Temperature: kyro.Some(2.1)},
		"temperature ":         {Temperature: kyro.Some(-0.1)},
		"maxOutputTokens":      {MaxOutputTokens: kyro.Some(0)},
		"maxOutputTokens ":     {MaxOutputTokens: kyro.Some(8193)},
		"topK":                 {TopK: kyro.Some(21)},
		"topK ":                {TopK: kyro.Some(0)},
		"minScore":             {MinScore: kyro.Some(-1.5)},
		"minScore ":            {MinScore: kyro.Some(1.1)},
		"noAnswerText":         {NoAnswerText: kyro.Some(" ")},
	}
	for field, patch := range tests {
		bot := kyro.NewBot(kyro.UserID(1), now)
		bot.Name = "Ada"
		err := bot.Apply(patch)
		var known *kyro.Error
		if !errors.As(err, &known) || known.Code != kyro.CodeValidation || strings.Join(known.Field, ".") != strings.TrimSpace(field) {
			t.Errorf("%s: got %v at %v", field, err, known)
		}
	}
	for _, patch := range []kyro.BotPatch{
		{Temperature: kyro.Some(0.0), MaxOutputTokens: kyro.Some(1), TopK: kyro.Some(1), MinScore: kyro.Some(-1.0)},
		{Temperature: kyro.Some(2.0), MaxOutputTokens: kyro.Some(8192), TopK: kyro.Some(20), MinScore: kyro.Some(1.0),
			SuggestedQuestions: kyro.Some([]string{"1", "2", "3", "4", "5", "6"})},
	} {
		bot := kyro.NewBot(kyro.UserID(1), now)
		bot.Name = "Ada"
		if err := bot.Apply(patch); err != nil {
			t.Errorf("at the limits: %v", err)
		}
	}
}

func TestEveryWrongFieldOfABotIsTold(t *testing.T) {
	t.Parallel()
	bot := kyro.NewBot(kyro.UserID(1), now)
	err := bot.Apply(kyro.BotPatch{Name: kyro.Some(""), TopK: kyro.Some(0), Temperature: kyro.Some(9.0), Model: kyro.Some(strings.Repeat("x", 101))})
	for _, field := range []string{"The name", "topK", "The temperature", "The model"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not told: %v", field, err)
		}
	}
	for model, right := range map[string]bool{"gemini-3.8-flash": true, "models/gemini-3.8-flash": true, "tunedModels/ours_1": true,
		"a b": false, "../x": false, "models/": false, "a/b/c": false, strings.Repeat("x", 100): true, strings.Repeat("x", 98) + "!x": false, "m\u00fc": false} {
		bot := kyro.NewBot(kyro.UserID(1), now)
		if err := bot.Apply(kyro.BotPatch{Name: kyro.Some("Ada"), Model: kyro.Some(model)}); (err == nil) != right {
			t.Errorf("the model %q: %v", model, err)
		}
	}
	blank := kyro.BotPatch{Name: kyro.Some("Ada"), Model: kyro.Some(""), WelcomeMessage: kyro.Some(" \n"), Description: kyro.Some("\u00a0"), Instructions: kyro.Some("")}
	bot = kyro.NewBot(kyro.UserID(1), now)
	if err := bot.Apply(blank); err != nil || bot.Model != nil || bot.WelcomeMessage != nil || bot.Description != nil || bot.Instructions != nil {
		t.Errorf("blank texts: %+v, %v", bot, err)
	}
}

func TestOnlyTheOwnerEditsABot(t *testing.T) {
	t.Parallel()
	bot := kyro.Bot{OwnerID: kyro.UserID(1)}
	for user, want := range map[kyro.ID]bool{kyro.UserID(1): true, kyro.UserID(2): false, {}: false} {
		v := kyro.Viewer{UserID: user}
		document := kyro.Document{OwnerID: bot.OwnerID}
		if bot.EditableBy(v) != want || bot.ChattableBy(v) != want || bot.ReadableBy(v) != want || document.ReadableBy(v) != want {
			t.Errorf("viewer %v", user)
		}
	}
	nobodysBot := kyro.Bot{}
	if nobodysBot.EditableBy(kyro.Viewer{}) {
		t.Error("nobody may edit a bot without an owner")
	}
}

func TestViewer(t *testing.T) {
	t.Parallel()
	if err := (kyro.Viewer{}).MustSignIn(); kyro.ErrorCode(err) != kyro.CodeUnauthenticated {
		t.Errorf("nobody: %v", err)
	}
	rejected := kyro.Errorf(kyro.CodeUnauthenticated, "The access token is over.")
	if err := (kyro.Viewer{Rejected: rejected}).MustSignIn(); err != error(rejected) {
		t.Errorf("rejected: %v", err)
	}
	v := kyro.Viewer{UserID: kyro.UserID(3)}
	if err := v.MustSignIn(); err != nil {
		t.Error(err)
	}
	if got := kyro.ViewerFrom(kyro.WithViewer(context.Background(), v)); got.UserID != v.UserID {
		t.Errorf("carried %v", got)
	}
	if kyro.ViewerFrom(context.Background()).SignedIn() {
		t.Error("a bare context has a viewer")
	}
}

func TestNormalizeEmail(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Ada@Example.COM": "ada@example.com", "  a.b+c@x.io ": "a.b+c@x.io", "Zoë@exämple.de": "zoë@exämple.de",
		strings.Repeat("a", 249) + "@x.io": strings.Repeat("a", 249) + "@x.io",
	} {
		if got, err := kyro.NormalizeEmail(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", "ada", "@x.io", "ada@", "Ada <ada@x.io>", "a@x.io, b@x.io", "a@x.io\r\nBcc: b@x.io", "a b@x.io", "a@x.io\x00",
		"a\u202e@x.io", "a\u00a0b@x.io", "a\u009fb@x.io", strings.Repeat("a", 250) + "@x.io",
	} {
		if got, err := kyro.NormalizeEmail(in); kyro.ErrorCode(err) != kyro.CodeValidation {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestCheckPassword(t *testing.T) {
	t.Parallel()
	for in, ok := range map[string]bool{
		"twelve chars": true, " spaces count ": true, strings.Repeat("ü", 12): true, strings.Repeat("x", 128): true, strings.Repeat("😀", 128): true,
		"eleven char": false, strings.Repeat("x", 129): false, strings.Repeat("😀", 129): false, "has a NUL\x00 in it": false,
		"broken utf8 \xff\xff": false,
	} {
		if err := kyro.CheckPassword(in); (err == nil) != ok || !ok && kyro.ErrorCode(err) != kyro.CodeWeakPassword {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestSessionRefresh(t *testing.T) {
	t.Parallel()
	idle := 14 * 24 * time.Hour
	session := kyro.Session{Counter: 5, LastUsedAt: now, ExpiresAt: now.Add(kyro.SessionMaxAge)}
	tests := []struct {
		name    string
		counter int64
		after   time.Duration
		revoked bool
		want    kyro.Refresh
	}{
		{"the current one", 5, time.Hour, false, kyro.RefreshRotate},
		{"the former one at once", 4, 10 * time.Second, false, kyro.RefreshRepeat},
		{"the former one later", 4, 11 * time.Second, false, kyro.RefreshReuse},
		{"an old one at once", 3, time.Second, false, kyro.RefreshReuse},
		{"one from the future", 6, time.Second, false, kyro.RefreshReuse},
		{"after too long a pause", 5, idle + time.Second, false, kyro.RefreshOver},
		{"of a revoked session", 5, time.Second, true, kyro.RefreshOver},
	}
	for _, tt := range tests {
		s := session
		s.RotatedAgo = tt.after
		if tt.revoked {
			s.RevokedAt = now
		}
		if got := s.Refresh(tt.counter, now.Add(tt.after), idle); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	session.LastUsedAt = now.Add(kyro.SessionMaxAge)
	if session.Refresh(5, session.ExpiresAt, idle) != kyro.RefreshOver {
		t.Error("a session must end at its absolute age")
	}
}

func TestTitleFrom(t *testing.T) {
	t.Parallel()
	if got := kyro.TitleFrom("  What is\n\tthis? "); got != "What is this?" {
		t.Errorf("%q", got)
	}
	for _, whole := range []string{strings.Repeat("x", 60), strings.Repeat("\uffff", 60), strings.Repeat("😀", 30)} {
		if got := kyro.TitleFrom(whole); got != whole {
			t.Errorf("%q is cut to %q", whole, got)
		}
	}
	for in, want := range map[string]string{
		strings.Repeat("x", 61):      strings.Repeat("x", 59) + "…",
		strings.Repeat("\uffff", 61): strings.Repeat("\uffff", 59) + "…",
		strings.Repeat("😀", 31):      strings.Repeat("😀", 29) + "…",
	} {
		if got := kyro.TitleFrom(in); got != want {
			t.Errorf("%q becomes %q", in, got)
		}
	}
	for _, s := range []string{strings.Repeat("word ", 40), strings.Repeat("😀", 100), strings.Repeat("字", 61)} {
		got := kyro.TitleFrom(s)
		if n := kyro.CharCount(got); n > 60 || n < 50 || !strings.HasSuffix(got, "…") {
			t.Errorf("%q has %d characters", got, n)
		}
	}
}

func TestCharCountIsWhatJavaScriptCounts(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]int{"": 0, "abc": 3, "é": 1, "字": 1, "\uffff": 1, "😀": 2, "👨‍👩‍👧": 8} {
		if got := kyro.CharCount(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
}

func TestClientMessageID(t *testing.T) {
	t.Parallel()
	for s, ok := range map[string]bool{
		"a": true, "3f2504e0-4f89-41d3-9a0c-0305e82c3301": true, strings.Repeat("x", 64): true, "A_b-9": true, "azAZ09_-": true,
		"": false, strings.Repeat("x", 65): false, "a b": false, "é": false, "a\n": false, "a.b": false,
	} {
		if err := kyro.CheckClientMessageID(s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestMessageText(t *testing.T) {
	t.Parallel()
	for s, ok := range map[string]bool{"hi": true, "": false, " \n\t ": false, strings.Repeat("😀", 5): true, strings.Repeat("😀", 6): false} {
		if err := kyro.CheckMessageText(s, 10); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestPercentNeverFalls(t *testing.T) {
	t.Parallel()
	total := 10
	steps := []kyro.DocumentProgress{{Status: kyro.DocumentQueued}, {Status: kyro.DocumentExtracting}}
	for _, status := range []kyro.DocumentStatus{kyro.DocumentExtracting, kyro.DocumentChunking, kyro.DocumentEmbedding} {
		for done := 0; done <= total; done++ {
			steps = append(steps, kyro.DocumentProgress{Status: status, StageDone: done, StageTotal: &total})
		}
	}
	steps = append(steps, kyro.DocumentProgress{Status: kyro.DocumentReady})
	none := 0
	if got := (kyro.DocumentProgress{Status: kyro.DocumentEmbedding, StageTotal: &none}).Percent(); got != 45 {
		t.Errorf("a stage of nothing is at %g percent", got)
	}
	last := -1.0
	for _, p := range steps {
		if got := p.Percent(); got < last || got > 100 {
			t.Errorf("%+v: %g after %g", p, got, last)
		}
		last = p.Percent()
	}
	if last != 100 {
		t.Errorf("READY is at %g percent", last)
	}
	for _, status := range []kyro.DocumentStatus{kyro.DocumentFailed, kyro.DocumentCanceled, kyro.DocumentNeedsOCR} {
		if got := (kyro.DocumentProgress{Status: status, Reached: 61, StageDone: 3, StageTotal: &total}).Percent(); got != 61 {
			t.Errorf("%s at 61 percent is shown at %g", status, got)
		}
	}
}

func TestDocumentStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[kyro.DocumentStatus][3]bool{ // final, ready, retryable
		kyro.DocumentQueued: {false, false, false}, kyro.DocumentWaitingQuota: {false, false, false},
		kyro.DocumentReady: {true, true, false}, kyro.DocumentWarned: {true, true, false},
		kyro.DocumentNeedsOCR: {true, false, true}, kyro.DocumentFailed: {true, false, true}, kyro.DocumentCanceled: {true, false, true},
	} {
		if got := [3]bool{status.Final(), status.Ready(), status.Retryable()}; got != want {
			t.Errorf("%s: %v, want %v", status, got, want)
		}
	}
}

func TestCleanFileName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"report.pdf": "report.pdf", "/a.txt": "a.txt", strings.Repeat("x", 255): strings.Repeat("x", 255), "../../etc/passwd": "passwd", `C:\docs\a.txt`: "a.txt", "a\x00b\n.md": "ab.md",
		"evil\u202efdp.exe": "evilfdp.exe", "": "", "..": "..",
		"1\u061c2\u200e3\u200f4\u202a5\u202b6\u202c7\u202d8\u202e9\u2066a\u2067b\u2068c\u2069d": "123456789abcd",
		"1\u061b2\u200d3\u20104\u20295\u202f6\u20657\u206a8":                                    "1\u061b2\u200d3\u20104\u20295\u202f6\u20657\u206a8",
	} {
		if got := kyro.CleanFileName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := kyro.CleanFileName(strings.Repeat("字", 200)); len(got) > 255 || !strings.HasPrefix(got, "字") {
		t.Errorf("a long name has %d bytes", len(got))
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection refused")
	err := fmt.Errorf("load: %w", kyro.Errorf(kyro.CodeUnavailable, "Try again.").Because(cause))
	if kyro.ErrorCode(err) != kyro.CodeUnavailable || !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	var known *kyro.Error
	if errors.As(err, &known); strings.Contains(known.Message, "refused") {
		t.Error("the cause is shown to clients")
	}
	if kyro.ErrorCode(cause) != kyro.CodeInternal || kyro.ErrorCode(nil) != "" {
		t.Error("unknown errors are INTERNAL, none is none")
	}
	for want, err := range map[string]error{
		"OK": nil, "CANCELED": fmt.Errorf("ask: %w", context.Canceled), "TIMEOUT": context.DeadlineExceeded, "UNAVAILABLE": err, "INTERNAL": cause,
	} {
		if got := kyro.CallCode(err); got != want {
			t.Errorf("a call that ended with %v is %s", err, got)
		}
	}
	if got, err := kyro.One([]int{7}, nil, kyro.KindBot); got != 7 || err != nil {
		t.Errorf("one row: %d, %v", got, err)
	}
	if _, err := kyro.One([]int{7}, cause, kyro.KindBot); !errors.Is(err, cause) {
		t.Errorf("a read that failed: %v", err)
	}
	if _, err := kyro.One([]int{}, nil, kyro.KindBot); kyro.ErrorCode(err) != kyro.CodeNotFound {
		t.Errorf("no row: %v", err)
	}
	if !kyro.Invalid("name", "x").InPayload() || kyro.NotFound(kyro.KindBot).InPayload() {
		t.Error("a caller can mend VALIDATION, and not NOT_FOUND")
	}
}

func TestConversationPatch(t *testing.T) {
	t.Parallel()
	c := kyro.Conversation{Title: "old", Archived: true, UserID: kyro.UserID(1)}
	if err := c.Apply(kyro.ConversationPatch{Title: kyro.Some(" new ")}); err != nil || c.Title != "new" || !c.Archived {
		t.Errorf("%+v, %v", c, err)
	}
	if err := c.Apply(kyro.ConversationPatch{Title: kyro.Opt[string]{Set: true}, Archived: kyro.Opt[bool]{Set: true}}); err != nil || c.ShownTitle() != kyro.DefaultConversationTitle || c.Archived {
		t.Errorf("%+v, %v", c, err)
	}
	if err := c.Apply(kyro.ConversationPatch{Title: kyro.Some("")}); kyro.ErrorCode(err) != kyro.CodeValidation {
		t.Errorf("an empty title: %v", err)
	}
	if c.ReadableBy(kyro.Viewer{UserID: kyro.UserID(2)}) {
		t.Error("somebody else reads the conversation")
	}
}

func TestRefreshEnds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := kyro.Session{LastUsedAt: now, ExpiresAt: now.Add(20 * 24 * time.Hour)}
	if got := s.RefreshEnds(14 * 24 * time.Hour); !got.Equal(now.Add(14 * 24 * time.Hour)) {
		t.Errorf("unused: %v", got)
	}
	if got := s.RefreshEnds(30 * 24 * time.Hour); !got.Equal(s.ExpiresAt) {
		t.Errorf("beyond the session's life: %v", got)
	}
}
