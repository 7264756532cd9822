package extract

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"kyrochat/kyro"
)

func TestFrames(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	want := reply{Result: &kyro.Extraction{Text: "a <b> & \u2028 \"c\"", Blocks: []kyro.Block{{Kind: kyro.BlockParagraph, End: 3, Page: 1}}}, Memory: 7}
	if err := writeFrame(&b, want); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b.Bytes(), []byte("<b> &")) {
		t.Error("characters are escaped that need not be: frames grow beyond their bound")
	}
	var got reply
	if err := readFrame(&b, 1000, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := readFrame(&b, 1000, &got); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestFrameErrors(t *testing.T) {
	t.Parallel()
	frame := func(n uint32, body string) string {
		return string(binary.BigEndian.AppendUint32(nil, n)) + body
	}
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"too large":  {frame(101, strings.Repeat(" ", 101)), errFrameTooLarge},
		"cut head":   {"\x00\x00", io.ErrUnexpectedEOF},
		"cut body":   {frame(10, "{}"), io.ErrUnexpectedEOF},
		"empty body": {frame(10, ""), io.ErrUnexpectedEOF},
		"no JSON":    {frame(2, "no"), nil},
	} {
		var r reply
		err := readFrame(strings.NewReader(c.in), 100, &r)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTextsFollowTheirFrames(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	want := kyro.Extraction{Text: "ä\n\"", MimeType: Plain, Pages: 1, PageChars: []int{3}}
	if err := writeResult(&b, reply{Result: &want, Memory: 7}); err != nil {
		t.Fatal(err)
	}
	whole := b.String()
	var r reply
	if err := readFrame(&b, 1000, &r); err != nil || r.TextBytes != len(want.Text) || want.Text == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	text, err := receiveText(&b, r.TextBytes, len(want.Text))
	if r.Result.Text = text; err != nil || !reflect.DeepEqual(*r.Result, want) {
		t.Errorf("%+v, %v", r.Result, err)
	}
	for name, c := range map[string]struct {
		n, limit int
		want     error
	}{"too long": {4, 3, errFrameTooLarge}, "negative": {-1, 3, errFrameTooLarge}, "cut": {5, 9, io.ErrUnexpectedEOF}} {
		if _, err := receiveText(strings.NewReader(whole[len(whole)-4:]), c.n, c.limit); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The largest reply that the limits allow is not refused.
func TestLargestReplyFits(t *testing.T) {
	t.Parallel()
	limits := kyro.Limits{MaxExtractedText: 3 << 20, MaxPages: 10}
	for _, s := range []string{"\"", "\\", "\n", "\t", "\u2028", "ä", "<", "中"} {
		ex := kyro.Extraction{Text: strings.Repeat(s, limits.MaxExtractedText/len(s))}
		for i := range maxBlocks {
			ex.Blocks = append(ex.Blocks, kyro.Block{Kind: kyro.BlockParagraph, Level: 6, Start: limits.MaxExtractedText - i, End: limits.MaxExtractedText, Page: 2000})
		}
		ex.Page = &kyro.WebPage{Canonical: strings.Repeat(`"`, kyro.MaxURL)}
		for range kyro.MaxPageLinks {
			ex.Page.Links = append(ex.Page.Links, strings.Repeat(`"`, kyro.MaxURL-10))
		}
		for i := range limits.MaxPages {
			ex.PageChars = append(ex.PageChars, 1<<24)
			ex.Warnings = append(ex.Warnings, warning(PageWithoutText, 1000+i, "Page %d is a picture without readable text."))
		}
		var b bytes.Buffer
		if err := writeResult(&b, reply{Result: &ex, Memory: 1 << 40}); err != nil {
			t.Fatal(err)
		}
		if n := b.Len() - 4 - len(ex.Text); n > maxReply(limits) {
			t.Errorf("%q: %d bytes, bound %d", s, n, maxReply(limits))
		}
	}
}

func FuzzFrames(f *testing.F) {
	var b bytes.Buffer
	_ = writeFrame(&b, reply{Progress: &stage{1, 2}})
	f.Add(b.Bytes())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		for {
			var got reply
			if err := readFrame(r, 1<<16, &got); err != nil {
				return
			}
			if got.Result != nil {
				if err := sane(got.Result, kyro.DefaultLimits()); err == nil {
					for _, block := range got.Result.Blocks {
						_ = got.Result.Text[block.Start:block.End]
					}
				}
			}
			var again bytes.Buffer
			if err := writeFrame(&again, got); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestServeAnswersInOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var in, out bytes.Buffer
	for _, name := range []string{"a", "b", "none"} {
		path := filepath.Join(dir, name)
		if name != "none" {
			if err := os.WriteFile(path, []byte("text of "+name), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := writeFrame(&in, request{Original: kyro.Original{Path: path, MimeType: Plain}, Limits: kyro.DefaultLimits()}); err != nil {
			t.Fatal(err)
		}
	}
	if err := serve(&in, &out, &reader{}, func() {}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		var r reply
		if err := readFrame(&out, 1<<20, &r); err != nil {
			break
		}
		switch {
		case r.Result != nil:
			text, err := receiveText(&out, r.TextBytes, 1<<20)
			if err != nil || r.Result.Text != "" {
				t.Errorf("%q in the frame, %v", r.Result.Text, err)
			}
			got = append(got, text)
		case r.Failure != nil:
			got = append(got, "failure "+string(r.Failure.Code))
		}
	}
	if want := []string{"text of a", "text of b", "failure "}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

// A parent that goes away in the middle of a file takes the child with it.
func TestServeAbandonsWork(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	in, parent := io.Pipe()
	abandoned := make(chan struct{})
	// The first reply is not taken until the input has ended, so that the child is busy then.
	out := writerFunc(func(b []byte) (int, error) { <-abandoned; return len(b), nil })
	served := make(chan error)
	go func() { served <- serve(in, out, &reader{}, func() { close(abandoned) }) }()
	if err := writeFrame(parent, request{Original: kyro.Original{Path: path, MimeType: Plain}, Limits: kyro.DefaultLimits()}); err != nil {
		t.Fatal(err)
	}
	_ = parent.Close()
	<-abandoned
	if err := <-served; err != nil {
		t.Error(err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
