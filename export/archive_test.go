package export_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/export"
	"kyrochat/kyro"
)

// person is a world that has everything of a person besides conversations.
type person struct {
	*world
	documents []kyro.Document
	dropped   []kyro.ID
	deleted   map[kyro.ID]kyro.Export
	known     []kyro.ID
	expired   int
	budgeted  []kyro.ID
}

func newPerson(t *testing.T, change func(*export.Config)) *person {
	t.Helper()
	p := &person{deleted: map[kyro.ID]kyro.Export{}}
	p.world = newWorld(t, func(c *export.Config) {
		c.Store, c.Originals = p, originals{3: "three", 5: "five"}
		if change != nil {
			change(c)
		}
	})
	return p
}

func (p *person) Users(context.Context, []kyro.ID) ([]kyro.User, error) {
	return []kyro.User{{ID: owner.UserID, Email: "ada@example.com", Name: "Ada <3", CreatedAt: now}}, nil
}

func (p *person) SessionsOf(context.Context, kyro.ID, time.Time, time.Time) ([]kyro.Session, error) {
	return []kyro.Session{{ID: kyro.SessionID(2), CreatedAt: now, LastUsedAt: now, ExpiresAt: now}}, nil
}

func (p *person) APIKeysOf(context.Context, kyro.ID) ([]kyro.APIKey, error) {
	return []kyro.APIKey{{ID: kyro.APIKeyID(4), Name: "Robot", Prefix: "kyr_ab", Scopes: []kyro.Scope{kyro.ScopeRead}}}, nil
}

func (p *person) Usage(_ context.Context, _ kyro.ID, targets []kyro.ID, r kyro.UsageRange, _ bool) (map[kyro.ID]kyro.Usage, error) {
	return map[kyro.ID]kyro.Usage{targets[0]: {Models: []kyro.ModelUsage{{
		UsageFigures: kyro.UsageFigures{Messages: int64(r.From.Month()), PromptTokens: 20, OutputTokens: 3, Cost: 1_250_000}, Kind: "ANSWER", Model: "m",
	}}}}, nil
}

func (p *person) Budgets(_ context.Context, _ kyro.ID, targets []kyro.ID, _ time.Time) (map[kyro.ID][]kyro.HardBudget, error) {
	p.budgeted = targets
	most := int64(7)
	return map[kyro.ID][]kyro.HardBudget{targets[len(targets)-1]: {{Period: kyro.BudgetDay, Limits: kyro.SpendingLimits{Messages: &most}}}}, nil
}

func (p *person) AuditPage(_ context.Context, _ kyro.ID, req kyro.PageRequest) (kyro.Page[kyro.AuditEntry], error) {
	return paged(p.world, []kyro.AuditEntry{{ID: kyro.AuditID(9), At: now, Action: kyro.AuditSignedUp}}, "AT.DESC", req, func(e *kyro.AuditEntry) int64 { return e.ID.Key })
}

func (p *person) BotPage(_ context.Context, _ kyro.ID, _ kyro.BotFilter, o kyro.BotOrder, req kyro.PageRequest) (kyro.Page[kyro.Bot], error) {
	bots := []kyro.Bot{{ID: helper, Name: "Helper", CreatedAt: now}, {ID: kyro.BotID(4), Name: "Later", CreatedAt: now.Add(time.Second)}}
	return paged(p.world, bots, o.Name(), req, func(b *kyro.Bot) int64 { return b.ID.Key })
}

func (p *person) DocumentPages(
	_ context.Context, _ kyro.ID, bots []kyro.ID, _ kyro.DocumentFilter, req kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.Document], error) {
	page, err := paged(p.world, p.documents, kyro.DocumentsOrder, req, func(d *kyro.Document) int64 { return d.ID.Key })
	return map[kyro.ID]kyro.Page[kyro.Document]{bots[0]: page}, err
}

func (p *person) CrawlsOfBots(context.Context, kyro.ID, []kyro.ID, kyro.PageRequest) (map[kyro.ID]kyro.Page[kyro.Crawl], error) {
	return nil, nil
}

