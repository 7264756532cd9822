package ai

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"

	"google.golang.org/genai"
)

// An answer is asked for by the SDK, and read here: the SDK makes a map of every event of a stream, of that another, of
// that JSON, and of that its struct, which takes 50 µs, more than all else that is done with a token together.

// maxEvent bounds an event in bytes.
const maxEvent = 8 << 20

// events asks for an answer and gives what comes, as the SDK's GenerateContentStream does.
func (g *Gemini) events(
	ctx context.Context, model string, contents []*genai.Content, config *genai.GenerateContentConfig,
) iter.Seq2[*genai.GenerateContentResponse, error] {
	return func(yield func(*genai.GenerateContentResponse, error) bool) {
		kept := &keptBody{ReadCloser: http.NoBody}
		defer func() { _ = kept.Close() }()
		for _, err := range g.client.Models.GenerateContentStream(context.WithValue(ctx, keepBody{}, kept), model, contents, config) {
			if err != nil {
				yield(nil, err)
				return
			}
		}
		lines := bufio.NewScanner(kept)
		lines.Buffer(make([]byte, 0, 1<<10), maxEvent)
		for lines.Scan() {
			data, wanted, err := dataOf(lines.Bytes())
			if !wanted {
				continue
			}
			var resp *genai.GenerateContentResponse
			if err == nil {
				resp, err = readEvent(data)
			}
			if !yield(resp, err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// dataOf gives what a line of a stream says: that of an event, or an error that comes bare. Lines between events, comments
// and fields that say nothing here are passed over.
func dataOf(line []byte) (data []byte, wanted bool, err error) {
	if data, found := bytes.CutPrefix(line, []byte("data:")); found {
		return data, true, nil
	}
	field, _, _ := bytes.Cut(line, []byte(":"))
	switch {
	case len(field) == 0, string(field) == "event", string(field) == "id", string(field) == "retry":
		return nil, false, nil
	case line[0] == '{':
		return line, true, nil
	}
	return nil, true, errors.New("a stream with something else than events")
}

// readEvent reads what an event says, as far as it is used. An error within a stream is one of the SDK.
func readEvent(data []byte) (*genai.GenerateContentResponse, error) {
	type plain genai.GenerateContentResponse // whose own way to read JSON reads it twice
	var event struct {
		plain
		Error *genai.APIError `json:"error"`
	}
	if err := json.Unmarshal(data, &event); err != nil {
		return nil, fmt.Errorf("an event that is not JSON: %T", err) // its text may hold what was said
	}
	if event.Error != nil {
		return nil, *event.Error
	}
	return (*genai.GenerateContentResponse)(&event.plain), nil
}

// keptBody is the body of a stream, kept from the SDK. It is in the request's context under keepBody.
type (
	keptBody struct{ io.ReadCloser }
	keepBody struct{}
)

// keeping is a transport that keeps the bodies of those streams that are read here. Errors are the SDK's to read.
type keeping struct{ http.RoundTripper }

func (t keeping) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.RoundTripper.RoundTrip(r)
	if kept, wanted := r.Context().Value(keepBody{}).(*keptBody); wanted && err == nil && res.StatusCode == http.StatusOK {
		kept.ReadCloser, res.Body = res.Body, http.NoBody
	}
	return res, err
}
