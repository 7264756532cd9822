// Package gemini emulates the Gemini API on the wire, for tests and for development: streamGenerateContent,
// generateContent, batchEmbedContents, countTokens and the reading of models. It refuses what the real one refuses,
// answers from the passages of a prompt in KyroChat's form, embeds by hashed features, keeps every request to be looked
// at, and misbehaves as a Script says.
//
// Tests call Start, or Within inside of a synctest bubble; New is the handler alone. What can be set from Go can be set
// over HTTP too, see adminPath.
package gemini

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"kyrochat/internal/script"
)

// DefaultKey is the API key that is let in where none is set.
const DefaultKey = "emulated-gemini-key"

// Options say how the emulator behaves for as long as no script says otherwise.
type Options struct {
	Key     string        // the key that is let in; "": DefaultKey
	Latency time.Duration // before the first byte of every answer
	Pace    time.Duration // before every further piece of a streamed answer
	Keep    int           // how many requests are kept, the last ones; 0: 10,000
	Quota   int           // how many texts are embedded in a minute of the clock, each counting as a request; 0: any number
}

// Emulator is the API. It is safe for use by many at once.
type Emulator struct {
	URL string // where it is served; "" for a handler alone
	Key string // the key that is let in

	options Options
	routes  *http.ServeMux
	closed  chan struct{}
	close   func()

	mu       sync.Mutex
	scripts  script.Queue[Script]
	alike    map[string]string // words by the one that they count as; never changed, only replaced
	requests []*Request
	counted  int           // requests so far
	minute   time.Time     // in which texts were embedded
	embedded int           // so many
	changed  chan struct{} // closed when anything about requests changes; nil: nobody waits
}

// New makes the handler. Close ends what hangs.
func New(o Options) *Emulator {
	if o.Key == "" {
		o.Key = DefaultKey
	}
	if o.Keep <= 0 {
		o.Keep = 10_000
	}
	e := &Emulator{Key: o.Key, options: o, routes: http.NewServeMux(), closed: make(chan struct{})}
	e.close = sync.OnceFunc(func() { close(e.closed) })
	e.routes.HandleFunc("GET /v1beta/models", e.listModels)
	e.routes.HandleFunc("GET /v1beta/models/{model}", e.getModel)
	e.routes.HandleFunc("POST /v1beta/models/{call}", e.call)
	e.adminRoutes()
	return e
}

// Close lets every request end that waits.
func (e *Emulator) Close() { e.close() }

// ServeHTTP answers a request. Whoever has no key, or another, is refused as the real API does it.
func (e *Emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, adminPath) {
		if refused := e.checkKey(r); refused != nil {
			refused.write(w)
			return
		}
	}
	e.routes.ServeHTTP(w, r)
}

func (e *Emulator) checkKey(r *http.Request) *apiError {
	key := r.Header.Get("x-goog-api-key")
	if key == "" {
		key = r.URL.Query().Get("key")
	}
	switch key {
	case e.Key:
		return nil
	case "":
		return &apiError{Code: http.StatusForbidden, Status: "PERMISSION_DENIED",
			Message: "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API."}
	}
	return invalid("API key not valid. Please pass a valid API key.").because("API_KEY_INVALID")
}

// call runs models/{model}:{method}.
func (e *Emulator) call(w http.ResponseWriter, r *http.Request) {
	name, method, _ := strings.Cut(r.PathValue("call"), ":")
	methods := map[string]func(*exchange) *apiError{
		"generateContent": e.generate, "streamGenerateContent": e.generate,
		"batchEmbedContents": e.embed, "countTokens": e.countTokens,
	}
	run, known := methods[method]
	if !known {
		notFound("Method not found.").write(w)
		return
	}
	x := &exchange{e: e, w: w, r: r, method: method}
	x.request = e.begin(r, name)
	defer x.end()
	m, known := models[name]
	var refused *apiError
	switch {
	case !known || !m.can(method):
		refused = notFound("models/%s is not found for API version v1beta, or is not supported for %s. Call ListModels to see the list of available models and their supported methods.", name, method)
	default:
		x.model = m
		refused = run(x)
	}
	if refused != nil {
		x.note(func(q *Request) { q.Status = refused.Code })
		refused.write(w)
	}
}
