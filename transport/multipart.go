package transport

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"kyrochat/kyro"
)

// Defaults of Multipart.
const (
	defaultMaxFiles      = 10
	defaultUploadGrace   = 30 * time.Second
	defaultUploadRate    = 10 << 10
	defaultUploadTimeout = time.Hour
	mapLimit             = 16 << 10
	partsAllowance       = 1 << 20 // for operations, map and headers, and a little beyond a file's limit
)

const mediaForm = "multipart/form-data"

// Multipart carries an operation together with files, by the GraphQL multipart request specification: the parts
// operations, map, and then the files in the order they are used. Files are not kept: the Upload of a variable
// reads its part from the connection, so a resolver streams straight to its destination. One file is read at a
// time; a later one cannot be read before an earlier one. Zero fields take the defaults.
type Multipart struct {
	MaxUpload int64         // bytes of one file; kyro's default
	MaxFiles  int           // 10
	Grace     time.Duration // how long a request may send nothing at first; 30 s
	MinRate   int64         // bytes a second a client has to send on average from then on; 10 KiB
	Timeout   time.Duration // of the whole operation; one hour

	AnswerTimeout time.Duration // how long a client may take to receive the answer; 30 s
	Measure       Measure
	Traces        kyro.Traces // nil: nothing is traced
}

var _ graphql.Transport = Multipart{}

// Supports takes POST requests with a form of parts.
func (Multipart) Supports(r *http.Request) bool {
	return r.Method == http.MethodPost && isMedia(r, mediaForm)
}

// Do answers one request. What the operation left unread is read to the end before the answer, up to twice the
// limit of a file: a client that is still sending would see a reset instead.
func (t Multipart) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	t.MaxUpload = cmp.Or(t.MaxUpload, kyro.DefaultLimits().MaxUploadBytes)
	media, acceptable := negotiate(r)
	r = traced(t.Traces, r)
	// net/http ends the context of a request whose body stands still or breaks off. The body itself says so here, and
	// better: the operation has to tell what is wrong with the file.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), cmp.Or(t.Timeout, defaultUploadTimeout))
	defer cancel()
	body := &pacedBody{
		from: r.Body, left: partsAllowance, started: time.Now(), deadlines: http.NewResponseController(w),
		grace: cmp.Or(t.Grace, defaultUploadGrace), rate: cmp.Or(t.MinRate, defaultUploadRate),
	}
	started := graphql.Now()
	op, response, why := t.run(ctx, w.Header(), r, exec, body, acceptable)
	code := codeOfResponse(response)
	if why != nil {
		code = why.code
	}
	t.Measure.tell(ctx, "upload", op, code, started)
	// A client that waits for leave to send is better told at once.
	waits := body.read == 0 && r.Header.Get("Expect") != ""
	if waits || !body.drain(2*t.MaxUpload) {
		w.Header().Set("Connection", "close")
	}
	if why != nil {
		refuse(w, r, media, why)
		return
	}
	answer(w, media, response, t.AnswerTimeout)
}

func (t Multipart) run(
	ctx context.Context, h http.Header, r *http.Request, exec graphql.GraphExecutor, body *pacedBody, acceptable bool,
) (*graphql.OperationContext, *graphql.Response, *refusal) {
	maxFiles := cmp.Or(t.MaxFiles, defaultMaxFiles)
	switch {
	case !acceptable:
		return nil, nil, &refusal{status: http.StatusNotAcceptable, code: codeNotAcceptable,
			message: "The server answers in " + mediaResponse + " or " + mediaJSON + "."}
	case !wasPreflighted(r):
		return nil, nil, preflightRequired()
	case isEncoded(r):
		return nil, nil, encodedBody()
	case r.ContentLength > t.MaxUpload*int64(maxFiles)+partsAllowance:
		return nil, nil, bodyTooLarge(t.MaxUpload * int64(maxFiles))
	}
	started := graphql.Now()
	r.Body = io.NopCloser(body)
	form, err := r.MultipartReader()
	if err != nil {
		return nil, nil, badRequest("The request is not a form of parts.")
	}
	params, uploads, why := t.readHead(form, maxFiles)
	if why != nil {
		return nil, nil, why
	}
	body.allow(t.MaxUpload * int64(len(uploads)))
	files := &uploadStream{form: form, waiting: uploads}
	if why := files.first(); why != nil {
		return nil, nil, why
	}
	defer files.close()
	params.Headers = r.Header
	params.ReadTime = graphql.TraceTiming{Start: started, End: graphql.Now()}
	return execute(ctx, h, exec, params, false)
}

// readHead reads the parts operations and map.
func (t Multipart) readHead(form *multipart.Reader, maxFiles int) (*graphql.RawParams, map[string]*kyro.Upload, *refusal) {
	text, why := readPart(form, "operations", DefaultMaxBody)
	if why != nil {
		return nil, nil, why
	}
	params, why := parseParams(text)
	if why != nil {
		return nil, nil, why
	}
	if text, why = readPart(form, "map", mapLimit); why != nil {
		return nil, nil, why
	}
	uploads, why := placeUploads(text, params.Variables, maxFiles)
	return params, uploads, why
}

func readPart(form *multipart.Reader, name string, limit int64) ([]byte, *refusal) {
	part, err := form.NextPart()
	if err != nil || part.FormName() != name {
		return nil, badRequest("The parts must come in this order: operations, map, files.")
	}
	text, err := io.ReadAll(io.LimitReader(part, limit+1))
	switch {
	case err != nil:
		return nil, badRequest(fmt.Sprintf("The part %s did not arrive.", name))
	case int64(len(text)) > limit:
		return nil, bodyTooLarge(limit)
	}
	return text, nil
}

func bodyTooLarge(limit int64) *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, code: codeTooLarge,
		message: fmt.Sprintf("The request body is too large: at most %d bytes are allowed here.", limit)}
}
