package store

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"kyrochat/kyro"
)

// citedFormat is the first byte of what is kept of citations, as figuresFormat is of figures.
const citedFormat = 1

var errCited = errors.New("what answers of a bot cite is not as it was written")

// encodeCited makes what is cited a row of whole numbers, as figures are. The newest answers have keys near to each other.
func encodeCited(c *kyro.Cited) []byte {
	b := []byte{citedFormat}
	first := int64(0) // of the newest answers of each passage, among which are those of each document
	for _, uses := range c.Passages {
		if first == 0 || uses.Last < first {
			first = uses.Last
		}
	}
	add := func(n int64) { b = binary.AppendUvarint(b, uint64(n)) }
	add(first)
	for _, uses := range []map[int64]kyro.Uses{c.Documents, c.Passages} {
		add(int64(len(uses)))
		last := int64(0)
		for _, key := range slices.Sorted(maps.Keys(uses)) {
			add(key - last)
			add(uses[key].Answers)
			add(uses[key].Last - first)
			last = key
		}
	}
	return b
}

// addCited adds what was encoded to what is cited.
func addCited(to *kyro.Cited, b []byte) error {
	if len(b) == 0 || b[0] != citedFormat {
		return errCited
	}
	c := &coded{left: b[1:]}
	first := c.number()
	for _, uses := range []map[int64]kyro.Uses{to.Documents, to.Passages} {
		key := int64(0)
		for range c.count() {
			key += c.number()
			answers := c.number()
			last := first + c.number()
			sum := uses[key]
			uses[key] = kyro.Uses{Answers: sum.Answers + answers, Last: max(sum.Last, last)}
		}
	}
	if c.bad || len(c.left) > 0 {
		return errCited
	}
	return nil
}
