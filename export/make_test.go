package export_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/export"
	"kyrochat/kyro"
)

func ptr[T any](v T) *T { return &v }

// told is a conversation in which there is everything that a message can have.
func told(w *world) {
	at := now.Add(-time.Hour)
	id := w.talk(at)
	w.messages[id] = []kyro.Message{
		{ID: kyro.MessageID(11), ConversationID: id, Role: kyro.RoleUser, Status: kyro.MessageCompleted, Text: "=SUM(A1)\nWhen is it <open>?", Turn: 11, CreatedAt: at},
		{
			ID: kyro.MessageID(12), ConversationID: id, Role: kyro.RoleBot, Status: kyro.MessageCompleted, Text: "From \"nine\", to five [1].", ParentID: kyro.MessageID(11), Turn: 11,
			CreatedAt: at, CompletedAt: ptr(at.Add(2 * time.Second)), Grounding: ptr(kyro.Grounded), FinishReason: ptr(kyro.FinishStop),
			Notices: []kyro.MessageNotice{kyro.NoticeOfflineAnswer, kyro.NoticeLexicalOnly},
			Citations: []kyro.Citation{{
				Marker: 1, DocumentID: kyro.DocumentID(3), ChunkID: kyro.ChunkID(4), DocumentTitle: "Hours", DocumentVersion: 2, Quote: "from nine to five",
				PageStart: ptr(1), PageEnd: ptr(1), CharStart: 8, CharEnd: 25, Score: 0.5, Similarity: ptr(0.25), Verified: true,
			}},
			Usage:    &kyro.MessageUsage{PromptTokens: 40, OutputTokens: 6, Model: "kyro-extractive-1", TimeToFirstTokenMs: ptr(3), DurationMs: ptr(5)},
			Feedback: &kyro.Feedback{Rating: kyro.RatingDown, Reasons: []kyro.FeedbackReason{kyro.ReasonWrong, kyro.ReasonOther}, Comment: "@here: no", RatedAt: at.Add(time.Minute)},
		},
		{
			ID: kyro.MessageID(13), ConversationID: id, Role: kyro.RoleBot, Status: kyro.MessageFailed, ParentID: kyro.MessageID(11), Turn: 11, Superseded: true, CreatedAt: at,
			FinishReason: ptr(kyro.FinishError), Error: &kyro.MessageError{Code: kyro.CodeTimeout, Message: "It took too long."},
		},
	}
}

// TestFormats compares both formats with what is written down in testdata; UPDATE=1 writes it down anew.
func TestFormats(t *testing.T) {
	t.Parallel()
	for _, format := range []kyro.ExportFormat{kyro.ExportJSONL, kyro.ExportCSV} {
		w := newWorld(t, nil)
		told(w)
		if err := w.Work(t.Context(), w.begun(t, export.Asked{Format: format})); err != nil {
			t.Fatal(err)
		}
		got, path := w.file(t), filepath.Join("testdata", "messages."+strings.ToLower(string(format)))
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || got != string(want) {
			t.Errorf("%s: %v\n%s\nwant\n%s", format, err, got, want)
		}
	}
}

