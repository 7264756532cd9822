package answer

import (
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// filterHold is the most bytes the filter keeps back while a construct is open. What is longer is taken for
// active and made inert.
const filterHold = 2 << 10

// Filter makes the Markdown of an answer harmless while it streams: nothing in it may fetch or run when a client
// renders it. Images, raw HTML, reference definitions that lead anywhere and links other than http, https and
// mailto are kept as inert text. All else passes unchanged: prose, comparisons such as a < b, markers such as [1],
// fenced code and code spans. Control characters other than newline and tab are dropped.
//
// The outcome does not depend on how the text is cut into pieces. What is read as code is what CommonMark reads as
// code under every way to nest the lines; where that is in doubt the text is treated as prose.
//
// With Guard it ends the answer besides where that reads out its prompt.
type Filter struct {
	tail    string // an incomplete code point
	pending string // text without control characters whose meaning is not decided
	line    []byte // how the current line begins, while it may still be indentation or list marks
	word    word
	// The word may be an address that renderers link without being asked to. Those end at white space, so that a backtick
	// or a backslash within one is part of it.
	inAddress bool
	inText    bool // the current line has more than indentation and list marks
	doubtful  bool // code spans cannot be told for sure until the next blank line
	escape    bool // a backslash was taken last, alone
	noCode    bool // fences cannot be told for sure any more
	fence     *fence
	filtered  bool
	guard     *guard // of the prompt; nil where there is none
	cut       bool   // nothing more comes
}

// NewFilter makes the filter of one answer.
func NewFilter() *Filter { return &Filter{} }

// Guard keeps the system prompt of the answer to itself; it is called before anything is written. The answer is cut where
// it tells the prompt's nonce, or reads out a run of 80 characters of its rules and instructions, without regard to
// case, white space and the marks of quotes and lists. Where such a run arrives in pieces some 24 characters of it may
// have passed by then. The no-answer text at the prompt's end is there to be said, and so is what stands in one of the open
// texts, such as a passage: owners put into their instructions what they want to be said.
func (f *Filter) Guard(system string, open ...string) { f.guard = newGuard(system, open) }

// Cut reports that the answer was cut: what is written from now on is dropped.
func (f *Filter) Cut() bool { return f.cut }

// Write takes the next piece and gives what is decided so far.
func (f *Filter) Write(piece string) string {
	if f.cut {
		return ""
	}
	f.take(f.clean(f.tail+piece, false))
	return f.drain(false)
}

// Close gives what was kept back, and whether anything was made inert or cut.
func (f *Filter) Close() (rest string, filtered bool) {
	if !f.cut {
		f.take(f.clean(f.tail, true))
	}
	if !f.cut && f.guard != nil {
		f.pending += f.guard.rest()
	}
	return f.drain(true), f.filtered
}

// take adds text to what is to be decided, as far as the guard lets it pass.
func (f *Filter) take(text string) {
	if f.guard == nil {
		f.pending += text
		return
	}
	text, back := f.guard.pass(text)
	if back >= 0 {
		f.pending = f.pending[:max(0, len(f.pending)-back)]
		f.cut, f.filtered = true, true
	}
	f.pending += text
}

// clean drops control characters and keeps an incomplete code point at the end for the next piece.
func (f *Filter) clean(s string, final bool) string {
	f.tail = ""
	if !final {
		for i := 1; i <= min(utf8.UTFMax-1, len(s)); i++ {
			if c := s[len(s)-i]; utf8.RuneStart(c) {
				if !utf8.FullRuneInString(s[len(s)-i:]) {
					s, f.tail = s[:len(s)-i], s[len(s)-i:]
				}
				break
			}
		}
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
}

// drain decides as much of the pending text as it can. Each decision sees at most filterHold bytes from where it
// is made, so it is the same however the text arrived.
func (f *Filter) drain(final bool) string {
	var out strings.Builder
	at := 0
	for at < len(f.pending) {
		window := f.pending[at:]
		whole := final
		if len(window) >= filterHold {
			window, whole = window[:filterHold], true
		}
		taken, text := f.next(window, whole)
		if taken == 0 {
			break
		}
		f.advance(window[:taken])
		out.WriteString(text)
		at += taken
	}
	f.pending = f.pending[at:]
	return out.String()
}

// next decides about the text at the start of the window: how many bytes it takes and what is shown for them.
// Zero asks for more text, which is not allowed when the window is whole.
func (f *Filter) next(window string, whole bool) (taken int, shown string) {
	if f.fence != nil {
		return f.nextInFence(window, whole)
	}
	if f.atLineStart() {
		if taken, shown, decided := f.openFence(window, whole); decided {
			return taken, shown
		}
	}
	switch window[0] {
	case '!':
		return f.image(window, whole)
	case '<':
		return f.angle(window, whole)
	case '[':
		return f.bracket(window, whole)
	case ']':
		return f.link(window, whole)
	case '`':
		return f.codeSpan(window, whole)
	case '~':
		return f.tildes(window, whole)
	case '\\':
		return f.escaped(window, whole)
	case ':':
		return f.colon(window, whole)
	}
	plain := strings.IndexAny(window, "!<[]`~\\:\n")
	switch {
	case plain < 0:
		plain = wholeRunes(window)
	case window[plain] == '\n':
		plain++
	}
	return plain, window[:plain]
}

// wholeRunes is how much of a window can be passed on without cutting a code point at its end.
func wholeRunes(window string) int {
	for i := len(window) - 1; i > 0 && i >= len(window)-utf8.UTFMax; i-- {
		if utf8.RuneStart(window[i]) {
			if !utf8.FullRuneInString(window[i:]) {
				return i
			}
			break
		}
	}
	return len(window)
}

// advance keeps account of the line that the taken text leads to. A blank line ends every paragraph, and with it
// any doubt about code spans.
func (f *Filter) advance(taken string) {
	f.escape = taken == `\`
	for {
		before, after, ended := strings.Cut(taken, "\n")
		f.follow(before)
		if !f.inText {
			f.line = append(f.line, before...)
			f.inText = strings.Trim(string(f.line), " \t>-*+.)0123456789") != "" || len(f.line) > filterHold
		}
		if !ended {
			return
		}
		if !f.inText && strings.Trim(string(f.line), " \t") == "" {
			f.doubtful = false
		}
		f.line, f.word, f.inAddress, f.inText, taken = f.line[:0], word{}, false, false, after
	}
}

func (f *Filter) follow(taken string) {
	if space := strings.LastIndexAny(taken, " \t"); space >= 0 {
		f.word, f.inAddress, taken = word{}, false, taken[space+1:]
	}
	if taken == "" {
		return
	}
	here := strings.ToLower(f.word.end + taken)
	f.word = word{length: f.word.length + len(taken), end: here[max(0, len(here)-wordEnd):]}
	f.inAddress = f.inAddress || f.word.length >= filterHold ||
		strings.Contains(here, "://") || strings.Contains(here, "www.") || strings.Contains(here, "@")
}

// word is what stands before, back to the last white space.
type word struct {
	length int
	end    string // its last bytes, in lower case
}

const wordEnd = len("xmpp")

func (f *Filter) atLineStart() bool { return len(f.line) == 0 && !f.inText }

// colon escapes the colon of an address that renderers link without being asked to, and that is none of the web's.
func (f *Filter) colon(window string, whole bool) (taken int, shown string) {
	files, chat := strings.HasSuffix(f.word.end, "ftp"), f.word.end == "xmpp"
	switch {
	case !files && !chat:
		return 1, ":"
	case len(window) < 2 && !whole:
		return 0, ""
	case len(window) < 2, files && window[1] != '/', chat && window[1] <= ' ':
		return 1, ":"
	}
	f.filtered = true
	return 1, `\:`
}

// escaped passes a character on that a backslash makes plain. The exclamation mark and the closing bracket are left to be
// looked at, since not every renderer knows everywhere that they are escaped; so is everything in an address, which a
// backslash may be part of.
func (f *Filter) escaped(window string, whole bool) (taken int, shown string) {
	if len(window) < 2 && !whole {
		return 0, ""
	}
	if len(window) < 2 || window[1] == '!' || window[1] == ']' || !isPunct(window[1]) || f.inAddress {
		return 1, window[:1]
	}
	return 2, window[:2]
}

func isPunct(c byte) bool { return c > ' ' && c < 0x7F && !isAlphanumeric(c) }

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// image makes every form of image inert. Both of its signs are escaped, since there are renderers that forget about the
// escapes of brackets in the text of a link; so the bracket may be escaped already.
func (f *Filter) image(window string, whole bool) (taken int, shown string) {
	taken = 2
	if strings.HasPrefix(window, `!\`) {
		taken = 3
	}
	if len(window) < taken {
		if !whole {
			return 0, ""
		}
		return 1, "!"
	}
	if window[taken-1] != '[' {
		return 1, "!"
	}
	f.filtered = true
	if f.escape {
		return taken, `!\[`
	}
	return taken, `\!\[`
}

// bracket escapes the bracket of a reference definition that leads anywhere, such as [x]: https://example.com.
func (f *Filter) bracket(window string, whole bool) (taken int, shown string) {
	end := 1
	for end < len(window) && window[end] != ']' {
		switch {
		case window[end] == '[' || strings.HasPrefix(window[end:], "\n\n"):
			return 1, "["
		case window[end] == '\\':
			end++
		}
		end++
	}
	if end+1 >= len(window) {
		if !whole {
			return 0, ""
		}
		if len(window) < filterHold {
			return 1, "["
		}
		f.filtered = true
		return 1, `\[`
	}
	if window[end+1] != ':' {
		return 1, "["
	}
	target, complete := definitionTarget(window[end+2:])
	if !complete && !whole {
		return 0, ""
	}
	f.doubtful = true
	if strings.ContainsAny(target, `:\&<`) || strings.HasPrefix(target, "//") || !complete && len(window) == filterHold {
		f.filtered = true
		return 1, `\[`
	}
	return 1, "["
}

// definitionTarget gives the destination that follows a definition's colon: the text up to the next white space. It may
// stand on the next line, behind the marks of a quote.
func definitionTarget(s string) (target string, complete bool) {
	s = strings.TrimLeft(s, " \t")
	if strings.HasPrefix(s, "\n") {
		s = strings.TrimLeft(s, " \t\n>")
	}
	end := strings.IndexAny(s, " \t\n")
	if end < 0 {
		return s, false
	}
	return s[:end], true
}

// link escapes the parenthesis of a link that leads elsewhere than to http, https, mailto or a relative place.
func (f *Filter) link(window string, whole bool) (taken int, shown string) {
	if len(window) < 2 && !whole {
		return 0, ""
	}
	if len(window) < 2 || window[1] != '(' {
		return 1, "]"
	}
	inside := window[2:]
	end := strings.IndexByte(inside, ')')
	if blank := strings.Index(inside, "\n\n"); blank >= 0 && (end < 0 || blank < end) {
		end = blank
	}
	if end < 0 && !whole {
		return 0, ""
	}
	if end >= 0 {
		inside = inside[:end]
	}
	// A backtick within a destination or title is no code span, but where those end is for a full parser to say.
	if end < 0 || strings.ContainsAny(inside, "`(\"'<\\\n") {
		f.doubtful = true
	}
	if end < 0 && len(window) == filterHold || !safeTarget(inside) {
		f.filtered = true
		return 2, `]\(`
	}
	return 2, "]("
}

// safeTarget reports whether a link's destination can only lead to http, https, mailto or a relative place. It
// looks at it as a browser does: references and escapes resolved, white space removed.
func safeTarget(s string) bool {
	for range 3 {
		s = html.UnescapeString(s)
	}
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r == '\\' || r == '<' || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
	scheme, _, found := strings.Cut(s, ":")
	if !found || strings.ContainsAny(scheme, "/?#") {
		return true
	}
	return webScheme(scheme)
}
