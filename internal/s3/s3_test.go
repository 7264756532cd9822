package s3_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"kyrochat/internal/s3"
)

// TestWhatItsClientsSend puts objects in all the ways that the SDK has: in chunks that are signed, unsigned over TLS, with
// checksums behind the body, in parts.
func TestWhatItsClientsSend(t *testing.T) {
	t.Parallel()
	e := s3.New(s3.Options{})
	t.Cleanup(e.Close)
	plain, secure := httptest.NewServer(e), httptest.NewTLSServer(e)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	content := bytes.Repeat([]byte("0123456789abcdef"), 700<<10) // 11 MiB
	for name, o := range map[string]struct {
		url       string
		trailing  bool
		put       minio.PutObjectOptions
		multipart bool
	}{
		"signed chunks":       {url: plain.URL},
		"signed with trailer": {url: plain.URL, trailing: true, put: minio.PutObjectOptions{Checksum: minio.ChecksumCRC32C}},
		"unsigned":            {url: secure.URL},
		"unsigned trailer":    {url: secure.URL, trailing: true, put: minio.PutObjectOptions{Checksum: minio.ChecksumCRC64NVME}},
		"with MD5":            {url: plain.URL, put: minio.PutObjectOptions{SendContentMd5: true}},
		"in parts":            {url: plain.URL, put: minio.PutObjectOptions{PartSize: 5 << 20}, multipart: true},
	} {
		o.put.DisableMultipart = !o.multipart
		client, err := minio.New(strings.SplitN(o.url, "//", 2)[1], &minio.Options{
			Creds: credentials.NewStaticV4(e.AccessKey, e.SecretKey, ""), Region: e.Region, Secure: strings.HasPrefix(o.url, "https"),
			TrailingHeaders: o.trailing, MaxRetries: 1, BucketLookup: minio.BucketLookupPath,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // of this test
		})
		if err != nil {
			t.Fatal(err)
		}
		key := name + " ~ä+/ü"
		if _, err := client.PutObject(t.Context(), e.Bucket, key, bytes.NewReader(content), int64(len(content)), o.put); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		body, err := client.GetObject(context.WithoutCancel(t.Context()), e.Bucket, key, minio.GetObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d of %d bytes came back, %v", name, len(got), len(content), err)
		}
	}
}

// TestForgeries changes what was signed.
func TestForgeries(t *testing.T) {
	t.Parallel()
	e := s3.New(s3.Options{})
	t.Cleanup(e.Close)
	for name, tamper := range map[string]func(*http.Request){
		"nothing":   func(*http.Request) {},
		"a byte":    func(r *http.Request) { r.Body = io.NopCloser(&flip{r.Body, 200}) },
		"the key":   func(r *http.Request) { r.URL.Path += "x" },
		"the query": func(r *http.Request) { r.URL.RawQuery = "uploads=" },
		"the date":  func(r *http.Request) { r.Header.Set("X-Amz-Date", "20200101T000000Z") },
		"a header":  func(r *http.Request) { r.Header.Set("X-Amz-Decoded-Content-Length", "1") },
		"no name":   func(r *http.Request) { r.Header.Del("Authorization") },
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			tamper(r)
			e.ServeHTTP(w, r)
		}))
		client, err := minio.New(strings.TrimPrefix(server.URL, "http://"), &minio.Options{
			Creds: credentials.NewStaticV4(e.AccessKey, e.SecretKey, ""), Region: e.Region, MaxRetries: 1, BucketLookup: minio.BucketLookupPath,
		})
		if err != nil {
			t.Fatal(err)
		}
		content := strings.Repeat("content ", 100)
		_, err = client.PutObject(t.Context(), e.Bucket, name, strings.NewReader(content), int64(len(content)), minio.PutObjectOptions{})
		if (err == nil) != (name == "nothing") {
			t.Errorf("with %s changed: %v", name, err)
		}
		server.Close()
	}
	if keys := e.Keys(); len(keys) != 1 {
		t.Errorf("there are %q", keys)
	}
}

// flip changes one byte.
type flip struct {
	io.Reader
	at int
}

func (f *flip) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if f.at >= 0 && f.at < n {
		p[f.at] ^= 1
	}
	f.at -= n
	return n, err
}