// TestWhereFilesAre keeps the same file in each place, and nothing anywhere else.
func TestWhereFilesAre(t *testing.T) {
	t.Parallel()
	for name, shared := range map[string]bool{"folder": false, "database": true, "bucket": true} {
		b := &bucket{objects: map[string][]byte{}}
		w := newWorld(t, func(c *export.Config) {
			if c.Shared = shared; name == "bucket" {
				c.Bucket = b
			}
		})
		w.talk(now, "one", "two")
		if err := w.Work(t.Context(), w.begun(t, export.Asked{Format: kyro.ExportJSONL})); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(w.file(t), "\n"); n != 2 {
			t.Errorf("%s: %d lines", name, n)
		}
		if got := []int{len(w.left(t)), min(1, len(w.saved)), len(b.objects)}; got[0]+got[1]+got[2] != 1 {
			t.Errorf("%s: folder, database and bucket have %v", name, got)
		}
		if e := w.exports[0]; e.Done != 1 || *e.Total != 1 || !e.ExpiresAt.Equal(now.Add(kyro.ExportTTL)) {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// TestWhatComesLaterIsNotIn adds and says while the export is made.
func TestWhatComesLaterIsNotIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	first := w.talk(now.Add(-time.Hour), "before")
	w.say(first, now, "at that moment")
	job := w.begun(t, export.Asked{Format: kyro.ExportJSONL})
	w.onRead = func() { w.say(first, now.Add(time.Microsecond), "after") }
	w.talk(now.Add(time.Second), "another")
	if err := w.Work(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if got := w.file(t); strings.Count(got, "\n") != 2 || strings.Contains(got, "after") || strings.Contains(got, "another") {
		t.Errorf("%s", got)
	}
}

// TestReadsAreBounded: rows are read a page at a time, and each once.
func TestReadsAreBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ talks, messages, reads int }{
		{1, 10_000, 1 + 1 + 200},    // the count, a page of conversations, 50 messages at a time
		{1_000, 10, 1 + 10 + 100},   // ten conversations at a time
		{30, 120, 1 + 1 + 3 + 30*2}, // the first 50 of ten together, the rest of each by itself
	} {
		w := newWorld(t, nil)
		for range c.talks {
			id := w.talk(now.Add(-time.Hour))
			for range c.messages {
				w.say(id, now.Add(-time.Hour), "x")
			}
		}
		if err := w.Work(t.Context(), w.begun(t, export.Asked{Format: kyro.ExportJSONL})); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(w.file(t), "\n"); got != c.talks*c.messages {
			t.Errorf("%d messages of %d", got, c.talks*c.messages)
		}
		if w.reads != c.reads || w.most > 500 {
			t.Errorf("%d conversations with %d messages: %d reads, want %d; %d messages at once", c.talks, c.messages, w.reads, c.reads, w.most)
		}
	}
}

// TestTrouble: what goes wrong leaves no file, and says what it has to.
func TestTrouble(t *testing.T) {
	t.Parallel()
	away := &bucket{away: true}
	for name, c := range map[string]struct {
		config func(*export.Config)
		world  func(*world)
		fails  bool // the job is tried again
		status kyro.ExportStatus
		code   kyro.Code
	}{
		"too large":         {func(c *export.Config) { c.MaxBytes = 100 }, nil, false, kyro.ExportFailed, kyro.CodeFileTooLarge},
		"the bucket":        {func(c *export.Config) { c.Bucket, c.Shared = away, true }, nil, true, kyro.ExportRunning, ""},
		"the database":      {nil, func(w *world) { w.wrong = errors.New("away") }, true, kyro.ExportRunning, ""},
		"over":              {nil, func(w *world) { w.over = true }, false, kyro.ExportFailed, kyro.CodeInterrupted},
		"over at the end":   {nil, func(w *world) { w.onRead = func() { w.over = true } }, false, kyro.ExportFailed, kyro.CodeInterrupted},
		"taken over by now": {nil, func(w *world) { w.onRead = func() { w.over = true; w.exports[0].Attempt++ } }, false, kyro.ExportRunning, ""},
	} {
		w := newWorld(t, c.config)
		w.talk(now, "one", "two")
		if c.world != nil {
			c.world(w)
		}
		err := w.Work(t.Context(), w.begun(t, export.Asked{Format: kyro.ExportCSV}))
		e := w.exports[0]
		if (err != nil) != c.fails || e.Status != c.status || c.code != "" && (e.Failure == nil || e.Failure.Code != c.code) || len(w.left(t)) != 0 {
			t.Errorf("%s: %v, %+v, files %v", name, err, e, w.left(t))
		}
		if w.URL(&e) != "" {
			t.Errorf("%s has an address", name)
		}
		if err := w.GiveUp(t.Context(), kyro.Job{Key: 1}, nil); err != nil || w.exports[0].Status != kyro.ExportFailed {
			t.Errorf("%s, given up: %v, %+v", name, err, w.exports[0])
		}
	}
}

// TestAway: what is away for a while costs no export, and what is away for longer is named.
func TestAway(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]error{
		"the bucket":   kyro.Errorf(kyro.CodeUnavailable, "Away."),
		"an upstream":  fmt.Errorf("read: %w", kyro.Errorf(kyro.CodeUpstreamFailed, "Away.")),
		"what is slow": kyro.Errorf(kyro.CodeTimeout, "Away.").Because(errors.New("the cause")),
	} {
		at := now
		b := &bucket{objects: map[string][]byte{}}
		w := newWorld(t, func(c *export.Config) {
			c.Bucket, c.Shared, c.Now = b, true, func() time.Time { return at }
		})
		w.talk(now.Add(-time.Hour), "one", "two")
		w.wrong = away
		long, short := w.begun(t, export.Asked{Format: kyro.ExportCSV}), w.begun(t, export.Asked{Format: kyro.ExportJSONL})
		var last time.Duration
		for range 12 {
			err := w.Work(t.Context(), long)
			again, _ := errors.AsType[*kyro.Error](err)
			if !errors.Is(err, kyro.ErrJobAgain) || again.RetryAfter < max(last, 15*time.Second) || again.RetryAfter > 10*time.Minute || w.exports[0].Status != kyro.ExportRunning || len(w.left(t)) != 0 {
				t.Fatalf("%s, after a pause of %v: %v, %+v, files %v", name, last, err, w.exports[0], w.left(t))
			}
			last = again.RetryAfter
			at = at.Add(last)
		}
		if err := w.Work(t.Context(), short); !errors.Is(err, kyro.ErrJobAgain) {
			t.Errorf("%s: %v", name, err)
		}
		w.wrong = nil
		if err := w.Work(t.Context(), short); err != nil || w.exports[1].Status != kyro.ExportReady {
			t.Errorf("%s, there again: %v, %+v", name, err, w.exports[1])
		}
		at, w.wrong = now.Add(24*time.Hour), away
		if err := w.Work(t.Context(), long); err != nil || w.exports[0].Status != kyro.ExportFailed {
			t.Fatalf("%s, after a day: %v, %+v", name, err, w.exports[0])
		}
		if left := w.exports[0].ExpiresAt.Sub(at); left != kyro.ExportTTL {
			t.Errorf("%s: it is told of for %v", name, left)
		}
		if f := w.exports[0].Failure; f.Code != kyro.ErrorCode(away) || !strings.HasPrefix(f.Message, "Away. ") || strings.Contains(f.Message, "cause") {
			t.Errorf("%s: it failed by %+v", name, f)
		}
	}
}

