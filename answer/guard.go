package answer

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What of a prompt may get out, in characters of it, where runs of white space count as one.
const (
	guardCut  = 80 // a run that is read out to here ends the answer
	guardHold = 24 // from here on a run is kept back until it ends or is cut

	// Signs before and after a run are not compared, so that what is left of it is shorter by some.
	guardSigns = 8
)

// What of the canary, whose digits no answer has by chance.
const (
	canaryCut  = 16
	canaryHold = 4
)

// Runs are found by grams of letters and digits, of which every gramStep-th of the prompt is known: any run of
// gram+gramStep-1 letters holds one of them. Of grams that are there many times the first few suffice, since a run
// that goes on differently soon holds others.
const (
	gram     = 12
	gramStep = 8
	gramSame = 8

	gramBase = 0x9E3779B97F4A7C15
	maybeLog = 15 // bits of the table that spares most look-ups

	recalled = 128 // letters that are remembered: more than guardCut, and a power of two
)

// guard finds in an answer what its prompt keeps to itself. It compares letters and digits alone, without regard to
// case, signs, white space and the numbers of lists, so that it makes no difference whether they stand in a quote, a
// list, a block of code, or in lines of another length.
type guard struct {
	canary  []rune
	first   rune  // of the canary
	further []int // of each beginning of the canary, how much of it begins anew at its end
	letters []rune
	open    string           // letters of what may be said as it is, each text on a line of its own
	places  []int32          // of each letter, how many characters are before it
	grams   map[uint64]int32 // where the first of a kind ends
	next    []int32          // of each gram, by end/gramStep: the next of its kind, or 0
	maybe   [1 << maybeLog / 64]uint64

	reading lineReader
	count   uint // letters of the answer
	recent  [recalled]rune
	offsets [recalled]int // where they stand in the answer, in bytes
	rolling uint64        // of the last gram letters
	matched int           // of the canary
	runs    []run
	holding int // where a run that is kept back began to be; -1: none is
	found   int // where that begins which must not get out

	offset int    // of what comes next
	held   string // what is kept back
}

// run is a part of the prompt that the answer is in the middle of.
type run struct{ end, length int } // letters

// promptEnd is the last line of a system prompt, which tells its nonce.
var promptEnd = regexp.MustCompile(`<<<([0-9a-f]{32}) end>>>\s*$`)

// newGuard guards a system prompt as it is sent to models: its nonce, and all of it before the block of the no-answer
// text, which is there to be said. What stands in that or in the open texts as well is no secret. It gives nil where there
// is nothing to guard.
func newGuard(system string, open []string) *guard {
	canary, kept := "", system
	if end := promptEnd.FindStringSubmatch(system); end != nil {
		canary = end[1]
		if block := indexLine(system, "<<<"+canary+" no answer>>>"); block >= 0 {
			kept, open = system[:block], append(slices.Clone(open), system[block:])
		}
	}
	if canary == "" && kept == "" {
		return nil
	}
	g := &guard{canary: []rune(canary), reading: lineReader{fresh: true}, holding: -1, grams: make(map[uint64]int32, len(kept)/gramStep)}
	if canary != "" {
		g.first, g.further = g.canary[0], beginnings(g.canary)
	}
	g.learn(kept)
	g.open = lettersOf(open)
	return g
}

// learn takes in the text that is guarded.
func (g *guard) learn(kept string) {
	lines := lineReader{fresh: true}
	g.letters, g.places = make([]rune, 0, len(kept)), make([]int32, 0, len(kept))
	place, white, signs := int32(0), false, 0
	add := func(c rune, at int32) {
		g.letters, g.places = append(g.letters, c), append(g.places, at)
		signs = 0
	}
	for _, r := range kept {
		space := unicode.IsSpace(r)
		digits, c := lines.read(r)
		for i, d := range digits {
			add(d, place-int32(len(digits)-i))
		}
		if c != 0 {
			add(c, place)
		}
		// A line of a hundred dashes is no hundred characters of what it says.
		if signs++; signs <= guardSigns && !(space && white) {
			place++
		}
		white = space
	}
	g.next = make([]int32, len(g.letters)/gramStep+1)
	hash := uint64(0)
	for i, c := range g.letters {
		hash = roll(hash, c, g.letters, i)
		if i < gram-1 || i%gramStep != 0 {
			continue
		}
		g.maybe[hash>>(64-maybeLog)/64] |= 1 << (hash >> (64 - maybeLog) % 64)
		same := 0
		last := int32(0)
		for at := g.grams[hash]; at != 0; at = g.next[at/gramStep] {
			last, same = at, same+1
		}
		switch {
		case same == 0:
			g.grams[hash] = int32(i)
		case same < gramSame:
			g.next[last/gramStep] = int32(i)
		}
	}
}

// roll takes a letter into the hash of the last gram letters, and the one before them out.
func roll(hash uint64, c rune, letters []rune, i int) uint64 {
	hash = hash*gramBase + uint64(c)
	if i >= gram {
		hash -= uint64(letters[i-gram]) * gramOut
	}
	return hash
}

// gramOut is what a letter has become in the hash after gram others.
var gramOut = func() uint64 {
	power := uint64(1)
	for range gram {
		power *= gramBase
	}
	return power
}()

