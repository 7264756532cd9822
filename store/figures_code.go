package store

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"kyrochat/kyro"
)

// Figures are kept as a row of whole numbers, of which most are small: each takes a byte for every seven bits. A year of
// hours is read within some ten milliseconds so, which JSON takes several times as long for.

// figuresFormat is the first byte. Another format has another one.
const figuresFormat = 2

var errFigures = errors.New("figures of a bot are not as they were written")

func encodeFigures(f *kyro.Figures) []byte {
	b := []byte{figuresFormat}
	add := func(numbers ...int64) {
		for _, n := range numbers {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	add(f.Messages, f.Answers, f.Up, f.Down, int64(f.Cost))
	add(int64(len(kyro.Groundings)))
	for _, g := range kyro.Groundings {
		add(f.Groundings[g])
	}
	add(int64(len(kyro.FinishReasons)))
	for _, r := range kyro.FinishReasons {
		add(f.Finishes[r])
	}
	add(int64(len(f.Tokens)))
	for _, model := range slices.Sorted(maps.Keys(f.Tokens)) {
		add(int64(len(model)))
		b = append(b, model...)
		add(f.Tokens[model].Prompt, f.Tokens[model].Output)
	}
	for _, set := range []map[int64]struct{}{f.People, f.Conversations} {
		add(int64(len(set)))
		last := int64(0)
		for _, key := range kyro.Keys(set) {
			add(key - last)
			last = key
		}
	}
	for _, times := range []kyro.Times{f.FirstToken, f.Duration} {
		used := 0
		for _, n := range times {
			used += min(int(n), 1)
		}
		add(int64(used))
		last := 0
		for bucket, n := range times {
			if n > 0 {
				add(int64(bucket-last), int64(n))
				last = bucket
			}
		}
	}
	return b
}

// coded is what is left of the bytes. After an error everything is 0.
type coded struct {
	left []byte
	bad  bool
}

func (c *coded) number() int64 {
	n, length := binary.Uvarint(c.left)
	if length <= 0 || n > 1<<62 {
		c.left, c.bad = nil, true
		return 0
	}
	c.left = c.left[length:]
	return int64(n)
}

// count is a number of things of which each takes a byte at the least.
func (c *coded) count() int {
	n := c.number()
	if n > int64(len(c.left)) {
		c.left, c.bad = nil, true
		return 0
	}
	return int(n)
}

func (c *coded) text() string {
	n := c.count()
	s := string(c.left[:n])
	c.left = c.left[n:]
	return s
}

// addFigures adds encoded figures to others.
func addFigures(f *kyro.Figures, b []byte) error {
	if len(b) == 0 || b[0] != figuresFormat {
		return errFigures
	}
	c := &coded{left: b[1:]}
	f.Messages += c.number()
	f.Answers += c.number()
	f.Up += c.number()
	f.Down += c.number()
	f.Cost += kyro.Money(c.number())
	for i := range c.count() {
		if n := c.number(); n > 0 && i < len(kyro.Groundings) {
			f.Groundings[kyro.Groundings[i]] += n
		}
	}
	for i := range c.count() {
		if n := c.number(); n > 0 && i < len(kyro.FinishReasons) {
			f.Finishes[kyro.FinishReasons[i]] += n
		}
	}
	for range c.count() {
		model := c.text()
		prompt := c.number()
		f.AddTokens(model, kyro.Tokens{Prompt: prompt, Output: c.number()})
	}
	for _, set := range []map[int64]struct{}{f.People, f.Conversations} {
		key := int64(0)
		for range c.count() {
			key += c.number()
			set[key] = struct{}{}
		}
	}
	for _, times := range []*kyro.Times{&f.FirstToken, &f.Duration} {
		bucket := int64(0)
		for range c.count() {
			bucket += c.number()
			if n := c.number(); bucket <= maxBucket {
				times.Count(int(bucket), uint32(n))
			} else {
				c.bad = true
			}
		}
	}
	if c.bad || len(c.left) > 0 {
		return errFigures
	}
	return nil
}

// maxBucket is the last bucket of times.
var maxBucket = int64(kyro.TimeBucket(1 << 40))
