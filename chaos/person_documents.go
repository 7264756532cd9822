package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"kyrochat/client"
)

// added is a document that a server acknowledged.
type added struct {
	paper paper
	bot   string
	id    string
}

const aboutAdded = `{ document { id } errors { code message } }`

// add adds a document in the way that its paper says, and does not rest before it is acknowledged.
func (p *person) add(ctx context.Context, bot string, what paper) (added, error) {
	var id string
	var err error
	switch what.way {
	case asText:
		id, err = p.addBy(ctx, `mutation($i: AddTextDocumentInput!) { made: addTextDocument(input: $i) `+aboutAdded+` }`,
			map[string]any{"botId": bot, "title": what.title, "text": string(what.content)})
	case asPair:
		id, err = p.addBy(ctx, `mutation($i: AddQADocumentInput!) { made: addQADocument(input: $i) `+aboutAdded+` }`,
			map[string]any{"botId": bot, "question": what.title, "answer": string(what.content)})
	case asUpload:
		id, err = p.upload(ctx, bot, what)
	default:
		id, err = p.uploadInParts(ctx, bot, what)
	}
	if err != nil {
		return added{}, fmt.Errorf("add %s: %w", what.name, err)
	}
	return added{paper: what, bot: bot, id: id}, nil
}

// madeDocument is the answer to whatever makes a document.
type madeDocument struct {
	Made struct {
		Document *struct{ ID string }
		Errors   []problem
	}
}

// errNotTaken says that a server answered, and took nothing.
var errNotTaken = errors.New("it was not taken")

func (m madeDocument) id() (string, error) {
	if m.Made.Document == nil {
		return "", fmt.Errorf("%w: %v", errNotTaken, m.Made.Errors)
	}
	return m.Made.Document.ID, nil
}

func (p *person) addBy(ctx context.Context, mutation string, input map[string]any) (string, error) {
	var made madeDocument
	if err := p.ask(ctx, mutation, map[string]any{"i": input}, &made); err != nil {
		return "", err
	}
	return made.id()
}

// upload sends a file by one request with several parts.
func (p *person) upload(ctx context.Context, bot string, what paper) (string, error) {
	var made madeDocument
	err := p.insist(ctx, func(ctx context.Context) error {
		return p.any().Upload(ctx, `mutation($i: UploadDocumentInput!) { made: uploadDocument(input: $i) `+aboutAdded+` }`,
			map[string]any{"i": map[string]any{"botId": bot, "title": what.title}},
			client.File{Variable: "i.file", Name: what.name, Size: int64(len(what.content)), Reader: bytes.NewReader(what.content)}, &made)
	})
	if err != nil {
		return "", err
	}
	return made.id()
}

// partOfUpload is how many bytes go with one request of an upload in parts.
const partOfUpload = 16 << 10

// uploadInParts sends a file in parts, each to some server, and asks how far it came whenever it does not know.
func (p *person) uploadInParts(ctx context.Context, bot string, what paper) (string, error) {
	var slot struct {
		CreateUpload struct {
			Upload *struct{ URL string }
			Errors []problem
		}
	}
	err := p.ask(ctx, `mutation($i: CreateUploadInput!) { createUpload(input: $i) { upload { url } errors { code message } } }`,
		map[string]any{"i": map[string]any{"botId": bot, "fileName": what.name, "title": what.title, "sizeBytes": len(what.content)}}, &slot)
	if err == nil && slot.CreateUpload.Upload == nil {
		err = fmt.Errorf("the upload was not begun: %v", slot.CreateUpload.Errors)
	}
	if err != nil {
		return "", err
	}
	address, err := url.Parse(slot.CreateUpload.Upload.URL)
	if err != nil {
		return "", err
	}
	at, known, id := 0, true, ""
	for id == "" {
		err := p.insist(ctx, func(ctx context.Context) (err error) {
			server := p.urls[p.dice.n(len(p.urls))] + address.Path
			if !known {
				if at, err = p.offset(ctx, server); err != nil {
					return err
				}
				known = true
			}
			end := min(at+partOfUpload, len(what.content))
			span := fmt.Sprintf("bytes %d-%d/%d", at, end-1, len(what.content))
			if at == len(what.content) {
				span = fmt.Sprintf("bytes */%d", len(what.content))
			}
			known = false // until it is answered
			if at, id, err = p.part(ctx, server, span, what.content[at:end]); err != nil {
				return err
			}
			known = true
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	return id, nil
}

// offset asks how much of an upload is there.
func (p *person) offset(ctx context.Context, address string) (int, error) {
	res, body, err := p.carry(ctx, http.MethodHead, address, "", nil)
	if err != nil {
		return 0, err
	}
	return offsetOf(res, body)
}

// part sends a part, and gives how much is there, or the document that came of it.
func (p *person) part(ctx context.Context, address, span string, content []byte) (at int, id string, err error) {
	res, body, err := p.carry(ctx, http.MethodPut, address, span, content)
	if err != nil {
		return 0, "", err
	}
	switch res.StatusCode {
	case http.StatusCreated:
		var made struct{ DocumentID string }
		if err := json.Unmarshal(body, &made); err != nil || made.DocumentID == "" {
			return 0, "", fmt.Errorf("no document in %s", body)
		}
		return 0, made.DocumentID, nil
	case http.StatusPermanentRedirect, http.StatusConflict:
		at, err := offsetOf(res, body)
		return at, "", err
	}
	return 0, "", refusedPart(res, body)
}

func offsetOf(res *http.Response, body []byte) (int, error) {
	var at int
	if _, err := fmt.Sscan(res.Header.Get("Upload-Offset"), &at); err != nil {
		return 0, refusedPart(res, body)
	}
	return at, nil
}

// refusedPart is an error as the client's: one of a server that goes, and one of a connection that a server ends, pass.
func refusedPart(res *http.Response, body []byte) error {
	if strings.Contains(string(body), "UNAVAILABLE") || strings.Contains(string(body), "TIMEOUT") {
		return &client.StatusError{Status: http.StatusServiceUnavailable}
	}
	if res.StatusCode >= http.StatusInternalServerError {
		return &client.StatusError{Status: res.StatusCode}
	}
	return client.Errors{{Message: fmt.Sprintf("%d %s", res.StatusCode, body)}}
}

// carry sends a request about a file; span is the Content-Range.
func (p *person) carry(ctx context.Context, method, address, span string, content []byte) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(content))
	if err != nil {
		return nil, nil, err
	}
	if span != "" {
		req.Header.Set("Content-Range", span)
	}
	res, err := (&http.Client{Transport: p.calls, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res, body, errors.Join(err, res.Body.Close())
}

// deleteBot does not rest before the deletion is acknowledged. That somebody did it before is what a repeated request may
// find.
func (p *person) deleteBot(ctx context.Context, id string) error {
	var gone struct {
		DeleteBot struct {
			DeletedID string
			Errors    []problem
		}
	}
	return notThere(p.ask(ctx, `mutation($i: DeleteBotInput!) { deleteBot(input: $i) { deletedId errors { code message } } }`,
		map[string]any{"i": map[string]any{"botId": id}}, &gone))
}

// notThere takes it for a success that something is not there.
func notThere(err error) error {
	if answered, ok := errors.AsType[client.Errors](err); ok && client.Code(answered) == "NOT_FOUND" {
		return nil
	}
	return err
}