// TestAwayUntilTheEnd: a turn that was cut off is none that something was away in.
func TestAwayUntilTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.talk(now, "one")
	ctx, cut := context.WithCancel(t.Context())
	w.onRead, w.wrong = cut, kyro.Errorf(kyro.CodeTimeout, "Away.")
	if err := w.Work(ctx, w.begun(t, export.Asked{Format: kyro.ExportCSV})); errors.Is(err, kyro.ErrJobAgain) || kyro.ErrorCode(err) != kyro.CodeTimeout {
		t.Errorf("%v", err)
	}
}

// TestWorkOfWhatIsDone changes nothing.
func TestWorkOfWhatIsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.talk(now, "one")
	job := w.begun(t, export.Asked{Format: kyro.ExportCSV})
	for range 2 {
		if err := w.Work(t.Context(), job); err != nil || w.exports[0].Status != kyro.ExportReady || w.exports[0].Attempt != 1 {
			t.Errorf("%v, %+v", err, w.exports[0])
		}
	}
	w.file(t)
}

// TestRights: exports are for people in person, and what is not the viewer's is not there.
func TestRights(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.begun(t, export.Asked{Format: kyro.ExportCSV})
	id := w.exports[0].ID
	key := kyro.Viewer{UserID: owner.UserID, KeyID: kyro.APIKeyID(4), Scopes: []kyro.Scope{kyro.ScopeRead, kyro.ScopeChat, kyro.ScopeIngest}}
	for name, use := range map[string]func(kyro.Viewer) error{
		"conversations": func(v kyro.Viewer) error {
			_, err := w.Conversations(t.Context(), v, export.Asked{BotID: helper, Format: kyro.ExportCSV})
			return err
		},
		"my data": func(v kyro.Viewer) error { _, err := w.MyData(t.Context(), v); return err },
		"export":  func(v kyro.Viewer) error { _, err := w.Export(t.Context(), v, id); return err },
		"exports": func(v kyro.Viewer) error { _, err := w.Service.Exports(t.Context(), v, []kyro.ID{id}); return err },
		"list":    func(v kyro.Viewer) error { _, err := w.List(t.Context(), v); return err },
		"delete":  func(v kyro.Viewer) error { return w.Delete(t.Context(), v, id) },
		"watch": func(v kyro.Viewer) (err error) {
			for _, err = range w.Watch(t.Context(), v, id) {
				break
			}
			return err
		},
	} {
		if got := kyro.ErrorCode(use(key)); got != kyro.CodeForbidden {
			t.Errorf("%s by an API key: %s", name, got)
		}
		if got := kyro.ErrorCode(use(kyro.Viewer{})); got != kyro.CodeUnauthenticated {
			t.Errorf("%s by nobody: %s", name, got)
		}
	}
	if _, err := w.Export(t.Context(), kyro.Viewer{UserID: kyro.UserID(9), SessionID: kyro.SessionID(9)}, id); kyro.ErrorCode(err) != kyro.CodeNotFound {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := w.Export(t.Context(), owner, kyro.BotID(1)); kyro.ErrorCode(err) != kyro.CodeBadUserInput {
		t.Errorf("the id of a bot: %v", err)
	}
	if d := w.deeds; len(d) != 1 || d[0].Action != kyro.AuditExportRequested || d[0].Detail != "CONVERSATIONS" || d[0].By != owner.SessionID {
		t.Errorf("audit log: %+v", d)
	}
	for _, wrong := range []export.Asked{
		{BotID: helper, Format: kyro.ExportZIP}, {BotID: helper, Format: kyro.ExportCSV, From: ptr(now), To: ptr(now)},
	} {
		if _, err := w.Conversations(t.Context(), owner, wrong); kyro.ErrorCode(err) != kyro.CodeValidation {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
}

// counted allows two.
type counted int

func (c *counted) Take(_ context.Context, key string, _ kyro.Rate) (kyro.Allowance, error) {
	if *c++; key != "exports user_1" {
		return kyro.Allowance{}, errors.New(key)
	}
	return kyro.Allowance{Allowed: *c <= 2, RetryAfter: time.Minute}, nil
}

func TestRate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *export.Config) { c.Limiter, c.Rate = new(counted), kyro.Rate{Count: 2, Per: time.Hour} })
	for range 2 {
		w.begun(t, export.Asked{Format: kyro.ExportCSV})
	}
	if _, err := w.MyData(t.Context(), owner); kyro.ErrorCode(err) != kyro.CodeRateLimited {
		t.Errorf("%v", err)
	}
}