func (p *person) GapPages(
	_ context.Context, user kyro.ID, bots []kyro.ID, f kyro.GapFilter, req kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.Gap], error) {
	if user != owner.UserID {
		return nil, errors.New("another owner")
	}
	gaps := []kyro.Gap{
		{ID: kyro.GapID(1), BotID: helper, Status: kyro.GapFixed, Question: "Is it open?", Asked: 2, Unanswered: 1, CreatedAt: now, Check: kyro.GapCheck{Total: 2, Answered: 1}},
		{ID: kyro.GapID(2), BotID: helper, Status: kyro.GapDismissed, Question: "And the cat?", CreatedAt: now},
		{ID: kyro.GapID(3), BotID: helper, Status: kyro.GapOpen, Question: "Later?", CreatedAt: now.Add(time.Second)},
	}
	gaps = slices.DeleteFunc(gaps, func(g kyro.Gap) bool { return !slices.Contains(f.Status, g.Status) })
	page, err := paged(p.world, gaps, kyro.GapsOrder, req, func(g *kyro.Gap) int64 { return g.ID.Key })
	return map[kyro.ID]kyro.Page[kyro.Gap]{bots[0]: page}, err
}

func (p *person) GapQuestionPages(
	_ context.Context, _ kyro.ID, gaps []kyro.ID, req kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.GapQuestion], error) {
	asked := []kyro.GapQuestion{
		{MessageID: kyro.MessageID(11), GapID: gaps[0], AskedAt: now, Verdict: kyro.GapAnswered}, {MessageID: kyro.MessageID(12), GapID: gaps[0], AskedAt: now.Add(time.Second)},
	}
	page, err := paged(p.world, asked, kyro.GapQuestionsOrder, req, func(q *kyro.GapQuestion) int64 { return q.MessageID.Key })
	return map[kyro.ID]kyro.Page[kyro.GapQuestion]{gaps[0]: page}, err
}

func (p *person) ExportsOf(context.Context, kyro.ID, time.Time) ([]kyro.Export, error) {
	return p.exports, nil
}

func (p *person) DeletedExport(_ context.Context, id kyro.ID) (kyro.Export, error) {
	e, found := p.deleted[id]
	if !found {
		return e, kyro.NotFound(kyro.KindExport)
	}
	return e, nil
}

func (p *person) DropExport(_ context.Context, id kyro.ID) error {
	p.dropped = append(p.dropped, id)
	return nil
}

func (p *person) ExpireExports(context.Context, time.Time) error { p.expired++; return nil }

func (p *person) UnknownExports(_ context.Context, ids []kyro.ID) ([]kyro.ID, error) {
	return slices.DeleteFunc(slices.Clone(ids), func(id kyro.ID) bool { return slices.Contains(p.known, id) }), nil
}

// originals are files by the keys of their documents.
type originals map[int64]string

func (o originals) OpenOriginal(_ context.Context, user, document kyro.ID) (string, io.ReadSeekCloser, error) {
	text, found := o[document.Key]
	switch {
	case user != owner.UserID:
		return "", nil, errors.New("another owner")
	case !found:
		return "", nil, kyro.NotFound(kyro.KindDocument)
	}
	return "same name.txt", struct {
		io.ReadSeeker
		io.Closer
	}{strings.NewReader(text), io.NopCloser(nil)}, nil
}

