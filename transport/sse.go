package transport

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"kyrochat/kyro"
)

const (
	mediaEvents        = "text/event-stream"
	defaultKeepAlive   = 15 * time.Second
	defaultEventWrite  = 5 * time.Second
	defaultBeforeRetry = time.Second
)

// DefaultMaxStreams is how many event streams a user may have where nothing else is set.
const DefaultMaxStreams = 100

// SSE carries one operation a request and its results as server-sent events, in the distinct connections mode of
// graphql-sse: events named next with a result, and complete at the end. An operation that is refused is told in a
// next event too, because an EventSource shows nobody the body of another status. Where the connection ends without
// complete (the server goes away, or the access token has expired) clients come back. Events that have a place in their
// stream carry it as their id; a client that comes back with the last of them, as Last-Event-ID, goes on behind it. Zero
// fields take the defaults, but for Connections.
type SSE struct {
	HTTP        HTTP          // how requests are read, and how long queries and mutations may take
	KeepAlive   time.Duration // between comments that keep proxies from closing a quiet stream; 15 s
	WriteTime   time.Duration // of one event; 5 s, then the stream is cut, with a comment for a client that reads on at once
	Farewell    time.Duration // for a client that was too slow to take the rest of the event, and why it is cut; 1 s
	ExpiryGrace time.Duration // after the access token's end; 5 s, then the stream is cut
	MaxStreams  int           // of one user; 100
	Log         *slog.Logger  // of clients that are too slow, at debug; none
	Connections *Connections
	Measure     Measure     // HTTP's is not used
	Traces      kyro.Traces // nor its traces; nil: nothing is traced
}

var _ graphql.Transport = SSE{}

// Supports takes GET and POST requests that would rather have an event stream than JSON, and uploads not among them.
// Clients such as urql accept event streams for everything, but after JSON.
func (SSE) Supports(r *http.Request) bool {
	if r.Method != http.MethodGet && (r.Method != http.MethodPost || isMedia(r, mediaForm)) {
		return false
	}
	if !slices.ContainsFunc(r.Header["Accept"], func(accept string) bool { return strings.Contains(strings.ToLower(accept), mediaEvents) }) {
		return false // as with most clients, which need no closer look
	}
	media, _ := preferred(r, mediaEvents, mediaJSON, mediaResponse)
	return media == mediaEvents
}

// Do serves one operation until its end, the client's or the server's.
func (t SSE) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	r = traced(t.Traces, r)
	if why := t.Connections.enter(); why != nil {
		t.Measure.tell(r.Context(), "sse", nil, why.code, graphql.Now())
		refuse(w, r, "", why)
		return
	}
	defer t.Connections.leave()
	started := graphql.Now()
	params, why := t.HTTP.read(w, r, true)
	if why != nil {
		t.Measure.tell(r.Context(), "sse", nil, why.code, started)
		refuse(w, r, "", why)
		return
	}
	params.Headers = r.Header
	params.ReadTime = graphql.TraceTiming{Start: started, End: graphql.Now()}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	s := &eventStream{
		viewer: kyro.ViewerFrom(ctx), w: w, control: http.NewResponseController(w),
		writeTime: cmp.Or(t.WriteTime, defaultEventWrite), farewell: cmp.Or(t.Farewell, defaultFarewell), cut: cancel, log: t.Log,
	}
	t.Connections.add(s)
	defer t.Connections.remove(s)
	if most := cmp.Or(t.MaxStreams, DefaultMaxStreams); !t.Connections.admit(s, most, 0) { // nobody's end at once
		t.Measure.tell(r.Context(), "sse", nil, codeTooManyOnSocket, started)
		refuse(w, r, "", &refusal{status: http.StatusTooManyRequests, code: codeTooManyOnSocket,
			message: fmt.Sprintf("Too many event streams are open: at most %d are allowed. Close some of them first.", most)})
		return
	}
	if !s.viewer.Expires.IsZero() {
		expiry := time.AfterFunc(time.Until(s.viewer.Expires.Add(cmp.Or(t.ExpiryGrace, defaultExpiryGrace))), cancel)
		defer expiry.Stop()
	}
	s.begin()
	s.send(ctx, t.results(ctx, exec, params, r.Method == http.MethodGet), cmp.Or(t.KeepAlive, defaultKeepAlive))
}