// TestDownload: an address is good for five minutes, for one export, and for as long as that is there.
func TestDownload(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.talk(now, "one")
	if err := w.Work(t.Context(), w.begun(t, export.Asked{Format: kyro.ExportCSV})); err != nil {
		t.Fatal(err)
	}
	w.file(t)
	w.begun(t, export.Asked{Format: kyro.ExportCSV}) // which is not made
	in := func(d time.Duration, about ...int64) string { return grants{}.Grant(export.Path, now.Add(d), about...) }
	for name, token := range map[string]string{
		"made up": "x", "over": in(0, 1, 1), "another's": in(time.Minute, 1, 2), "not there": in(time.Minute, 7, 1), "not ready": in(time.Minute, 2, 1),
		"of another use": grants{}.Grant("/files/", now.Add(time.Minute), 1, 1), "about too little": in(time.Minute, 1),
	} {
		if _, err := w.Download(t.Context(), token); kyro.ErrorCode(err) != kyro.CodeNotFound || !strings.HasSuffix(err.Error(), "There is no file here, or not any more. Ask the export for another url.") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWatch tells every change, and ends with a final state.
func TestWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.begun(t, export.Asked{Format: kyro.ExportCSV})
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		for e, err := range w.Watch(t.Context(), owner, kyro.ExportID(1)) {
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, string(e.Status))
			w.mu.Lock()
			row := &w.exports[0]
			row.UpdatedAt = row.UpdatedAt.Add(time.Second)
			if row.Status == kyro.ExportRunning {
				row.Status = kyro.ExportReady
			} else {
				row.Status = kyro.ExportRunning
			}
			w.mu.Unlock()
		}
		if got := strings.Join(seen, " "); got != "QUEUED RUNNING READY" {
			t.Errorf("told %s", got)
		}
	})
}
