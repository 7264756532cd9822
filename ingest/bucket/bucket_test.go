package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/ingest/bucket"
	"kyrochat/internal/s3"
	"kyrochat/kyro"
)

func options(e *s3.Emulator) bucket.Options {
	return bucket.Options{
		Endpoint: e.URL, Bucket: e.Bucket, Region: e.Region, AccessKey: e.AccessKey, SecretKey: kyro.Secret(e.SecretKey),
		Prefix: "files", Installation: "here", PathStyle: true,
	}
}

func open(t *testing.T, e *s3.Emulator) *bucket.Bucket {
	t.Helper()
	b, err := bucket.Open(t.Context(), options(e))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func noise(size int) []byte {
	content := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content)
	return content
}

// put puts from a file, as ingestion does.
func put(t *testing.T, b *bucket.Bucket, key string, content []byte) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return b.Put(t.Context(), key, file, int64(len(content)))
}

func TestObjects(t *testing.T) {
	t.Parallel()
	e := s3.Start(t)
	b := open(t, e)
	for _, size := range []int{1, 64 << 10, 64<<10 + 1, 20 << 20} {
		content := noise(size)
		if err := put(t, b, "a", content); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(e.Object("files/here/a"), content) {
			t.Errorf("of %d bytes others are there", size)
		}
		body, err := b.Open(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if end, err := body.Seek(0, io.SeekEnd); err != nil || end != int64(size) {
			t.Errorf("the end is at %d, %v", end, err)
		}
		if _, err := body.Seek(int64(size/2), io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if half, err := io.ReadAll(body); err != nil || !bytes.Equal(half, content[size/2:]) {
			t.Errorf("from the middle of %d bytes %d came, %v", size, len(half), err)
		}
		_ = body.Close()
	}
	if err := b.Remove(t.Context(), []string{"a", "never there"}); err != nil {
		t.Error(err)
	}
	body, err := b.Open(t.Context(), "a")
	if err == nil {
		_, err = body.Read(make([]byte, 1))
	}
	if kyro.ErrorCode(err) != kyro.CodeNotFound {
		t.Errorf("of an object that is gone: %v", err)
	}
}

func TestWalk(t *testing.T) {
	t.Parallel()
	e := s3.Start(t)
	b := open(t, e)
	now := time.Now()
	var want []string
	for i := range 1_100 {
		key := "k" + strings.Repeat("0", i%7) + string(rune('a'+i%26)) + time.Duration(i).String()
		e.Plant("files/here/"+key, nil, now.Add(-time.Hour))
		want = append(want, key)
	}
	e.Plant("files/here/young", nil, now)
	e.Plant("files/elsewhere/other", nil, now.Add(-time.Hour))
	var got []string
	err := b.Walk(t.Context(), now.Add(-time.Minute), func(keys []string) error { got = append(got, keys...); return nil })
	slices.Sort(want)
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%d of %d were visited, %v", len(got), len(want), err)
	}
	enough := errors.New("enough")
	if err := b.Walk(t.Context(), now, func([]string) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("a visit that fails ends in %v", err)
	}
	if err := b.Remove(t.Context(), got); err != nil || len(e.Keys()) != 2 {
		t.Errorf("%d are left, %v", len(e.Keys()), err)
	}
}

func TestTroubles(t *testing.T) {
	t.Parallel()
	e := s3.Start(t)
	b := open(t, e)
	content := noise(300 << 10)
	for _, once := range []s3.Script{{Status: 503, Times: 1}, {Status: 500, Times: 1}, {Trouble: s3.Drop, Times: 1}, {Trouble: s3.Lose, Times: 1}} {
		e.Script(once)
		if err := put(t, b, "a", content); err != nil || !bytes.Equal(e.Object("files/here/a"), content) {
			t.Errorf("once %+v: %v", once, err)
		}
	}
	read := func() ([]byte, error) {
		body, err := b.Open(t.Context(), "a")
		if err != nil {
			return nil, err
		}
		defer body.Close()
		return io.ReadAll(body)
	}
	for name, always := range map[string]s3.Script{
		"busy": {Status: 503}, "broken": {Status: 500}, "forbidden": {Status: 403}, "cut": {Trouble: s3.Drop}, "half": {Trouble: s3.Cut, Kind: s3.Get},
	} {
		e.Script(always)
		if got, err := read(); kyro.ErrorCode(err) != kyro.CodeUnavailable {
			t.Errorf("%s: %d bytes were read, %v", name, len(got), err)
		}
		if name != "half" {
			if err := put(t, b, "b", content); kyro.ErrorCode(err) != kyro.CodeUnavailable {
				t.Errorf("%s: put ends in %v", name, err)
			}
			if err := b.Remove(t.Context(), []string{"a"}); kyro.ErrorCode(err) != kyro.CodeUnavailable {
				t.Errorf("%s: remove ends in %v", name, err)
			}
			err := b.Walk(t.Context(), time.Now(), func([]string) error { return nil })
			if kyro.ErrorCode(err) != kyro.CodeUnavailable {
				t.Errorf("%s: walk ends in %v", name, err)
			}
		}
		e.Reset()
	}
	e.Script(s3.Script{Trouble: s3.Hang})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.Put(ctx, "c", bytes.NewReader(content), int64(len(content))) }()
	for e.Count(s3.Put) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("what hangs was put")
	}
}

