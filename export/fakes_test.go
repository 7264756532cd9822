package export_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"kyrochat/export"
	"kyrochat/export/folder"
	"kyrochat/kyro"
)

var (
	now    = time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)
	owner  = kyro.Viewer{UserID: kyro.UserID(1), SessionID: kyro.SessionID(2), RequestID: "r"}
	helper = kyro.BotID(3)
)

// world is a store with one owner in memory. What a test does not use is left out: the interface behind it is nil.
type world struct {
	export.Store

	mu       sync.Mutex
	exports  []kyro.Export
	talks    []kyro.Conversation
	messages map[kyro.ID][]kyro.Message
	reads    int    // of lists
	most     int    // rows that were given at once
	onRead   func() // before each read of messages
	wrong    error  // of reads of messages
	over     bool   // the attempt counts no more
	deeds    []kyro.AuditEntry
	saved    []byte

	*export.Service
	dir string
}

func newWorld(t *testing.T, change func(*export.Config)) *world {
	t.Helper()
	w := &world{messages: map[kyro.ID][]kyro.Message{}, dir: t.TempDir()}
	files, err := folder.Open(w.dir, true)
	if err != nil {
		t.Fatal(err)
	}
	c := export.Config{Store: w, Folder: files, Grants: grants{}, Base: func() string { return "https://kyro.test" }, Now: func() time.Time { return now }, NewKey: func() string { return "object" }, Version: "v1"}
	if change != nil {
		change(&c)
	}
	w.Service = export.New(c)
	return w
}

// left are the files in the folder.
func (w *world) left(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// talk adds a conversation with messages, all at the time.
func (w *world) talk(at time.Time, texts ...string) kyro.ID {
	id := kyro.ConversationID(int64(len(w.talks) + 1))
	w.talks = append(w.talks, kyro.Conversation{ID: id, BotID: helper, UserID: owner.UserID, Title: "Talk " + strconv.Itoa(len(w.talks)), CreatedAt: at, LastMessageAt: at})
	for _, text := range texts {
		w.say(id, at, text)
	}
	return id
}

func (w *world) say(id kyro.ID, at time.Time, text string) {
	n := int64(len(w.messages[id]) + 1)
	w.messages[id] = append(w.messages[id], kyro.Message{
		ID: kyro.MessageID(id.Key*100_000 + n), ConversationID: id, Role: kyro.RoleUser, Status: kyro.MessageCompleted, Text: text, Turn: n, CreatedAt: at,
	})
}

// begun asks for an export and gives its job.
func (w *world) begun(t *testing.T, asked export.Asked) kyro.Job {
	t.Helper()
	if asked.BotID.IsZero() {
		asked.BotID = helper
	}
	e, err := w.Conversations(t.Context(), owner, asked)
	if err != nil {
		t.Fatal(err)
	}
	return kyro.Job{Kind: kyro.JobExport, Key: e.ID.Key}
}

// file is the file of the last export, as it is downloaded.
func (w *world) file(t *testing.T) string {
	t.Helper()
	e := w.exports[len(w.exports)-1]
	url := w.URL(&e)
	d, err := w.Download(t.Context(), url[len("https://kyro.test"+export.Path):])
	if err != nil {
		t.Fatalf("%v of %+v", err, e)
	}
	defer func() { _ = d.Body.Close() }()
	text, err := io.ReadAll(d.Body)
	if err != nil || int64(len(text)) != *e.SizeBytes || d.Hash != e.Hash {
		t.Fatalf("%d bytes, %v of %+v", len(text), err, e)
	}
	return string(text)
}

func (w *world) StartExport(_ context.Context, e kyro.Export, most int, deeds ...kyro.AuditEntry) (kyro.Export, error) {
	if len(w.exports) >= most {
		return kyro.Export{}, kyro.Errorf(kyro.CodeLimitReached, "Too many.")
	}
	e.ID = kyro.ExportID(int64(len(w.exports) + 1))
	w.exports, w.deeds = append(w.exports, e), append(w.deeds, deeds...)
	return e, nil
}

func (w *world) Exports(_ context.Context, user kyro.ID, ids []kyro.ID, _ time.Time) (found []kyro.Export, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.exports {
		if e.OwnerID == user && slices.Contains(ids, e.ID) {
			found = append(found, e)
		}
	}
	return found, nil
}

func (w *world) at(id kyro.ID) *kyro.Export { return &w.exports[id.Key-1] }

func (w *world) BeginExport(_ context.Context, id kyro.ID, _ time.Time) (kyro.Export, error) {
	e := w.at(id)
	if e.Status.Final() {
		return kyro.Export{}, kyro.NotFound(kyro.KindExport)
	}
	e.Attempt, e.Status = e.Attempt+1, kyro.ExportRunning
	return *e, nil
}

func (w *world) NoteExport(_ context.Context, e kyro.Export, at time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return kyro.NotFound(kyro.KindExport)
	}
	row := w.at(e.ID)
	row.Done, row.Total, row.UpdatedAt = e.Done, e.Total, at
	return nil
}