// results runs the operation and gives its results as events: gqlgen writes the next result where the one before
// was. The channel is closed at the end; until then, or until ctx ends, it must be read. What runs has ended when the
// channel is closed.
func (t SSE) results(ctx context.Context, exec graphql.GraphExecutor, params *graphql.RawParams, queriesOnly bool) <-chan []byte {
	results := make(chan []byte)
	go func() {
		defer close(results)
		b := &beside{lastEvent: params.Headers.Get("Last-Event-ID")}
		ctx := context.WithValue(ctx, besideKey{}, b)
		var op *graphql.OperationContext
		var code string // of the first error
		defer func() { t.Measure.tell(ctx, "sse", op, code, params.ReadTime.Start) }()
		give := func(response *graphql.Response) bool {
			if code == "" {
				code = firstCode(response.Errors)
			}
			select {
			case results <- nextEvent(response, b.place()):
				return true
			case <-ctx.Done():
				return false
			}
		}
		var errs gqlerror.List
		op, errs = exec.CreateOperationContext(ctx, params)
		ctx = graphql.WithOperationContext(ctx, op)
		defer func() {
			if p := recover(); p != nil {
				give(exec.DispatchError(ctx, gqlerror.List{gqlerror.Wrap(op.Recover(ctx, p))}))
			}
		}()
		switch {
		case errs != nil:
			give(exec.DispatchError(ctx, errs))
			return
		case queriesOnly && op.Operation.Operation == ast.Mutation:
			give(exec.DispatchError(ctx, gqlerror.List{requestError(codeMethod, "Mutations cannot be sent by GET.")}))
			return
		case op.Operation.Operation != ast.Subscription:
			limited, cancel := context.WithTimeout(ctx, cmp.Or(t.HTTP.Timeout, defaultExecTimeout))
			defer cancel()
			give(once(limited, exec, op))
			return
		}
		responses, ctx := exec.DispatchOperation(ctx, op)
		for response := responses(ctx); response != nil && give(response); response = responses(ctx) {
		}
	}()
	return results
}

// eventStream is one connection.
type eventStream struct {
	viewer    kyro.Viewer
	w         http.ResponseWriter
	control   *http.ResponseController
	writeTime time.Duration
	farewell  time.Duration
	cut       context.CancelFunc
	log       *slog.Logger
	written   int // events and comments

	mu      sync.Mutex
	revoked bool
}

func (s *eventStream) who() kyro.Viewer { return s.viewer }
func (s *eventStream) kind() kind       { return anEventStream }
func (s *eventStream) busy() bool       { return true }

// close ends the stream. That the session or the API key ended is told; all else clients find out by coming back.
func (s *eventStream) close(code int, _ string) {
	s.mu.Lock()
	s.revoked = s.revoked || code == closeUnauthorized
	s.mu.Unlock()
	s.cut()
}

func (s *eventStream) begin() {
	h := s.w.Header()
	h.Set("Content-Type", mediaEvents+"; charset=utf-8")
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no") // nginx would keep the events back
	s.w.WriteHeader(http.StatusOK)
	s.write([]byte("retry: " + strconv.FormatInt(defaultBeforeRetry.Milliseconds(), 10) + "\n\n"))
}

// send writes results until their end. All writing is done here, by the goroutine of the request.
func (s *eventStream) send(ctx context.Context, results <-chan []byte, keepAlive time.Duration) {
	defer func() {
		s.cut()
		for range results { // nothing of the request may outlive it
		}
	}()
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		var text []byte
		select {
		case event, more := <-results:
			if !more && ctx.Err() == nil {
				s.write([]byte("event: complete\ndata:\n\n"))
				return
			}
			text = event
		case <-tick.C:
			text = []byte(":\n\n")
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			s.mu.Lock()
			revoked := s.revoked
			s.mu.Unlock()
			if revoked {
				why := "The session has ended. Sign in again."
				if !s.viewer.KeyID.IsZero() {
					why = kyro.BadCredential().Message
				}
				s.write(fmt.Appendf(nil, "event: next\ndata: {\"errors\":[{\"message\":%q,\"extensions\":{\"code\":%q,\"requestId\":%q}}]}\n\n"+
					"event: complete\ndata:\n\n", why, kyro.CodeUnauthenticated, RequestIDFrom(ctx)))
			}
			return
		}
		if !s.write(text) {
			return
		}
	}
}

// write sends text at once, or reports that the client does not take it in time: its operation ends then. It is told why
// if it takes the rest soon after, in a comment, which no client takes for the end: it comes back, and goes on behind the
// last event.
func (s *eventStream) write(text []byte) bool {
	late := time.AfterFunc(s.writeTime, s.cut)
	taken := s.put(text, s.writeTime+s.farewell)
	if late.Stop() {
		s.written++
		return taken
	}
	told := taken && s.put([]byte(": closed because this client reads too slowly\n\n"), s.farewell)
	if s.log != nil {
		s.log.Debug("slow consumer", "transport", "event stream", "user", s.viewer.UserID, "messages", s.written, "told", told)
	}
	return false
}

func (s *eventStream) put(text []byte, within time.Duration) bool {
	_ = s.control.SetWriteDeadline(time.Now().Add(within))
	if _, err := s.w.Write(text); err != nil {
		return false
	}
	return s.control.Flush() == nil
}

// nextEvent writes a result, and its place as the id where it has one.
func nextEvent(response *graphql.Response, place string) []byte {
	head, tail := frame(response)
	text := make([]byte, 0, len(place)+len(head)+len(response.Data)+len(tail)+32)
	text = append(text, "event: next\n"...)
	if place != "" {
		text = append(append(append(text, "id: "...), place...), '\n')
	}
	text = append(append(text, "data: "...), head...)
	return append(append(append(text, response.Data...), tail...), "\n\n"...)
}
