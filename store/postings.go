package store

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// Where a term occurs in a document version is one list: for each chunk that holds it, in order, three unsigned
// varints: the distance from the chunk before, how often the term occurs, and how many terms the chunk has. The
// length stands in every posting, which costs a byte or two and saves a look-up for every candidate.

// maxTermBytes bounds a term, so that a run of letters without a space cannot outgrow an index page. Documents
// and questions are cut alike and so still match.
const maxTermBytes = 96

// posting is a term in one chunk.
type posting struct {
	seq    int // the chunk's index in its document version
	tf     int // how often the term occurs in it
	length int // how many terms the chunk has
}

// termPostings is one term of a document version.
type termPostings struct {
	term   string
	chunks int // how many chunks hold it
	body   []byte
}

// indexTerms inverts the chunks of a document version, given the terms of each with spaces between them. It gives
// the postings ordered by term and the number of terms of each chunk.
func indexTerms(chunks []string) (postings []termPostings, lengths []int) {
	type list struct {
		body   []byte
		chunks int
		last   int
	}
	lists := make(map[string]*list)
	lengths = make([]int, len(chunks))
	counts := make(map[string]int)
	for seq, terms := range chunks {
		clear(counts)
		for term := range strings.FieldsSeq(terms) {
			if term, ok := cutTerm(term); ok {
				counts[term]++
				lengths[seq]++
			}
		}
		for term, tf := range counts {
			l := lists[term]
			if l == nil {
				l = &list{}
				lists[term] = l
			}
			l.body = binary.AppendUvarint(l.body, uint64(seq-l.last))
			l.body = binary.AppendUvarint(l.body, uint64(tf))
			l.body = binary.AppendUvarint(l.body, uint64(lengths[seq]))
			l.last = seq
			l.chunks++
		}
	}
	postings = make([]termPostings, 0, len(lists))
	for term, l := range lists {
		postings = append(postings, termPostings{term: term, chunks: l.chunks, body: l.body})
	}
	slices.SortFunc(postings, func(a, b termPostings) int { return strings.Compare(a.term, b.term) })
	return postings, lengths
}

// queryTerms are the distinct terms of a question as the index has them, at most limit.
func queryTerms(terms []string, limit int) []string {
	var distinct []string
	for _, t := range terms {
		if t, ok := cutTerm(t); ok && !slices.Contains(distinct, t) {
			distinct = append(distinct, t)
		}
		if len(distinct) == limit {
			break
		}
	}
	return distinct
}

// cutTerm bounds a term at a code point; ok is false for what no database would store.
func cutTerm(term string) (cut string, ok bool) {
	if len(term) > maxTermBytes {
		end := maxTermBytes
		for end > 0 && !utf8.RuneStart(term[end]) {
			end--
		}
		term = term[:end]
	}
	return term, term != "" && utf8.ValidString(term) && strings.IndexByte(term, 0) < 0
}

var errPostings = errors.New("a list of postings is damaged")

// eachPosting calls visit for every posting of a list.
func eachPosting(body []byte, visit func(posting)) error {
	var p posting
	for len(body) > 0 {
		var v [3]uint64
		for i := range v {
			value, n := binary.Uvarint(body)
			if n <= 0 || value > 1<<31 {
				return errPostings
			}
			v[i], body = value, body[n:]
		}
		p = posting{seq: p.seq + int(v[0]), tf: int(v[1]), length: int(v[2])}
		if p.seq > maxSeq {
			return errPostings
		}
		visit(p)
	}
	return nil
}

// maxSeq bounds what a damaged list can make a search allocate; it is far above any limit on chunks.
const maxSeq = 1 << 24
