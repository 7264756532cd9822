package s3

import (
	"bytes"
	"crypto/md5" // what ETags are
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxKeys is how many keys a list has at most.
const maxKeys = 1000

func (e *Emulator) ofBucket(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	kind := Bucket
	switch {
	case r.Method == http.MethodGet && query.Has("list-type"):
		kind = List
	case r.Method == http.MethodPost && query.Has("delete"):
		kind = Delete
	}
	s, bad := e.begin(r, kind)
	if bad == nil && r.PathValue("bucket") != e.Bucket {
		bad = refused(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	}
	if bad == nil {
		switch {
		case kind == List:
			e.list(w, r, s)
		case kind == Delete:
			bad = e.removeMany(w, r, s)
		case r.Method == http.MethodHead:
			w.WriteHeader(http.StatusOK)
		case r.Method == http.MethodGet && query.Has("location"):
			writeXML(w, struct {
				XMLName xml.Name `xml:"LocationConstraint"`
				Region  string   `xml:",chardata"`
			}{Region: e.Region})
		default:
			bad = refused(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
		}
	}
	if bad != nil {
		bad.write(w, r)
	}
}

func (e *Emulator) ofObject(w http.ResponseWriter, r *http.Request) {
	kind, known := map[string]Kind{
		http.MethodPut: Put, http.MethodPost: Put, http.MethodGet: Get, http.MethodHead: Head, http.MethodDelete: Delete,
	}[r.Method]
	key := r.PathValue("key")
	if key == "" { // of a bucket with a slash behind it
		e.ofBucket(w, r)
		return
	}
	s, bad := e.begin(r, kind)
	switch {
	case bad != nil:
	case !known:
		bad = refused(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	case r.PathValue("bucket") != e.Bucket:
		bad = refused(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	case r.URL.Query().Has("uploads") || r.URL.Query().Has("uploadId"):
		bad = e.ofUpload(w, r, key, s)
	case kind == Put:
		bad = e.put(w, r, key, s)
	case kind == Delete:
		e.drop(key)
		lose(s)
		w.WriteHeader(http.StatusNoContent)
	default:
		bad = e.get(w, r, key, s)
	}
	if bad != nil {
		bad.write(w, r)
	}
}

// lose cuts the connection after what was asked is done.
func lose(s Script) {
	if s.Trouble == Lose {
		panic(http.ErrAbortHandler)
	}
}

func (e *Emulator) keep(key string, body []byte, at time.Time) (etag string) {
	sum := md5.Sum(body) // as S3 has it
	etag = `"` + hex.EncodeToString(sum[:]) + `"`
	e.mu.Lock()
	defer e.mu.Unlock()
	e.objects[key] = object{body, etag, at}
	return etag
}

func (e *Emulator) drop(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.objects, key)
}

func (e *Emulator) put(w http.ResponseWriter, r *http.Request, key string, s Script) *refusal {
	body, bad := readBody(r)
	if bad != nil {
		return bad
	}
	etag := e.keep(key, body, e.Now())
	lose(s)
	w.Header().Set("ETag", etag)
	w.WriteHeader(http.StatusOK)
	return nil
}

// get answers GET and HEAD, with Range and conditions.
func (e *Emulator) get(w http.ResponseWriter, r *http.Request, key string, s Script) *refusal {
	e.mu.Lock()
	o, there := e.objects[key]
	e.mu.Unlock()
	if !there {
		return noKey()
	}
	w.Header().Set("ETag", o.etag)
	w.Header().Set("Content-Type", "application/octet-stream")
	if (s.Trouble == Cut || s.Trouble == Stall) && r.Method == http.MethodGet {
		w = &halfWriter{ResponseWriter: w, then: func() {
			_ = http.NewResponseController(w).Flush()
			if s.Trouble == Stall {
				e.wait(r, nil)
			}
			panic(http.ErrAbortHandler)
		}}
	}
	http.ServeContent(w, r, "", o.put, bytes.NewReader(o.body))
	return nil
}

// halfWriter writes half of the body that is announced.
type halfWriter struct {
	http.ResponseWriter
	left int
	then func()
}

func (w *halfWriter) WriteHeader(status int) {
	announced, _ := strconv.Atoi(w.Header().Get("Content-Length"))
	w.left = announced / 2
	w.ResponseWriter.WriteHeader(status)
}

func (w *halfWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p[:min(len(p), w.left)])
	if w.left -= n; w.left == 0 {
		w.then()
	}
	return n, err
}

// listed is an answer to a list.
type listed struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Name, Prefix          string
	KeyCount, MaxKeys     int
	IsTruncated           bool
	NextContinuationToken string `xml:",omitempty"`
	Contents              []entry
}

type entry struct {
	Key          string
	LastModified string
	ETag         string
	Size         int
	StorageClass string
}

// list gives the objects below a prefix, in the order of their keys. The token is the last key before.
func (e *Emulator) list(w http.ResponseWriter, r *http.Request, s Script) {
	query := r.URL.Query()
	result := listed{Name: e.Bucket, Prefix: query.Get("prefix"), MaxKeys: maxKeys}
	if most, err := strconv.Atoi(query.Get("max-keys")); err == nil && most > 0 {
		result.MaxKeys = min(most, maxKeys)
	}
	after := max(query.Get("continuation-token"), query.Get("start-after"))
	keys := e.Keys()
	e.mu.Lock()
	for _, key := range keys {
		o, there := e.objects[key]
		if !there || key <= after || !strings.HasPrefix(key, result.Prefix) || s.Trouble == Stale {
			continue
		}
		if result.IsTruncated = len(result.Contents) == result.MaxKeys; result.IsTruncated {
			break
		}
		result.NextContinuationToken = key
		result.Contents = append(result.Contents, entry{key, o.put.UTC().Format("2006-01-02T15:04:05.000Z"), o.etag, len(o.body), "STANDARD"})
	}
	e.mu.Unlock()
	if result.KeyCount = len(result.Contents); !result.IsTruncated {
		result.NextContinuationToken = ""
	}
	w.Header().Set("Content-Type", "application/xml")
	writeXML(w, result)
}

// removeMany removes many objects.
func (e *Emulator) removeMany(w http.ResponseWriter, r *http.Request, s Script) *refusal {
	body, bad := readBody(r)
	if bad != nil {
		return bad
	}
	var asked struct {
		Quiet  bool
		Object []struct{ Key string }
	}
	if err := xml.Unmarshal(body, &asked); err != nil || len(asked.Object) > maxKeys {
		return refused(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed.")
	}
	type deleted struct{ Key string }
	result := struct {
		XMLName xml.Name `xml:"DeleteResult"`
		Deleted []deleted
	}{}
	for _, o := range asked.Object {
		e.drop(o.Key)
		if !asked.Quiet {
			result.Deleted = append(result.Deleted, deleted{o.Key})
		}
	}
	lose(s)
	w.Header().Set("Content-Type", "application/xml")
	writeXML(w, result)
	return nil
}

// upload is an object that is put in parts.
type upload struct {
	key   string
	parts map[int]object
}

// ofUpload begins, goes on with, completes or aborts an upload in parts.
func (e *Emulator) ofUpload(w http.ResponseWriter, r *http.Request, key string, s Script) *refusal {
	query, id := r.URL.Query(), r.URL.Query().Get("uploadId")
	e.mu.Lock()
	known := e.uploads[id]
	e.mu.Unlock()
	switch {
	case r.Method == http.MethodPost && query.Has("uploads"):
		e.mu.Lock()
		id = fmt.Sprintf("upload-%d", len(e.uploads)+1)
		e.uploads[id] = &upload{key, map[int]object{}}
		e.mu.Unlock()
		writeXML(w, struct {
			XMLName               xml.Name `xml:"InitiateMultipartUploadResult"`
			Bucket, Key, UploadId string
		}{Bucket: e.Bucket, Key: key, UploadId: id})
		return nil
	case known == nil || known.key != key:
		return refused(http.StatusNotFound, "NoSuchUpload", "The specified multipart upload does not exist.")
	case r.Method == http.MethodPut:
		number, err := strconv.Atoi(query.Get("partNumber"))
		body, bad := readBody(r)
		if bad == nil && (err != nil || number < 1 || number > 10_000) {
			bad = refused(http.StatusBadRequest, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
		}
		if bad != nil {
			return bad
		}
		sum := md5.Sum(body) // as S3 has it
		part := object{body: body, etag: `"` + hex.EncodeToString(sum[:]) + `"`}
		e.mu.Lock()
		known.parts[number] = part
		e.mu.Unlock()
		lose(s)
		w.Header().Set("ETag", part.etag)
		w.WriteHeader(http.StatusOK)
		return nil
	case r.Method == http.MethodDelete:
		e.mu.Lock()
		delete(e.uploads, id)
		e.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
		return nil
	case r.Method == http.MethodPost:
		return e.complete(w, r, id, known, s)
	}
	return refused(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
}

func (e *Emulator) complete(w http.ResponseWriter, r *http.Request, id string, u *upload, s Script) *refusal {
	text, bad := readBody(r)
	if bad != nil {
		return bad
	}
	var asked struct {
		Part []struct {
			PartNumber int
			ETag       string
		}
	}
	if err := xml.Unmarshal(text, &asked); err != nil || len(asked.Part) == 0 {
		return refused(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed.")
	}
	if !slices.IsSortedFunc(asked.Part, func(a, b struct {
		PartNumber int
		ETag       string
	}) int {
		return a.PartNumber - b.PartNumber
	}) {
		return refused(http.StatusBadRequest, "InvalidPartOrder", "The list of parts was not in ascending order.")
	}
	var body []byte
	e.mu.Lock()
	for _, part := range asked.Part {
		have, there := u.parts[part.PartNumber]
		if !there || strings.Trim(part.ETag, `"`) != strings.Trim(have.etag, `"`) {
			e.mu.Unlock()
			return refused(http.StatusBadRequest, "InvalidPart", "One or more of the specified parts could not be found.")
		}
		body = append(body, have.body...)
	}
	delete(e.uploads, id)
	e.mu.Unlock()
	etag := e.keep(u.key, body, e.Now())
	lose(s)
	writeXML(w, struct {
		XMLName           xml.Name `xml:"CompleteMultipartUploadResult"`
		Bucket, Key, ETag string
	}{Bucket: e.Bucket, Key: u.key, ETag: etag})
	return nil
}