// TestPatience: who has much to do and nobody waiting goes on after troubles that last for a moment, and not after what is refused.
func TestPatience(t *testing.T) {
	t.Parallel()
	e := s3.Start(t)
	content := noise(300 << 10)
	o := options(e)
	hurried := open(t, e)
	o.Patient = true
	patient, err := bucket.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	longer := s3.Script{Status: 503, Times: 4} // than three tries
	e.Script(longer)
	if err := put(t, hurried, "a", content); kyro.ErrorCode(err) != kyro.CodeUnavailable {
		t.Errorf("in a hurry: %v", err)
	}
	e.Reset()
	e.Script(longer)
	if err := put(t, patient, "a", content); err != nil || !bytes.Equal(e.Object("files/here/a"), content) {
		t.Errorf("with patience: %v", err)
	}
	for name, test := range map[string]struct {
		trouble []s3.Script
		looks   bool // for its size, before
	}{
		"busy":           {[]s3.Script{{Kind: s3.Get, Status: 503, Times: 4}}, false},
		"busy when seen": {[]s3.Script{{Kind: s3.Head, Status: 503, Times: 4}}, true},
		"cut twice":      {[]s3.Script{{Kind: s3.Get, Trouble: s3.Cut, Times: 2}}, true},
		"cut, then busy": {[]s3.Script{{Kind: s3.Get, Trouble: s3.Cut, Times: 1}, {Kind: s3.Head, Status: 500, Times: 4}}, false},
	} {
		read := func(b *bucket.Bucket) ([]byte, error) {
			e.Script(test.trouble...)
			defer e.Reset()
			body, err := b.Open(t.Context(), "a")
			if err != nil {
				return nil, err
			}
			defer body.Close()
			if test.looks {
				for _, whence := range []int{io.SeekEnd, io.SeekStart} {
					if _, err := body.Seek(0, whence); err != nil {
						return nil, err
					}
				}
			}
			return io.ReadAll(body)
		}
		if got, err := read(hurried); kyro.ErrorCode(err) != kyro.CodeUnavailable {
			t.Errorf("%s, in a hurry: %d bytes, %v", name, len(got), err)
		}
		if got, err := read(patient); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s, with patience: %d bytes, %v", name, len(got), err)
		}
	}
	e.Script(s3.Script{Kind: s3.Delete, Status: 503, Times: 2})
	if err := patient.Remove(t.Context(), []string{"a"}); err != nil || len(e.Keys()) > 0 {
		t.Errorf("removing: %v", err)
	}
	before := e.Count(s3.Put)
	e.Script(s3.Script{Status: 403})
	if err := put(t, patient, "b", content); kyro.ErrorCode(err) != kyro.CodeUnavailable || e.Count(s3.Put) != before+1 {
		t.Errorf("refused: %v after %d tries", err, e.Count(s3.Put)-before)
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	e := s3.Start(t)
	for want, change := range map[string]func(*bucket.Options){
		"there is no bucket":    func(o *bucket.Options) { o.Bucket = "other" },
		"HTTP 403":              func(o *bucket.Options) { o.SecretKey = "wrong" },
		"HTTP 400":              func(o *bucket.Options) { o.Region = "eu-central-1" },
		"connection refused":    func(o *bucket.Options) { o.Endpoint = "http://127.0.0.1:1" },
		"look for the bucket o": func(o *bucket.Options) { o.AccessKey = "nobody" },
	} {
		o := options(e)
		change(&o)
		_, err := bucket.Open(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), e.SecretKey) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}
