package answer

import (
	"hash/fnv"
	"unicode"
	"unicode/utf8"

	"kyrochat/kyro"
)

// Two passages say the same when one of them has more than duplicateShare of its runs of shingle characters from
// the other. Of the runs every fourth, chosen by its hash, is enough to tell.
const (
	duplicateShare = 0.8
	shingle        = 12
	sampled        = 4
)

// duplicates knows the passages taken so far.
type duplicates struct {
	hashes   map[string]bool
	shingles []map[uint64]bool
}

// has reports whether a chunk says what one before it said; otherwise it takes it in.
func (d *duplicates) has(c kyro.Chunk) bool {
	if c.ContentHash != "" && d.hashes[c.ContentHash] {
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
	d.shingles = append(d.shingles, mine)
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
