package eval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/sync/errgroup"

	"kyrochat/client"
	"kyrochat/text"
)

// stored is a document as the server has it.
type stored struct {
	id       string
	version  int
	pages    bool
	text     string
	squeezed string
	units    []uint16
	chunks   []chunk // of a document with pages, in reading order
}

// chunk is where a chunk of a document stands.
type chunk struct {
	CharStart, CharEnd int
	PageStart, PageEnd *int
}

// ingest gives the server all documents and waits until they are ready, several at once.
func (r *run) ingest(ctx context.Context) error {
	began, total := r.now(), len(r.set.Documents)
	r.documents = make([]*stored, total)
	r.progress.begin("documents ready", total)
	defer r.progress.done()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.options.Concurrency)
	for i := range r.set.Documents {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			d, err := r.add(ctx, &r.set.Documents[i])
			if err != nil {
				return fmt.Errorf("document %q: %w", r.set.Documents[i].ID, err)
			}
			r.documents[i] = d
			r.progress.step()
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	r.progress.say("%s ready after %s", text.Plural(total, "document"), r.now().Sub(began).Round(100*time.Millisecond))
	return nil
}

// add gives the server one document, and reads what the server made of it.
func (r *run) add(ctx context.Context, d *Document) (*stored, error) {
	id, err := r.send(ctx, d)
	if err != nil {
		return nil, err
	}
	if err := r.follow(ctx, id, d.ID); err != nil {
		return nil, err
	}
	var now struct {
		Document struct {
			Status, StatusReason string
			Version              int
			PageCount            *int
		}
	}
	err = r.do(ctx, `query($id: ID!) { document(id: $id) { status statusReason version pageCount } }`, map[string]any{"id": id}, &now)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(now.Document.Status, "READY") {
		return nil, fmt.Errorf("it is %s: %s", now.Document.Status, now.Document.StatusReason)
	}
	s := &stored{id: id, version: now.Document.Version, pages: now.Document.PageCount != nil}
	if s.text, err = r.text(ctx, id); err != nil {
		return nil, fmt.Errorf("read its text: %w", err)
	}
	s.squeezed, s.units = squeeze(s.text), utf16.Encode([]rune(s.text))
	if s.pages && !r.options.NoAnswers {
		if s.chunks, err = r.chunks(ctx, id); err != nil {
			return nil, fmt.Errorf("read its chunks: %w", err)
		}
	}
	return s, nil
}

// send gives the server a document, and returns the server's id of it.
func (r *run) send(ctx context.Context, d *Document) (id string, err error) {
	type added struct {
		Document struct{ ID string }
		payload
	}
	if d.File == "" {
		var text struct{ AddTextDocument added }
		err = r.do(ctx, `mutation($input: AddTextDocumentInput!) { addTextDocument(input: $input) { document { id } errors { code message } } }`,
			input{"botId": r.bot, "title": d.Title, "text": d.Text}.variables(), &text)
		return text.AddTextDocument.Document.ID, errors.Join(err, text.AddTextDocument.err())
	}
	f, err := os.Open(d.path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var file struct{ UploadDocument added }
	ctx, cancel := context.WithTimeout(ctx, turnTimeout)
	defer cancel()
	err = r.api.Upload(ctx, `mutation($input: UploadDocumentInput!) { uploadDocument(input: $input) { document { id } errors { code message } } }`,
		input{"botId": r.bot, "title": d.Title, "file": nil}.variables(),
		client.File{Variable: "input.file", Name: filepath.Base(d.path), Size: -1, Reader: f}, &file)
	return file.UploadDocument.Document.ID, errors.Join(err, file.UploadDocument.err())
}

// follow waits for a document's end, however long a quota or a provider that is away takes, and says what for.
func (r *run) follow(ctx context.Context, id, name string) error {
	const events = `subscription($id: ID!) { documentProgress(documentId: $id) { retryAt document { statusReason } } }`
	told := ""
	for data, err := range r.api.Subscribe(ctx, events, map[string]any{"id": id}) {
		if err != nil {
			return fmt.Errorf("follow it: %w", err)
		}
		var event struct {
			DocumentProgress struct {
				RetryAt  *string
				Document *struct{ StatusReason string }
			}
		}
		if err := json.Unmarshal(data, &event); err != nil {
			return fmt.Errorf("follow it: %w", err)
		}
		now := event.DocumentProgress
		if now.RetryAt != nil && now.Document != nil && now.Document.StatusReason != told {
			told = now.Document.StatusReason
			r.progress.say("document %q waits: %s", name, told)
		}
	}
	return nil
}

// text reads all of a document's stored text, part by part.
func (r *run) text(ctx context.Context, id string) (string, error) {
	const part = 262_144
	var b strings.Builder
	for start := 0; ; {
		var slice struct{ Document struct{ Text string } }
		err := r.do(ctx, `query($id: ID!, $start: Int!, $length: Int!) { document(id: $id) { text(start: $start, length: $length) } }`,
			map[string]any{"id": id, "start": start, "length": part}, &slice)
		if err != nil {
			return "", err
		}
		got := slice.Document.Text
		if got == "" {
			return b.String(), nil
		}
		b.WriteString(got)
		for _, c := range got {
			start += utf16.RuneLen(c)
		}
	}
}

// chunks reads where a document's chunks stand.
func (r *run) chunks(ctx context.Context, id string) (all []chunk, err error) {
	for after := any(nil); ; {
		var page struct {
			Document struct {
				Chunks struct {
					Nodes    []chunk
					PageInfo struct {
						HasNextPage bool
						EndCursor   string
					}
				}
			}
		}
		err := r.do(ctx, `query($id: ID!, $after: String) { document(id: $id) { chunks(first: 100, after: $after) {
			nodes { charStart charEnd pageStart pageEnd } pageInfo { hasNextPage endCursor } } } }`, map[string]any{"id": id, "after": after}, &page)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Document.Chunks.Nodes...)
		if !page.Document.Chunks.PageInfo.HasNextPage {
			return all, nil
		}
		after = page.Document.Chunks.PageInfo.EndCursor
	}
}

// locate finds where the expected passages stand, now that the server has read the documents. One that stands nowhere
// would be missed whatever the server does, and so it is an error.
func (r *run) locate() error {
	var wrong []error
	for i := range r.set.Questions {
		q := &r.set.Questions[i]
		q.places = make([][]place, len(q.Passages))
		for n, p := range q.Passages {
			for d, s := range r.documents {
				if p.Document != "" && p.Document != r.set.Documents[d].ID {
					continue
				}
				for _, at := range occurrences(s.text, s.squeezed, p.Text) {
					q.places[n] = append(q.places[n], place{d, at})
				}
			}
			if len(q.places[n]) == 0 {
				wrong = append(wrong, fmt.Errorf("line %d: question %d: passage %d: %s, as the server has read it", q.line, q.number, n+1, p.notThere()))
			}
		}
	}
	for _, s := range r.documents {
		s.squeezed = ""
	}
	return errors.Join(wrong...)
}

// number is the place of one of the server's documents in the set; -1 for none of ours.
func (r *run) number(id string) int {
	for i, s := range r.documents {
		if s.id == id {
			return i
		}
	}
	return -1
}
