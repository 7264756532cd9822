package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
)

// File is what an upload sends.
type File struct {
	Variable string // where the Upload stands among the variables, such as input.file
	Name     string
	Size     int64 // in bytes; negative if unknown
	Reader   io.Reader
	// Progress, if set, is told how many bytes of the file were handed to the network. It is called by another
	// goroutine, but never after Upload returned.
	Progress func(sent int64)
}

// Upload runs a mutation with a file, which is streamed and never held in memory. Errors are those of Do. The
// reader is not used any more once Upload returns.
func (c *Client) Upload(ctx context.Context, query string, variables map[string]any, file File, into any) error {
	variables, err := withNull(variables, file.Variable)
	if err != nil {
		return err
	}
	head, tail, contentType, err := envelope(request{query, variables}, file)
	if err != nil {
		return err
	}
	content := &upload{r: file.Reader, progress: file.Progress}
	defer content.end()
	body := io.MultiReader(bytes.NewReader(head), content, bytes.NewReader(tail))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint.String(), io.NopCloser(body))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	req.ContentLength = -1
	if file.Size >= 0 {
		req.ContentLength = int64(len(head)) + file.Size + int64(len(tail))
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Apollo-Require-Preflight", "true")
	return c.send(req, into)
}

// envelope is the multipart form before and after the file's content.
func envelope(r request, file File) (head, tail []byte, contentType string, err error) {
	operations, err := json.Marshal(r)
	if err != nil {
		return nil, nil, "", fmt.Errorf("encode the request: %w", err)
	}
	places, err := json.Marshal(map[string][]string{"0": {"variables." + file.Variable}})
	if err != nil {
		return nil, nil, "", fmt.Errorf("encode the map of files: %w", err)
	}
	var b bytes.Buffer // never fails to be written
	form := multipart.NewWriter(&b)
	_ = form.WriteField("operations", string(operations))
	_ = form.WriteField("map", string(places))
	_, _ = form.CreateFormFile("0", file.Name)
	split := b.Len()
	_ = form.Close()
	return b.Bytes()[:split:split], b.Bytes()[split:], form.FormDataContentType(), nil
}

// withNull is a copy of variables with null where the file goes, as the specification wants it.
func withNull(variables map[string]any, path string) (map[string]any, error) {
	raw, err := json.Marshal(variables)
	if err != nil {
		return nil, fmt.Errorf("encode the variables: %w", err)
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("encode the variables: %w", err)
	}
	if all == nil {
		all = map[string]any{}
	}
	at, names := all, strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		inner, ok := at[name].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("there is no object %q among the variables to put the file into (%s)", name, path)
		}
		at = inner
	}
	at[names[len(names)-1]] = nil
	return all, nil
}

// upload reads a file until the upload ends: the transport may still be reading when the answer is there.
type upload struct {
	mu       sync.Mutex
	r        io.Reader
	progress func(int64)
	sent     int64
	ended    bool
}

func (u *upload) Read(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended {
		return 0, io.ErrClosedPipe
	}
	n, err := u.r.Read(p)
	if n > 0 {
		u.sent += int64(n)
		if u.progress != nil {
			u.progress(u.sent)
		}
	}
	return n, err
}

func (u *upload) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ended = true
}
