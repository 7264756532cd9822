package fetch_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/ingest/fetch"
	"kyrochat/kyro"
)

// TestEverythingEndsByTheClock: a server that takes its time gets so much of it and no more, by the figures that are the
// defaults.
func TestEverythingEndsByTheClock(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
	redirect := func(to string) string {
		return "HTTP/1.1 302 Found\r\nLocation: " + to + "\r\nContent-Length: 0\r\n\r\n"
	}
	drip := func(c net.Conn, each time.Duration) {
		for {
			time.Sleep(each)
			if _, err := io.WriteString(c, "a"); err != nil {
				return
			}
		}
	}
	for name, c := range map[string]struct {
		url   string
		serve func(c net.Conn, path string)
		code  kyro.Code
		took  time.Duration
	}{
		"no head": {"http://example.com/", func(net.Conn, string) {}, kyro.CodeFetchFailed, 10 * time.Second},
		"a head that comes by and by": {"http://example.com/", func(c net.Conn, _ string) {
			if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nX-A: "); err == nil {
				drip(c, time.Second)
			}
		}, kyro.CodeFetchFailed, 10 * time.Second},
		"no handshake": {"https://example.com/", nil, kyro.CodeFetchFailed, 5 * time.Second},
		"no body": {"http://example.com/", func(c net.Conn, _ string) {
			_, _ = io.WriteString(c, head)
		}, kyro.CodeTimeout, 30 * time.Second},
		"a body that comes by and by": {"http://example.com/", func(c net.Conn, _ string) {
			if _, err := io.WriteString(c, head); err == nil {
				drip(c, 700*time.Millisecond)
			}
		}, kyro.CodeTimeout, 30 * time.Second},
		"late redirections, then a slow body": {"http://example.com/", func(c net.Conn, path string) {
			time.Sleep(9 * time.Second)
			if path != "/aa" {
				_, _ = io.WriteString(c, redirect(path+"a"))
			} else if _, err := io.WriteString(c, head); err == nil {
				drip(c, time.Second)
			}
		}, kyro.CodeTimeout, 30 * time.Second},
		"late redirections": {"http://example.com/", func(c net.Conn, path string) {
			time.Sleep(9900 * time.Millisecond)
			_, _ = io.WriteString(c, redirect(path+"a"))
		}, kyro.CodeFetchFailed, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var servers sync.WaitGroup
				defer servers.Wait()
				f := fetch.New(fetch.Options{})
				defer f.Close()
				f.DialBy(func(context.Context, string, string) (net.Conn, error) {
					ours, theirs := net.Pipe()
					servers.Go(func() { answerBy(theirs, c.serve) })
					return ours, nil
				})
				began := time.Now()
				got, err := f.Fetch(t.Context(), kyro.Fetch{URL: c.url})
				if c.serve == nil { // robots.txt is no exception
					wantError(t, name, err, kyro.CodeFetchFailed, unreachable)
				}
				if err == nil {
					_, err = io.Copy(io.Discard, got.Body)
					_ = got.Body.Close()
				}
				wantError(t, name, err, c.code, "")
				if took := time.Since(began); took != c.took {
					t.Errorf("it took %s, want %s", took, c.took)
				}
			})
		})
	}
}

// answerBy answers the requests of a connection: that for robots.txt at once. Where serve is nil nobody reads.
func answerBy(c net.Conn, serve func(c net.Conn, path string)) {
	defer c.Close()
	if serve == nil {
		_, _ = io.Copy(io.Discard, c)
		return
	}
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if r.URL.Path == "/robots.txt" {
			if _, err := io.WriteString(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"); err != nil {
				return
			}
			continue
		}
		serve(c, r.URL.Path)
	}
}
