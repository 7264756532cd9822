// Package s3 emulates an object storage that speaks S3 on the wire, for tests and for development: one bucket, addressed by
// path, whose objects are put, read (with Range), looked at, listed and removed. It checks signatures of version 4, those
// of every chunk of a streamed body and of its trailer among them, and checksums; and it misbehaves as a Script says.
//
// Tests call Start; New is the handler alone. What can be set from Go can be set over HTTP too, see adminPath.
package s3

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/internal/script"
)

// What is let in where nothing else is set.
const (
	DefaultBucket    = "originals"
	DefaultAccessKey = "emulated-access-key"
	DefaultSecretKey = "emulated-secret-key"
	DefaultRegion    = "us-east-1"
)

// Options say how the emulator behaves for as long as no script says otherwise. Empty fields have the defaults.
type Options struct {
	Bucket, AccessKey, SecretKey, Region string
	Now                                  func() time.Time // when objects were put
}

// Emulator is the storage. It is safe for use by many at once.
type Emulator struct {
	URL string // where it is served; "" for a handler alone
	Options

	routes  *http.ServeMux
	scripts script.Queue[Script]
	closed  chan struct{}
	close   func()

	mu      sync.Mutex
	objects map[string]object
	uploads map[string]*upload // in parts, by id
	counted map[Kind]int
}

// object is what is kept under a key.
type object struct {
	body []byte
	etag string
	put  time.Time
}

// New makes the handler. Close ends what hangs.
func New(o Options) *Emulator {
	o.Bucket, o.Region = cmp.Or(o.Bucket, DefaultBucket), cmp.Or(o.Region, DefaultRegion)
	o.AccessKey, o.SecretKey = cmp.Or(o.AccessKey, DefaultAccessKey), cmp.Or(o.SecretKey, DefaultSecretKey)
	if o.Now == nil {
		o.Now = time.Now
	}
	e := &Emulator{
		Options: o, routes: http.NewServeMux(), closed: make(chan struct{}), objects: map[string]object{},
		uploads: map[string]*upload{}, counted: map[Kind]int{},
	}
	e.close = sync.OnceFunc(func() { close(e.closed) })
	e.routes.HandleFunc("/{bucket}", e.ofBucket)
	e.routes.HandleFunc("/{bucket}/{key...}", e.ofObject)
	e.adminRoutes()
	return e
}

// Start serves an emulator on a port of the loopback until the end of the test.
func Start(t testing.TB, o ...Options) *Emulator {
	var options Options
	if len(o) > 0 {
		options = o[0]
	}
	e := New(options)
	server := httptest.NewServer(e)
	e.URL = server.URL
	t.Cleanup(func() {
		e.Close()
		server.CloseClientConnections()
		server.Close()
	})
	return e
}

// Close lets every request end that waits.
func (e *Emulator) Close() { e.close() }

// Env is the settings by which KyroChat uses it.
func (e *Emulator) Env() map[string]string {
	return map[string]string{
		"KYRO_S3_ENDPOINT": e.URL, "KYRO_S3_BUCKET": e.Bucket, "KYRO_S3_REGION": e.Region,
		"KYRO_S3_ACCESS_KEY": e.AccessKey, "KYRO_S3_SECRET_KEY": e.SecretKey,
	}
}

// ServeHTTP answers a request, once it is known who sent it.
func (e *Emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, adminPath) {
		if refused := e.authenticate(r); refused != nil {
			refused.write(w, r)
			return
		}
	}
	e.routes.ServeHTTP(w, r)
}

// Keys gives those of all objects, in order.
func (e *Emulator) Keys() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	keys := make([]string, 0, len(e.objects))
	for key := range e.objects {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Object is the body under a key; nil where there is none.
func (e *Emulator) Object(key string) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.objects[key].body
}

// Plant puts an object past the API, at the time.
func (e *Emulator) Plant(key string, body []byte, at time.Time) { e.keep(key, body, at) }

// Count is how many requests of a kind there were, refused ones too.
func (e *Emulator) Count(kind Kind) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.counted[kind]
}

// refusal is an error as S3 writes it.
type refusal struct {
	XMLName xml.Name `xml:"Error"`
	Status  int      `xml:"-"`
	Code    string
	Message string
}

func (f *refusal) write(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(f.Status)
	if r.Method != http.MethodHead {
		writeXML(w, f)
	}
}

func writeXML(w http.ResponseWriter, body any) {
	fmt.Fprint(w, xml.Header)
	_ = xml.NewEncoder(w).Encode(body)
}

func refused(status int, code, message string) *refusal {
	return &refusal{Status: status, Code: code, Message: message}
}

func noKey() *refusal {
	return refused(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
}
