package website

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"
)

// ServeHTTP answers a request as the page of its path says.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	path := r.URL.RequestURI()
	p, ok := s.take(host, path)
	if !ok {
		p = Page{Status: http.StatusNotFound, Body: "<p>There is no such page."}
	}
	status := p.status(r)
	s.note(Hit{At: time.Now(), Host: host, Path: path, Header: r.Header.Clone(), Status: status})
	switch {
	case p.Silent:
		s.wait(r, 0)
	case p.Raw != "":
		raw(w, p.Raw)
	default:
		s.write(w, r, p, status)
	}
}

// status is that of the answer to a request.
func (p Page) status(r *http.Request) int {
	status := cmp.Or(p.Status, http.StatusOK)
	if p.Location != "" && p.Status == 0 {
		status = http.StatusFound
	}
	if status != http.StatusOK {
		return status
	}
	if known := r.Header.Get("If-None-Match"); known != "" { // which counts alone, where both are sent
		if known == p.ETag {
			return http.StatusNotModified
		}
		return status
	}
	if since, err := http.ParseTime(r.Header.Get("If-Modified-Since")); err == nil && !p.Modified.IsZero() && !p.Modified.Truncate(time.Second).After(since) {
		return http.StatusNotModified
	}
	return status
}

func (s *Site) write(w http.ResponseWriter, r *http.Request, p Page, status int) {
	h := w.Header()
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	set("ETag", p.ETag)
	set("Location", p.Location)
	if !p.Modified.IsZero() {
		set("Last-Modified", p.Modified.UTC().Format(http.TimeFormat))
	}
	if p.Type == "-" {
		h["Content-Type"] = nil
	} else {
		set("Content-Type", cmp.Or(p.Type, "text/html; charset=utf-8"))
	}
	body := []byte(p.Body)
	whole := p.Zeros == 0 && !p.Endless
	if p.Packed > 0 {
		set("Content-Encoding", "gzip")
		for range p.Packed {
			if whole {
				body = pack(body)
			}
		}
	}
	if whole {
		set("Content-Length", strconv.Itoa(len(body)))
	}
	maps.Copy(h, p.Header)
	w.WriteHeader(status)
	if status == http.StatusNotModified || status == http.StatusNoContent {
		return
	}
	if p.Cut {
		_, _ = w.Write(body[:len(body)/2])
		cut(w)
		return
	}
	var out io.Writer = &paced{w: w, each: p.Slow, wait: func(d time.Duration) bool { return s.wait(r, d) }}
	if p.Packed > 0 && !whole {
		z := gzip.NewWriter(out)
		defer z.Close()
		out = z
	}
	if _, err := out.Write(body); err != nil {
		return
	}
	for p.Endless {
		if _, err := out.Write(body); err != nil || r.Context().Err() != nil {
			return
		}
	}
	_, _ = io.CopyN(out, zeros{}, p.Zeros)
}

// wait lets time pass, for ever where it is 0; false when there is nobody to answer any more.
func (s *Site) wait(r *http.Request, d time.Duration) bool {
	var over <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
		return true
	case <-r.Context().Done():
	case <-s.closed:
	}
	return false
}

// paced writes slowly, byte by byte, where it is to.
type paced struct {
	w    http.ResponseWriter
	each time.Duration
	wait func(time.Duration) bool
}

func (p *paced) Write(b []byte) (int, error) {
	if p.each == 0 {
		return p.w.Write(b)
	}
	for i := range b {
		if !p.wait(p.each) {
			return i, io.ErrClosedPipe
		}
		if _, err := p.w.Write(b[i : i+1]); err != nil {
			return i, err
		}
		if f, ok := p.w.(http.Flusher); ok {
			f.Flush()
		}
	}
	return len(b), nil
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func pack(b []byte) []byte {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(b)
	_ = z.Close()
	return packed.Bytes()
}

// cut breaks the connection off.
func cut(w http.ResponseWriter) {
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // so that the client is told of a reset
	}
	_ = conn.Close()
}

// raw writes what need not be HTTP.
func raw(w http.ResponseWriter, text string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(conn, text)
	_ = conn.Close()
}
