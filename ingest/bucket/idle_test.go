package bucket_test

import (
	"bytes"
	"io"
	"testing"
	"time"

	"kyrochat/ingest/bucket"
	"kyrochat/internal/s3"
	"kyrochat/kyro"
)

// TestAStalledObjectIsGivenUp: of an object that stops in the middle, nobody waits for the rest for ever; who reads slowly is
// waited for.
func TestAStalledObjectIsGivenUp(t *testing.T) {
	t.Parallel()
	e := s3.Start(t)
	o := options(e)
	o.Idle = 2 * time.Second // in which a busy machine sends something of what does not stall
	b, err := bucket.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	content := noise(3 << 20)
	if err := put(t, b, "a", content); err != nil {
		t.Fatal(err)
	}
	for name, seek := range map[string]bool{"to its end": false, "after its size": true} {
		e.Script(s3.Script{Trouble: s3.Stall, Kind: s3.Get})
		body, err := b.Open(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if seek { // as whoever serves it does
			for _, whence := range []int{io.SeekEnd, io.SeekStart} {
				if _, err := body.Seek(0, whence); err != nil {
					t.Fatal(err)
				}
			}
		}
		got, err := io.ReadAll(body)
		if kyro.ErrorCode(err) != kyro.CodeUnavailable || !bytes.Equal(got, content[:len(got)]) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
		e.Reset()
	}
	body, err := b.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	first := make([]byte, 1000)
	if _, err := io.ReadFull(body, first); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * o.Idle) // whoever takes it is slow: that must not count
	rest, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(append(first, rest...), content) {
		t.Errorf("%d bytes of a reader that is slow, %v", len(first)+len(rest), err)
	}
}
