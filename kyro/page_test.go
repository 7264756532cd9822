package kyro_test

import (
	"encoding/base64"
	"testing"

	"kyrochat/kyro"
)

func ptr[T any](v T) *T { return &v }

func TestPageArgs(t *testing.T) {
	t.Parallel()
	const order = "bots.NAME.ASC"
	cursor := kyro.Cursor{Order: order, Value: "zoë | x", Key: 7}
	good := ptr(cursor.String())
	foreign := ptr(kyro.Cursor{Order: "bots.NAME.DESC", Value: "a", Key: 1}.String())
	tests := []struct {
		name string
		args kyro.PageArgs
		want kyro.PageRequest // Order and Cursor are filled in
		bad  bool
	}{
		{"nothing", kyro.PageArgs{}, kyro.PageRequest{Limit: 20}, false},
		{"first", kyro.PageArgs{First: ptr(1)}, kyro.PageRequest{Limit: 1}, false},
		{"first 100 after", kyro.PageArgs{First: ptr(100), After: good}, kyro.PageRequest{Limit: 100, Cursor: &cursor}, false},
		{"after alone", kyro.PageArgs{After: good}, kyro.PageRequest{Limit: 20, Cursor: &cursor}, false},
		{"last", kyro.PageArgs{Last: ptr(5)}, kyro.PageRequest{Limit: 5, Backward: true}, false},
		{"last before", kyro.PageArgs{Last: ptr(5), Before: good}, kyro.PageRequest{Limit: 5, Backward: true, Cursor: &cursor}, false},
		{"before alone", kyro.PageArgs{Before: good}, kyro.PageRequest{Limit: 20, Backward: true, Cursor: &cursor}, false},
		{"first 0", kyro.PageArgs{First: ptr(0)}, kyro.PageRequest{}, true},
		{"first 101", kyro.PageArgs{First: ptr(101)}, kyro.PageRequest{}, true},
		{"first -1", kyro.PageArgs{First: ptr(-1)}, kyro.PageRequest{}, true},
		{"last 1000", kyro.PageArgs{Last: ptr(1000)}, kyro.PageRequest{}, true},
		{"first and last", kyro.PageArgs{First: ptr(1), Last: ptr(1)}, kyro.PageRequest{}, true},
		{"after and before", kyro.PageArgs{After: good, Before: good}, kyro.PageRequest{}, true},
		{"first with before", kyro.PageArgs{First: ptr(1), Before: good}, kyro.PageRequest{}, true},
		{"last with after", kyro.PageArgs{Last: ptr(1), After: good}, kyro.PageRequest{}, true},
		{"cursor of another order", kyro.PageArgs{After: foreign}, kyro.PageRequest{}, true},
		{"cursor of nothing", kyro.PageArgs{After: ptr("")}, kyro.PageRequest{}, true},
		{"cursor of rubbish", kyro.PageArgs{After: ptr("AAAA")}, kyro.PageRequest{}, true},
	}
	for _, tt := range tests {
		got, err := tt.args.Request(order)
		if tt.bad {
			if kyro.ErrorCode(err) != kyro.CodeBadUserInput {
				t.Errorf("%s: got %v, want BAD_USER_INPUT", tt.name, err)
			}
			continue
		}
		if err != nil || got.Limit != tt.want.Limit || got.Backward != tt.want.Backward || got.Order != order {
			t.Errorf("%s: got %+v, %v", tt.name, got, err)
		}
		if (got.Cursor == nil) != (tt.want.Cursor == nil) || got.Cursor != nil && *got.Cursor != *tt.want.Cursor {
			t.Errorf("%s: cursor %+v, want %+v", tt.name, got.Cursor, tt.want.Cursor)
		}
	}
}

func TestWhatIsWantedOfRows(t *testing.T) {
	t.Parallel()
	if all := (kyro.PageRequest{}); !all.Wants("text") {
		t.Error("everything is less than all")
	}
	if some := (kyro.PageRequest{Fields: map[string]bool{"id": true}}); !some.Wants("id") || some.Wants("text") {
		t.Error("something else is wanted")
	}
}

func TestStreamCursorRoundTrip(t *testing.T) {
	t.Parallel()
	want := kyro.StreamCursor{Stream: kyro.MessageID(12), Attempt: 3, Seq: 4711}
	got, err := kyro.ParseStreamCursor(want.String())
	if err != nil || got != want {
		t.Fatalf("got %+v, %v", got, err)
	}
	first := kyro.StreamCursor{Stream: kyro.MessageID(12)}
	if got, err := kyro.ParseStreamCursor(first.String()); err != nil || got != first {
		t.Errorf("before the first event: %+v, %v", got, err)
	}
	forged := func(plain string) string { return base64.RawURLEncoding.EncodeToString([]byte(plain)) }
	list := kyro.Cursor{Order: "o", Value: "v", Key: 1}.String()
	for _, s := range []string{"", "x", list, forged("s1|cat_1|1|1"), forged("s1|msg_1|x|1"), forged("s1|msg_1|1|x"), forged("s1|msg_1|-1|1"), forged("s1|msg_1|1|-1"), want.String() + "A", want.String()[:8]} {
		if _, err := kyro.ParseStreamCursor(s); kyro.ErrorCode(err) != kyro.CodeBadUserInput {
			t.Errorf("ParseStreamCursor(%q) = %v, want BAD_USER_INPUT", s, err)
		}
	}
	if _, err := kyro.ParseCursor(want.String()); err == nil {
		t.Error("a stream's cursor was taken for a list's")
	}
	for _, s := range []string{forged("1||1|v"), forged("1|o|x|v"), forged("1|o|1"), forged("2|o|1|v")} {
		if c, err := kyro.ParseCursor(s); kyro.ErrorCode(err) != kyro.CodeBadUserInput {
			t.Errorf("ParseCursor(%q) = %+v, %v", s, c, err)
		}
	}
}

func TestPageInfo(t *testing.T) {
	t.Parallel()
	empty := kyro.Page[int]{HasPreviousPage: true}
	if info := empty.Info(); info.StartCursor != nil || info.EndCursor != nil || !info.HasPreviousPage || info.HasNextPage {
		t.Errorf("empty page: %+v", info)
	}
	page := kyro.Page[int]{Nodes: []int{1, 2}, HasNextPage: true, CursorAt: func(i int) string { return []string{"a", "b"}[i] }}
	if info := page.Info(); *info.StartCursor != "a" || *info.EndCursor != "b" || !info.HasNextPage {
		t.Errorf("page: %+v", info)
	}
	if edges := page.Edges(); len(edges) != 2 || edges[1].Cursor() != "b" || *edges[1].Node() != 2 {
		t.Errorf("edges: %v", edges)
	}
}

func FuzzCursors(f *testing.F) {
	f.Add(kyro.Cursor{Order: "o", Value: "v|w", Key: -1}.String())
	f.Add(kyro.StreamCursor{Stream: kyro.MessageID(1), Attempt: 1, Seq: 1}.String())
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := kyro.ParseCursor(s); err == nil {
			if again, err := kyro.ParseCursor(c.String()); err != nil || again != c {
				t.Errorf("%+v became %+v, %v", c, again, err)
			}
		}
		if c, err := kyro.ParseStreamCursor(s); err == nil {
			if again, err := kyro.ParseStreamCursor(c.String()); err != nil || again != c {
				t.Errorf("%+v became %+v, %v", c, again, err)
			}
		}
	})
}
