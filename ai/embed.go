// Package ai holds what makes embeddings and answers: models behind an API, and their stand-ins that work offline.
package ai

import (
	"context"
	"math"
	"unicode"
	"unicode/utf8"

	"kyrochat/text"
)

// The stand-in embedding. Vectors of it are stored under this name: whatever changes what it makes needs another.
const (
	HashModel = "kyro-hash-1"
	HashDims  = 1024
)

// What features weigh against each other: a word says more than one of its pieces.
const (
	weightWord = 1.0
	weightGram = 0.35
)

// HashEmbedder makes embeddings without a model, by signed feature hashing. It compares letters, not meaning:
// texts are near each other where they share words, pieces of words, or pairs of characters.
//
// The text is folded by text.Fold and split into runs of letters, marks and numbers. A run of a script that puts
// no spaces between words gives its pairs of neighbouring characters, or the one there is. Any other run is a
// word: it gives itself, and every 3 to 5 neighbouring characters of it with an underscore before and after.
//
// A feature is hashed with 64-bit FNV-1a: the UTF-8 bytes of its characters, then one byte for its kind, 'w' for
// words and pairs and 'g' for pieces. With h ^= h >> 32 the low ten bits choose the dimension and bit 16 the sign.
// A feature that occurs n times counts 1 + ln n times the weight of its kind. The vector is L2-normalised. That of
// a text without features points along the first dimension, since a vector of zeros has no direction.
type HashEmbedder struct{}

// Model names the embedding and its dimensions.
func (HashEmbedder) Model() (name string, dims int) { return HashModel, HashDims }

// Lexical reports that the vectors compare letters rather than meaning.
func (HashEmbedder) Lexical() bool { return true }

// EmbedPassages gives a vector for each text. It stops with ctx.
func (HashEmbedder) EmbedPassages(ctx context.Context, texts []string) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	for i, s := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		vectors[i] = hashVector(s)
	}
	return vectors, nil
}

// EmbedQuestion gives the vector of a question.
func (HashEmbedder) EmbedQuestion(ctx context.Context, question string) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return hashVector(question), nil
}

func hashVector(s string) []float32 {
	f := features{words: make(map[uint64]int, len(s)/8), pieces: make(map[uint64]int, len(s)/2)}
	f.addText(text.Fold(s))
	// Bits, not the order of a map, decide what is added first, so that equal texts give equal vectors: sums of
	// integers do not depend on the order.
	var sum [HashDims]int64
	spread(&sum, f.words, weightWord)
	spread(&sum, f.pieces, weightGram)
	return normalise(&sum)
}

// features counts the hashes of a text.
type features struct {
	words, pieces map[uint64]int
	word          []rune
}

func (f *features) addText(folded string) {
	var last rune // the character before, where it belongs to a dense run
	single := false
	endRun := func() {
		if single {
			f.words[hashRunes('w', last)]++
		}
		last, single = 0, false
	}
	for _, r := range folded {
		switch {
		case isDense(r):
			f.endWord()
			if last != 0 {
				f.words[hashRunes('w', last, r)]++
			}
			single, last = last == 0, r
		case unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r):
			endRun()
			f.word = append(f.word, r)
		default:
			endRun()
			f.endWord()
		}
	}
	endRun()
	f.endWord()
}

// longWord bounds the pieces of one word: what is longer is data rather than language.
const longWord = 64

func (f *features) endWord() {
	if len(f.word) == 0 {
		return
	}
	f.words[hashRunes('w', f.word...)]++
	if len(f.word) <= longWord {
		padded := append(append([]rune{'_'}, f.word...), '_')
		for start := range padded {
			h := uint64(fnvOffset)
			for n, r := range padded[start:min(start+5, len(padded))] {
				h = hashRune(h, r)
				if n >= 2 {
					f.pieces[hashByte(h, 'g')]++
				}
			}
		}
	}
	f.word = f.word[:0]
}

// isDense reports letters of scripts that put no spaces between words.
func isDense(r rune) bool {
	return r >= 0x0E01 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) &&
		(unicode.IsLetter(r) || unicode.IsMark(r))
}

// FNV-1a, 64 bits.
const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
)

func hashByte(h uint64, b byte) uint64 { return (h ^ uint64(b)) * fnvPrime }

func hashRune(h uint64, r rune) uint64 {
	if r < utf8.RuneSelf {
		return hashByte(h, byte(r))
	}
	var buffer [utf8.UTFMax]byte
	for _, b := range buffer[:utf8.EncodeRune(buffer[:], r)] {
		h = hashByte(h, b)
	}
	return h
}

func hashRunes(kind byte, runes ...rune) uint64 {
	h := uint64(fnvOffset)
	for _, r := range runes {
		h = hashRune(h, r)
	}
	return hashByte(h, kind)
}

// unit is how finely weights are counted.
const unit = 1 << 20

func spread(sum *[HashDims]int64, counts map[uint64]int, weight float64) {
	for h, n := range counts {
		h ^= h >> 32
		w := int64(unit * weight * (1 + math.Log(float64(n))))
		if h>>16&1 == 1 {
			w = -w
		}
		sum[h%HashDims] += w
	}
}

func normalise(sum *[HashDims]int64) []float32 {
	vector := make([]float32, HashDims)
	var square float64
	for _, v := range sum {
		square += float64(v) * float64(v)
	}
	if square == 0 {
		vector[0] = 1
		return vector
	}
	norm := math.Sqrt(square)
	for i, v := range sum {
		vector[i] = float32(float64(v) / norm)
	}
	return vector
}
