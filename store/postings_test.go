package store

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestIndexTerms(t *testing.T) {
	t.Parallel()
	postings, lengths := indexTerms([]string{"b a b", "", "a c  \t b", "c"})
	if want := []int{3, 0, 3, 1}; !reflect.DeepEqual(lengths, want) {
		t.Errorf("lengths %v, want %v", lengths, want)
	}
	want := []struct {
		term     string
		postings []posting
	}{
		{"a", []posting{{0, 1, 3}, {2, 1, 3}}},
		{"b", []posting{{0, 2, 3}, {2, 1, 3}}},
		{"c", []posting{{2, 1, 3}, {3, 1, 1}}},
	}
	if len(postings) != len(want) {
		t.Fatalf("%d terms, want %d", len(postings), len(want))
	}
	for i, w := range want {
		var got []posting
		if err := eachPosting(postings[i].body, func(p posting) { got = append(got, p) }); err != nil {
			t.Fatal(err)
		}
		if postings[i].term != w.term || postings[i].chunks != len(w.postings) || !reflect.DeepEqual(got, w.postings) {
			t.Errorf("%q in %d chunks: %v, want %q: %v", postings[i].term, postings[i].chunks, got, w.term, w.postings)
		}
	}
}

func TestQueryTerms(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", maxTermBytes)
	cases := []struct {
		name  string
		terms []string
		limit int
		want  []string
	}{
		{"none", nil, 9, nil},
		{"doubles and empty ones go", []string{"a", "", "b", "a"}, 9, []string{"a", "b"}},
		{"not beyond the limit", []string{"a", "b", "c"}, 2, []string{"a", "b"}},
		{"what cannot be stored goes", []string{"a\x00b", "\xff", "c"}, 9, []string{"c"}},
		{"long ones are cut at a code point", []string{long}, 9, []string{long[:maxTermBytes]}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := queryTerms(c.terms, c.limit); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzEachPosting(f *testing.F) {
	good, _ := indexTerms([]string{"a b", "a", "a a"})
	f.Add(good[0].body)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1, 1})
	f.Fuzz(func(t *testing.T, body []byte) {
		last := 0
		err := eachPosting(body, func(p posting) {
			if p.seq < last || p.seq > maxSeq || p.tf < 0 || p.length < 0 {
				t.Fatalf("posting %+v after chunk %d", p, last)
			}
			last = p.seq
		})
		if err != nil && err != errPostings {
			t.Fatal(err)
		}
	})
}

func FuzzIndexTerms(f *testing.F) {
	f.Add("one two", "two  three")
	f.Fuzz(func(t *testing.T, first, second string) {
		postings, lengths := indexTerms([]string{first, second})
		sum, total := 0, lengths[0]+lengths[1]
		for i, p := range postings {
			if !utf8.ValidString(p.term) || p.term == "" || len(p.term) > maxTermBytes {
				t.Fatalf("term %q", p.term)
			}
			if i > 0 && postings[i-1].term >= p.term {
				t.Fatalf("%q before %q", postings[i-1].term, p.term)
			}
			n := 0
			if err := eachPosting(p.body, func(p posting) { sum += p.tf; n++ }); err != nil || n != p.chunks {
				t.Fatalf("%q: %d postings of %d: %v", p.term, n, p.chunks, err)
			}
		}
		if sum != total {
			t.Fatalf("%d occurrences of %d terms", sum, total)
		}
	})
}
