package answer

import (
	"hash/fnv"
	"slices"
	"unicode"
	"unicode/utf8"

	"kyrochat/kyro"
)

// Two passages say the same when one of them has more than duplicateShare of its runs of shingle characters from
// the other. Of the runs every fourth, chosen by its hash, is enough to tell. Neighbours in a document, which repeat the
// end of the one before, say the same when one of them lies in the other by more than overlapShare: what little it adds
// is not worth a place.
const (
	duplicateShare = 0.8
	overlapShare   = 0.5
	shingle        = 12
	sampled        = 4
)

// duplicates knows the passages taken so far.
type duplicates struct {
	hashes   map[string]bool
	shingles []map[uint64]bool
	places   []place
}

// place is where in which text a passage stands.
type place struct {
	document   kyro.ID
	version    int
	start, end int // bytes
}

// covers reports whether the places lie in each other by more than overlapShare of the shorter.
func (p place) covers(o place) bool {
	if p.document != o.document || p.version != o.version || p.document.IsZero() {
		return false
	}
	common, shorter := min(p.end, o.end)-max(p.start, o.start), min(p.end-p.start, o.end-o.start)
	return float64(common) > overlapShare*float64(shorter)
}

// has reports whether a chunk says what one before it said; otherwise it takes it in.
func (d *duplicates) has(c kyro.Chunk) bool {
	if c.ContentHash != "" && d.hashes[c.ContentHash] {
		return true
	}
	here := place{c.DocumentID, c.Version, c.ByteStart, c.ByteEnd}
	if slices.ContainsFunc(d.places, here.covers) {
		return true
	}
	mine := shinglesOf(c.Text)
	for _, other := range d.shingles {
		if overlap(mine, other) > duplicateShare {
			return true
		}
	}
	if d.hashes == nil {
		d.hashes = make(map[string]bool)
	}
	d.hashes[c.ContentHash] = true
	d.shingles, d.places = append(d.shingles, mine), append(d.places, here)
	return false
}

func overlap(a, b map[uint64]bool) float64 {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) == 0 {
		return 0
	}
	common := 0
	for h := range a {
		if b[h] {
			common++
		}
	}
	return float64(common) / float64(len(a))
}

// shinglesOf samples the runs of letters and numbers of a text, without regard to case, spaces and signs. A text
// of a few words gives its whole.
func shinglesOf(s string) map[uint64]bool {
	var letters []byte
	var starts []int
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			starts = append(starts, len(letters))
			letters = utf8.AppendRune(letters, unicode.ToLower(r))
		}
	}
	found := make(map[uint64]bool)
	for i := 0; i+shingle <= len(starts); i++ {
		end := len(letters)
		if i+shingle < len(starts) {
			end = starts[i+shingle]
		}
		if h := hashBytes(letters[starts[i]:end]); h%sampled == 0 {
			found[h] = true
		}
	}
	if len(found) < 4 {
		clear(found)
		found[hashBytes(letters)] = true
	}
	return found
}

func hashBytes(b []byte) uint64 {
	h := fnv.New64a()
	h.Write(b)
	return h.Sum64()
}