func (w *world) FinishExport(_ context.Context, e kyro.Export, at, expires time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return kyro.NotFound(kyro.KindExport)
	}
	e.Status, e.FinishedAt, e.ExpiresAt, e.UpdatedAt = kyro.ExportReady, &at, expires, at
	*w.at(e.ID) = e
	return nil
}

func (w *world) FailExport(_ context.Context, id kyro.ID, attempt int64, why *kyro.Error, _, expires time.Time) error {
	if e := w.at(id); !e.Status.Final() && (attempt == 0 || attempt == e.Attempt) {
		e.Status, e.Failure, e.ExpiresAt = kyro.ExportFailed, why, expires
	}
	return nil
}

func (w *world) SaveExport(_ context.Context, _ kyro.Export, file io.Reader) (err error) {
	w.saved, err = io.ReadAll(file)
	return err
}

func (w *world) ExportFile(context.Context, kyro.Export) io.ReadSeeker {
	return bytes.NewReader(w.saved)
}

func (w *world) ConversationPage(
	_ context.Context, _ kyro.ID, f kyro.ConversationFilter, order kyro.ConversationOrder, req kyro.PageRequest,
) (kyro.Page[kyro.Conversation], error) {
	var rows []kyro.Conversation
	for _, c := range w.talks {
		if (f.BotID.IsZero() || c.BotID == f.BotID) && c.CreatedAt.Before(*f.Before) && (f.Since == nil || !c.LastMessageAt.Before(*f.Since)) {
			rows = append(rows, c)
		}
	}
	return paged(w, rows, order.Name(), req, func(c *kyro.Conversation) int64 { return c.ID.Key })
}

func (w *world) MessagePages(
	_ context.Context, _ kyro.ID, ids []kyro.ID, superseded bool, req kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.Message], error) {
	if w.onRead != nil {
		w.onRead()
	}
	if w.wrong != nil || !superseded {
		return nil, errors.Join(w.wrong)
	}
	pages, rows := map[kyro.ID]kyro.Page[kyro.Message]{}, 0
	for _, id := range ids {
		pages[id], _ = paged(w, w.messages[id], kyro.MessagesOrder, req, func(m *kyro.Message) int64 { return m.ID.Key })
		rows += len(pages[id].Nodes)
		w.reads--
	}
	w.reads++
	w.most = max(w.most, rows)
	return pages, nil
}

func paged[N any](w *world, rows []N, order string, req kyro.PageRequest, key func(*N) int64) (kyro.Page[N], error) {
	w.reads++
	p := kyro.Page[N]{Total: len(rows)}
	for i := range rows {
		if req.Cursor != nil && key(&rows[i]) <= req.Cursor.Key {
			continue
		}
		if p.HasNextPage = len(p.Nodes) == req.Limit; p.HasNextPage {
			break
		}
		p.Nodes = append(p.Nodes, rows[i])
	}
	p.CursorAt = func(i int) string { return kyro.Cursor{Order: order, Key: key(&p.Nodes[i])}.String() }
	return p, nil
}

// grants are capabilities that anybody could make.
type grants struct{}

func (grants) Grant(use string, expires time.Time, about ...int64) string {
	token := use[1:len(use)-1] + "-" + strconv.FormatInt(expires.Unix(), 10)
	for _, each := range about {
		token += "-" + strconv.FormatInt(each, 10)
	}
	return token
}

func (grants) Granted(use, token string, at time.Time) (about []int64) {
	parts := bytes.Split([]byte(token), []byte("-"))
	if len(parts) < 2 || string(parts[0]) != use[1:len(use)-1] {
		return nil
	}
	if expires, _ := strconv.ParseInt(string(parts[1]), 10, 64); expires <= at.Unix() {
		return nil
	}
	for _, part := range parts[2:] {
		n, _ := strconv.ParseInt(string(part), 10, 64)
		about = append(about, n)
	}
	return about
}

// bucket keeps objects in memory.
type bucket struct {
	objects map[string][]byte
	away    bool
	gone    error // of Remove
}

func (b *bucket) Put(_ context.Context, key string, r io.Reader, size int64) error {
	if b.away {
		return kyro.Errorf(kyro.CodeUnavailable, "Away.")
	}
	text, err := io.ReadAll(io.LimitReader(r, size+1))
	if int64(len(text)) != size {
		return errors.New("another size")
	}
	b.objects[key] = text
	return err
}

func (b *bucket) Open(_ context.Context, key string) (io.ReadSeekCloser, error) {
	return struct {
		io.ReadSeeker
		io.Closer
	}{bytes.NewReader(b.objects[key]), io.NopCloser(nil)}, nil
}

func (b *bucket) Remove(_ context.Context, keys []string) error {
	if b.gone != nil {
		return b.gone
	}
	for _, key := range keys {
		delete(b.objects, key)
	}
	return nil
}
