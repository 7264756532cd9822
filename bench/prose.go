package main

import (
	"math/rand/v2"
	"strings"
	"unicode"
	"unicode/utf8"
)

// words are what texts are made of: mostly plain, some with letters beyond ASCII, as people write.
var words = strings.Fields(`the a of to and in that for with on as by from or which when where after before about
	order parcel return refund invoice customer contract warranty label carrier deadline account payment receipt store
	address country delivery damage claim policy period month week day hours support agent question answer page section
	sends keeps takes gives opens ships pays asks waits starts ends covers includes needs allows excludes confirms
	free late early full partial original written sealed valid separate second third café naïve Zürich größer señor`)

// title is a few words.
func title(r *rand.Rand) string {
	var b strings.Builder
	sentence(&b, r, 4)
	return strings.TrimSuffix(b.String(), ".")
}

// prose is sentences of about that many bytes, some quoted, in paragraphs.
func prose(r *rand.Rand, size int) string {
	var b strings.Builder
	size = size*3/4 + r.IntN(size/2)
	for b.Len() < size {
		switch {
		case b.Len() == 0:
		case r.IntN(5) == 0:
			b.WriteString("\n\n")
		default:
			b.WriteByte(' ')
		}
		if r.IntN(6) == 0 {
			b.WriteString(`It says: "`)
			sentence(&b, r, 3+r.IntN(4))
			b.WriteByte('"')
			continue
		}
		sentence(&b, r, 6+r.IntN(9))
	}
	return b.String()
}

func sentence(b *strings.Builder, r *rand.Rand, n int) {
	for i := range n {
		word := words[r.IntN(len(words))]
		if i == 0 {
			first, size := utf8.DecodeRuneInString(word)
			b.WriteRune(unicode.ToUpper(first))
			word = word[size:]
		} else {
			b.WriteByte(' ')
		}
		b.WriteString(word)
	}
	b.WriteByte('.')
}