// TestArchive: everything has its file, what came later and what is lost are left out, and the manifest says so.
func TestArchive(t *testing.T) {
	t.Parallel()
	p := newPerson(t, nil)
	p.talk(now.Add(-time.Hour), "Hello")
	p.talk(now.Add(time.Hour), "Later")
	for key, at := range map[int64]time.Time{3: now, 4: now, 5: now, 6: now, 7: now.Add(time.Second)} {
		d := kyro.Document{ID: kyro.DocumentID(key), BotID: helper, Title: "Document", CreatedAt: at, SizeBytes: ptr(int64(5))}
		if key == 4 { // a page that was not fetched yet
			d.SizeBytes = nil
		}
		p.documents = append(p.documents, d)
	}
	slices.SortFunc(p.documents, func(a, b kyro.Document) int { return int(a.ID.Key - b.ID.Key) })
	e, err := p.MyData(t.Context(), owner)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Work(t.Context(), kyro.Job{Key: e.ID.Key}); err != nil {
		t.Fatal(err)
	}
	file := p.file(t)
	z, err := zip.NewReader(strings.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]string{}
	for _, entry := range z.File {
		r, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil || !entry.Modified.Equal(now) {
			t.Errorf("%s of %v: %v", entry.Name, entry.Modified, err)
		}
		content[entry.Name] = string(text)
	}
	if content["files/doc_3/same name.txt"] != "three" || content["files/doc_5/same name.txt"] != "five" {
		t.Errorf("originals: %q", content)
	}
	var m struct {
		Version   int
		Server    string
		UserID    string
		Originals struct {
			Count   int
			Missing []string
		}
		Files []struct {
			Name  string
			Count int
		}
	}
	if err := json.Unmarshal([]byte(content["manifest.json"]), &m); err != nil {
		t.Fatal(err)
	}
	if m.Version != 1 || m.Server != "v1" || m.UserID != "user_1" || m.Originals.Count != 2 || !slices.Equal(m.Originals.Missing, []string{"doc_6"}) {
		t.Errorf("manifest: %s", content["manifest.json"])
	}
	if len(m.Files)+2+1 != len(content) { // two originals, and the manifest itself
		t.Errorf("%d files, of which the manifest names %d", len(content), len(m.Files))
	}
	want := map[string]int{"conversations.json": 1, "messages.json": 1, "documents.json": 4, "bots.json": 1, "crawls.json": 0, "usage.json": 1, "budgets.json": 1, "knowledge-gaps.json": 2}
	for _, f := range m.Files {
		var list []map[string]any
		if err := json.Unmarshal([]byte(content[f.Name]), &list); err != nil || len(list) != f.Count {
			t.Errorf("%s: %d of %d, %v", f.Name, len(list), f.Count, err)
		}
		if n, named := want[f.Name]; named && n != f.Count {
			t.Errorf("%s has %d, want %d", f.Name, f.Count, n)
		}
	}
	const profile = "[\n  {\n    \"createdAt\": \"2026-11-29T10:00:00.000000Z\",\n    \"email\": \"ada@example.com\",\n    \"emailVerified\": false,\n    \"id\": \"user_1\",\n    \"name\": \"Ada <3\"\n  }\n]\n"
	if content["profile.json"] != profile || content["crawls.json"] != "[]\n" {
		t.Errorf("profile: %s, crawls: %s", content["profile.json"], content["crawls.json"])
	}
	for name, text := range map[string]string{"usage.json": `"messages": 11,`, "budgets.json": `"maxMessages": 7,`, "knowledge-gaps.json": `"verdict": "ANSWERED"`} {
		if !strings.Contains(content[name], text) {
			t.Errorf("%s: %s", name, content[name])
		}
	}
	if text := content["knowledge-gaps.json"]; !strings.Contains(text, `"status": "DISMISSED"`) || strings.Contains(text, "msg_12") {
		t.Errorf("gaps: %s", text)
	}
	if !slices.Equal(p.budgeted, []kyro.ID{owner.UserID, kyro.APIKeyID(4), helper}) {
		t.Errorf("asked for budgets of %v", p.budgeted)
	}
	if got := p.exports[0]; got.Done != 1+4 || *got.Total != got.Done {
		t.Errorf("%d of %d are done", got.Done, *got.Total)
	}
}

// TestDrop removes the file before the row, and waits for what is away.
func TestDrop(t *testing.T) {
	t.Parallel()
	b := &bucket{objects: map[string][]byte{"object": []byte("x"), "other": []byte("y")}}
	p := newPerson(t, func(c *export.Config) { c.Bucket = b })
	p.deleted[kyro.ExportID(1)] = kyro.Export{ID: kyro.ExportID(1), Object: "object"}
	for _, key := range []int64{1, 2} { // of which the second is gone already
		if err := p.Drop(t.Context(), kyro.Job{Kind: kyro.JobDropExport, Key: key}); err != nil {
			t.Error(err)
		}
	}
	if len(b.objects) != 1 || !slices.Equal(p.dropped, []kyro.ID{kyro.ExportID(1)}) {
		t.Errorf("objects %v, rows %v", b.objects, p.dropped)
	}
	b.gone = errors.New("away")
	if err := p.Drop(t.Context(), kyro.Job{Key: 1}); !errors.Is(err, kyro.ErrJobAgain) || len(p.dropped) != 1 {
		t.Errorf("while the bucket is away: %v, %v", err, p.dropped)
	}
}

// TestExpire removes old files that belong to nothing, and those that were cut off.
func TestExpire(t *testing.T) {
	t.Parallel()
	p := newPerson(t, func(c *export.Config) { c.Now = time.Now }) // as the times of files
	p.known = []kyro.ID{kyro.ExportID(2)}
	for name, age := range map[string]time.Duration{"1": 2 * time.Hour, "2": 2 * time.Hour, "3": 0, "tmp/4": 2 * time.Hour, "tmp/5": 0} {
		path := filepath.Join(p.dir, name)
		at := time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(path, bytes.Repeat([]byte("x"), 3), 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	left := p.left(t)
	slices.Sort(left)
	if !slices.Equal(left, []string{"2", "3", "5"}) || p.expired != 1 {
		t.Errorf("left are %v; %d looks for what expired", left, p.expired)
	}
}
