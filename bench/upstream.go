package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"kyrochat/internal/gemini"
)

// upstreamArgument makes this program the language model that both sides ask.
const upstreamArgument = "upstream"

// upstreamConfig is what the upstream is told.
type upstreamConfig struct {
	Text      string        // of every answer, a token in each event
	Pace      time.Duration // between tokens, at fixed times, so that a late one does not put off the others
	Latency   time.Duration // to the first byte of an answer
	Embedding time.Duration // to that of everything else
}

// upstream is Gemini as it is emulated, which would be busier than those who are measured if it thought about every
// answer: its first one is kept and played back. All else it answers itself. Of questions with a mark it notes when it was
// asked and when it began to answer.
type upstream struct {
	upstreamConfig
	emulator *gemini.Emulator
	events   func() [][]byte // of an answer

	mu    sync.Mutex
	asked map[int]asked
}

// asked are the times of a question: when the request was there, and when the first byte of its answer was written; in
// ns since 1970, zero where there was none.
type asked struct{ Embedding, Model [2]int64 }

// own is what the upstream took for itself.
func (a asked) own() time.Duration {
	return time.Duration(a.Embedding[1] - a.Embedding[0] + a.Model[1] - a.Model[0])
}

// mark makes a question one that is noted.
func mark(number int) string { return fmt.Sprintf("order-%d", number) }

var marks = regexp.MustCompile(`\border-([0-9]+)\b`)

func serveUpstream(ctx context.Context, in io.Reader, out io.Writer) error {
	u := upstream{asked: map[int]asked{}}
	return serveChild(ctx, in, out, &u.upstreamConfig, func(context.Context) (http.Handler, func(), error) {
		u.emulator = gemini.New(gemini.Options{Keep: 1})
		var tokens []string
		for from := 0; from < len(u.Text); from += tokenBytes {
			tokens = append(tokens, u.Text[from:min(from+tokenBytes, len(u.Text))])
		}
		u.emulator.Script(gemini.Script{Kind: gemini.KindAnswer, Pieces: tokens})
		u.events = sync.OnceValue(u.record)
		mux := http.NewServeMux()
		mux.HandleFunc("POST /v1beta/models/{call}", u.serve)
		mux.Handle("GET /v1beta/models/{model}", u.emulator)
		mux.HandleFunc("GET /asked", u.tell)
		return mux, u.emulator.Close, nil
	})
}

const answerRequest = `{"contents": [{"role": "user", "parts": [{"text": "What is new?"}]}]}`

// record has the emulator answer once.
func (u *upstream) record() (events [][]byte) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, answerPath, strings.NewReader(answerRequest))
	r.Header.Set("X-Goog-Api-Key", u.emulator.Key)
	u.emulator.ServeHTTP(w, r)
	for event := range bytes.SplitAfterSeq(w.Body.Bytes(), []byte("\r\n\r\n")) {
		if len(event) > 0 {
			events = append(events, event)
		}
	}
	return events
}

func (u *upstream) serve(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if strings.HasSuffix(r.PathValue("call"), ":streamGenerateContent") {
		u.answer(w, r, body, arrived)
		return
	}
	if pause(r.Context(), u.Embedding-time.Since(arrived)) != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	u.emulator.ServeHTTP(w, r)
	if strings.HasSuffix(r.PathValue("call"), ":batchEmbedContents") {
		u.note(body, func(a *asked) { a.Embedding = since(arrived) })
	}
}

// answer plays an answer back: its tokens when they are due, and its end with the last of them.
func (u *upstream) answer(w http.ResponseWriter, r *http.Request, body []byte, arrived time.Time) {
	due, events, out := arrived.Add(u.Latency), u.events(), http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	for i, event := range events {
		if i < len(events)-1 {
			time.Sleep(time.Until(due))
			due = due.Add(u.Pace)
		}
		if i == 0 {
			due = time.Now().Add(u.Pace)
			u.note(body, func(a *asked) { a.Model = since(arrived) })
		}
		if _, err := w.Write(event); err != nil || r.Context().Err() != nil {
			return
		}
		if i != len(events)-2 && out.Flush() != nil {
			return
		}
	}
}

func since(arrived time.Time) [2]int64 { return [2]int64{arrived.UnixNano(), time.Now().UnixNano()} }

// note notes something of every question that is in a request.
func (u *upstream) note(body []byte, set func(*asked)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, found := range marks.FindAllSubmatch(body, -1) {
		if number, err := strconv.Atoi(string(found[1])); err == nil {
			a := u.asked[number]
			set(&a)
			u.asked[number] = a
		}
	}
}

// tell tells what was noted.
func (u *upstream) tell(w http.ResponseWriter, _ *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	_ = json.NewEncoder(w).Encode(u.asked)
}

// askedOf gets it.
func askedOf(ctx context.Context, s side) (noted map[int]asked, err error) {
	text, err := get(ctx, "http://"+s.address+"/asked")
	if err == nil {
		err = json.Unmarshal(text, &noted)
	}
	return noted, err
}