// beginnings is the table of Knuth, Morris and Pratt.
func beginnings(word []rune) []int {
	table := make([]int, len(word))
	for i := 1; i < len(word); i++ {
		k := table[i-1]
		for k > 0 && word[k] != word[i] {
			k = table[k-1]
		}
		if word[k] == word[i] {
			k++
		}
		table[i] = k
	}
	return table
}

// pass gives what may go on of the text, after what was kept back before. cut is -1, or how many bytes of what passed
// before and is not given now belong to what must not get out: the answer ends there.
func (g *guard) pass(text string) (out string, cut int) {
	base := g.offset - len(g.held)
	start := g.watch(text)
	if g.held != "" {
		text = g.held + text
	}
	if start >= 0 {
		g.held = ""
		return text[:max(0, start-base)], max(0, base-start)
	}
	from := g.offset
	if g.holding >= 0 {
		from = g.holding
	}
	if g.matched >= canaryHold {
		from = min(from, g.startOf(g.matched))
	}
	from = max(0, from-base)
	if len(text)-from > filterHold { // far apart, what it says is no run
		g.runs, g.holding, g.matched, from = nil, -1, 0, len(text)
	}
	out, g.held = text[:from], text[from:]
	return out, -1
}

// rest gives what is kept back at the end of the answer.
func (g *guard) rest() string {
	rest := g.held
	g.held = ""
	return rest
}

// watch looks at the text that comes next. It gives where something begins that must not get out, or -1. Most
// characters are plain, within a line, and neither go on with anything nor begin it: those take the short way.
func (g *guard) watch(text string) (start int) {
	base := g.offset
	g.offset += len(text)
	for i := 0; i < len(text); {
		if b := text[i]; b < utf8.RuneSelf && b != '\n' && !g.reading.fresh {
			if c := plainLetters[b]; c != 0 && g.letter(c, base+i) {
				return g.found
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		digits, c := g.reading.read(r)
		for d, digit := range digits {
			if g.letter(digit, base+i-len(digits)+d) {
				return g.found
			}
		}
		if c != 0 && g.letter(c, base+i) {
			return g.found
		}
		i += size
	}
	return -1
}

// letter goes on by a letter of the answer. It reports that what was found must not get out.
func (g *guard) letter(c rune, offset int) bool {
	here := g.count % recalled
	g.rolling = g.rolling*gramBase + uint64(c) - uint64(g.recent[(g.count-gram)%recalled])*gramOut
	g.recent[here], g.offsets[here] = c, offset
	g.count++
	if (g.matched > 0 || c == g.first) && g.tells(c) {
		return true
	}
	bit := g.rolling >> (64 - maybeLog)
	return (len(g.runs) > 0 || g.maybe[bit/64]>>(bit%64)&1 != 0) && g.follow(c, offset)
}

// tells goes on with the canary.
func (g *guard) tells(c rune) bool {
	for g.matched > 0 && g.canary[g.matched] != c {
		g.matched = g.further[g.matched-1]
	}
	if g.canary[g.matched] != c {
		return false
	}
	g.matched++
	return g.matched == canaryCut && g.find(canaryCut)
}

// follow goes on with the runs that the answer is in, and finds those that begin.
func (g *guard) follow(c rune, offset int) bool {
	going := g.runs[:0]
	for _, r := range g.runs {
		if r.end+1 < len(g.letters) && g.letters[r.end+1] == c {
			going = append(going, run{r.end + 1, min(r.length+1, recalled)})
		}
	}
	for at := g.grams[g.rolling]; at != 0; at = g.next[at/gramStep] {
		if length := g.common(int(at)); length >= gram && !ends(going, int(at)) {
			going = append(going, run{int(at), length})
		}
	}
	g.runs = going
	longest := 0
	for i, r := range going {
		span := int(g.places[r.end]-g.places[r.end-r.length+1]) + 1
		switch {
		case span < guardCut-guardSigns:
			longest = max(longest, span)
		case g.isOpen(r.length):
			going[i].length = gram // what comes next counts anew
		default:
			return g.find(r.length)
		}
	}
	switch {
	case longest < guardHold-guardSigns/2:
		g.holding = -1
	case g.holding < 0:
		g.holding = offset
	}
	return false
}

// isOpen reports that the last so many letters are there to be said.
func (g *guard) isOpen(letters int) bool {
	var said strings.Builder
	for n := uint(letters); n > 0; n-- {
		said.WriteRune(g.recent[(g.count-n)%recalled])
	}
	return strings.Contains(g.open, said.String())
}

// common is how many of the last letters of the answer are those of the prompt up to the one at end.
func (g *guard) common(end int) int {
	n := 0
	for most := min(int(g.count), recalled, end+1); n < most && g.letters[end-n] == g.recent[(g.count-1-uint(n))%recalled]; {
		n++
	}
	return n
}

func ends(runs []run, at int) bool {
	for _, r := range runs {
		if r.end == at {
			return true
		}
	}
	return false
}

// find notes that what must not get out begins with the last so many letters.
func (g *guard) find(letters int) bool {
	g.found = g.startOf(letters)
	return true
}

// startOf is where the last so many letters begin.
func (g *guard) startOf(letters int) int { return g.offsets[(g.count-uint(letters))%recalled] }

// indexLine finds a line in a text.
func indexLine(s, line string) int {
	if strings.HasPrefix(s, line+"\n") {
		return 0
	}
	if at := strings.Index(s, "\n"+line+"\n"); at >= 0 {
		return at + 1
	}
	return -1
}
