package program

import (
	"bytes"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"kyrochat/internal/gemini"
	"kyrochat/internal/pinecone"
	"kyrochat/internal/port"
)

// What nobody but an upstream may read, and what an upstream says that nobody may read.
const (
	geminiKeyCanary   = "gemini-key-canary-61803"
	pineconeKeyCanary = "pinecone-key-canary-27182"
	bodyCanary        = "upstream-body-canary-31415"
	promptCanary      = "instructions-canary-14142"
	indexCanary       = "index-message-canary-26535" // which holds nothing of anybody's, so that operators may read it
)

// upstreams are a Gemini and a Pinecone of a test's own, emulated on the loopback.
type upstreams struct {
	gemini   *gemini.Emulator
	pinecone *pinecone.Emulator
	gate     *gate
}

func startUpstreams(t *testing.T, o gemini.Options) *upstreams {
	t.Helper()
	o.Key = geminiKeyCanary
	u := &upstreams{gemini: gemini.New(o)}
	u.gate = openGate(t, u.gemini)
	u.pinecone = startPinecone(t, pinecone.Options{})
	return u
}

func startPinecone(t *testing.T, o pinecone.Options) *pinecone.Emulator {
	t.Helper()
	o.APIKey = pineconeKeyCanary
	e, err := pinecone.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// env are the settings of a server that asks the upstreams: keys and addresses, and nothing else.
func (u *upstreams) env() map[string]string {
	return map[string]string{
		"GEMINI_API_KEY": u.gemini.Key, "KYRO_GEMINI_URL": u.gate.url(),
		"PINECONE_API_KEY": u.pinecone.APIKey, "KYRO_PINECONE_INDEX": u.pinecone.Index, "KYRO_PINECONE_CONTROL_URL": u.pinecone.ControlURL,
	}
}

// passageCalls are the calls that brought passages, whatever became of them.
func (u *upstreams) passageCalls() []gemini.Request {
	return slices.DeleteFunc(u.gemini.RequestsOf(gemini.KindEmbed), func(q gemini.Request) bool {
		return q.TaskType == "RETRIEVAL_QUERY" || strings.HasPrefix(q.Texts[0], "task: ")
	})
}

// paid are the passages that a model was paid for, in order.
func (u *upstreams) paid(model string) (texts []string) {
	for _, q := range u.passageCalls() {
		if q.Status == http.StatusOK && q.Model == model {
			texts = append(texts, q.Texts...)
		}
	}
	return texts
}

// paidOnce checks that none of what was embedded was embedded twice.
func paidOnce(t *testing.T, texts []string) {
	t.Helper()
	slices.Sort(texts)
	if once := slices.Compact(slices.Clone(texts)); len(once) != len(texts) {
		t.Errorf("%d passages were embedded, and %d of them are different", len(texts), len(once))
	}
}

// gate stands before the emulated Gemini. It can be shut, as where nobody is there, and hold requests back.
type gate struct {
	behind  http.Handler
	address string

	mu     sync.Mutex
	server *http.Server
	held   map[string]chan struct{} // by what is in the path
}

func openGate(t *testing.T, e *gemini.Emulator) *gate {
	t.Helper()
	address, leave, err := port.Keep() // where it is opened again
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{behind: e, address: address, held: map[string]chan struct{}{}}
	g.open(t)
	t.Cleanup(func() {
		e.Close()
		g.shut()
		leave()
	})
	return g
}

func (g *gate) url() string { return "http://" + g.address }

func (g *gate) open(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: g}
	g.mu.Lock()
	g.server = server
	g.mu.Unlock()
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the gate: %v", err)
		}
	}()
}

// shut cuts all connections and refuses further ones.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.server.Close()
}

// hold keeps requests whose path has a part like this waiting until they are let go.
func (g *gate) hold(part string) (letGo func()) {
	wait := make(chan struct{})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held[part] = wait
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.held, part)
		close(wait)
	}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	var wait chan struct{}
	for part, held := range g.held {
		if strings.Contains(r.URL.Path, part) {
			wait = held
		}
	}
	g.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-r.Context().Done():
			return
		}
	}
	g.behind.ServeHTTP(w, r)
}

// journal is a server's log.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// asking is a server that asks emulated upstreams, with all that it logs.
type asking struct {
	*testServer
	*upstreams
	log *journal
}

// serve starts a server that asks the upstreams, with further settings.
func (u *upstreams) serve(t *testing.T, env map[string]string) *asking {
	t.Helper()
	all := u.env()
	all["KYRO_LOG_LEVEL"] = "debug"
	maps.Copy(all, env)
	w := &asking{upstreams: u, log: &journal{}}
	w.testServer = startServerWriting(t, all, w.log)
	return w
}

// keepsSecrets checks that a text, which is the log or what people are told, holds nothing that they may not read.
func keepsSecrets(t *testing.T, what, text string, more ...string) {
	t.Helper()
	for _, secret := range append(more, geminiKeyCanary, pineconeKeyCanary, bodyCanary, promptCanary, "goroutine ", "<<<") {
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("%s: %q is in it: …%s…", what, secret, text[max(0, at-200):min(len(text), at+200)])
		}
	}
}
