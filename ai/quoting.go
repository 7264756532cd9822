package ai

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"kyrochat/kyro"
	"kyrochat/text"
)

// writer streams an answer made of quotes.
type writer struct {
	ctx     context.Context
	pace    time.Duration
	due     time.Time // when the next piece is, where there is a pace
	timer   *time.Timer
	yield   func(kyro.Delta, error) bool
	limit   int // tokens
	spent   int // tokens, counted piece by piece, which is never less than the whole takes
	written strings.Builder
	stopped bool
}

// send gives one delta on; false once nobody listens any more.
func (w *writer) send(d kyro.Delta) bool {
	if w.stopped {
		return false
	}
	if err := w.wait(d); err != nil {
		w.stopped = true
		w.yield(kyro.Delta{}, err)
		return false
	}
	w.written.WriteString(d.Text)
	w.stopped = !w.yield(d, nil)
	return !w.stopped
}

// wait keeps the pace: pieces are due at fixed times, so that one that was late does not put off the others.
func (w *writer) wait(d kyro.Delta) error {
	if w.pace <= 0 || d.Finish != nil {
		return w.ctx.Err()
	}
	if w.timer == nil {
		w.due = time.Now().Add(w.pace)
		w.timer = time.NewTimer(w.pace)
	} else {
		w.due = w.due.Add(w.pace)
		w.timer.Reset(time.Until(w.due))
	}
	select {
	case <-w.ctx.Done():
		w.timer.Stop()
	case <-w.timer.C:
	}
	return w.ctx.Err()
}

// plain streams a text as it is.
func (w *writer) plain(s string) {
	for from := 0; from < len(s); {
		to := pieceEnd(s, from)
		if !w.send(kyro.Delta{Text: s[from:to]}) {
			return
		}
		from = to
	}
}

// excerpt is a part of a passage to be quoted.
type excerpt struct {
	passage int // index in the prompt
	span    text.Span
	row     *row // nil for what is no row of a table
}

// quotes streams each excerpt as “text” [marker], rows of tables by quoteRow; complete is false where the limit cut them short. Then the last
// quote ends with an ellipsis and is cited as far as it was shown.
func (w *writer) quotes(passages []kyro.Passage, excerpts []excerpt) (complete bool) {
	for i, e := range excerpts {
		p := passages[e.passage]
		mark, closing := quotationMarks(p.Language)
		open := mark
		if i > 0 {
			open = separator(excerpts[i-1], e) + open
		}
		end := fmt.Sprintf("%s [%d]", closing, e.passage+1)
		tail := text.Tokens("…" + end)
		if i > 0 && w.spent+text.Tokens(open)+tail >= w.limit {
			return false
		}
		if e.row != nil {
			if !w.quoteRow(p, e, strings.TrimSuffix(open, mark)) {
				return false
			}
			if w.stopped {
				return true
			}
			continue
		}
		shown, whole := w.quote(p.Chunk.Text, e.span, open, tail)
		if w.stopped {
			return true
		}
		if !whole {
			end = "…" + end
		}
		quote := kyro.Quote{Marker: e.passage + 1, ByteStart: e.span.Start, ByteEnd: shown}
		w.spent += text.Tokens(end)
		if !w.send(kyro.Delta{Text: end, Quotes: []kyro.Quote{quote}}) {
			return true
		}
		if !whole {
			return false
		}
	}
	return true
}

// quote streams the words of a span until the limit leaves room for the tail only. It shows at least one word.
func (w *writer) quote(s string, span text.Span, open string, tail int) (shown int, whole bool) {
	lead := open
	for from := span.Start; from < span.End; {
		to := min(pieceEnd(s, from), span.End)
		piece := lead + markdownSafe(s[from:to], to == span.End)
		cost := text.Tokens(piece)
		if from > span.Start && w.spent+cost+tail > w.limit {
			return trimmedEnd(s, span.Start, from), false
		}
		w.spent += cost
		if !w.send(kyro.Delta{Text: piece}) {
			return from, false
		}
		from, lead = to, ""
	}
	return span.End, true
}

func trimmedEnd(s string, start, end int) int {
	return start + len(strings.TrimRightFunc(s[start:end], unicode.IsSpace))
}

// separator stands between two quotes: those of one passage follow each other, those of others begin a paragraph, and so do
// rows.
func separator(before, next excerpt) string {
	if before.passage == next.passage && before.row == nil && next.row == nil {
		return " "
	}
	return "\n\n"
}

// quotationMarks are those of the language, with a no-break space inside where it is custom.
func quotationMarks(language string) (open, closing string) {
	switch language {
	case "es", "it", "pt", "ru", "uk", "no", "nb", "el":
		return "«", "»"
	case "fr":
		return "«\u00a0", "\u00a0»"
	case "de", "cs", "sk", "bg":
		return "„", "“"
	case "pl", "ro", "hu":
		return "„", "”"
	case "sv", "fi":
		return "”", "”"
	case "ja":
		return "「", "」"
	}
	return "“", "”"
}

// densePiece is how many characters of a script without spaces make one piece of a stream.
const densePiece = 2

// pieceEnd finds the end of the piece of a stream that begins at from: a word with the white space after it.
func pieceEnd(s string, from int) int {
	dense := 0
	for i, r := range s[from:] {
		at := from + i
		switch {
		case isDense(r):
			if dense++; dense > densePiece {
				return at
			}
		case unicode.IsSpace(r):
			for at < len(s) {
				r, size := utf8.DecodeRuneInString(s[at:])
				if !unicode.IsSpace(r) {
					break
				}
				at += size
			}
			return at
		case dense > 0 && (unicode.IsLetter(r) || unicode.IsNumber(r)):
			return at
		}
	}
	return len(s)
}

// markdownSafe shows a piece of a quote: every run of white space is one space, and signs that Markdown or a
// reader of markers would take for its own are escaped.
func markdownSafe(piece string, last bool) string {
	var b strings.Builder
	space := false
	before := ' '
	for i, r := range piece {
		if unicode.IsSpace(r) && r != '\u00a0' && r != '\u202f' {
			space = true
			continue
		}
		if space {
			b.WriteByte(' ')
			space, before = false, ' '
		}
		after, _ := utf8.DecodeRuneInString(piece[min(len(piece), i+max(1, utf8.RuneLen(r))):])
		if isMarkup(before, r, after) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		before = r
	}
	if space && !last {
		b.WriteByte(' ')
	}
	return b.String()
}

// isMarkup reports a sign that could begin or end markup where it stands. An underscore within a word and a
// bracket before a space are plain text.
func isMarkup(before, r, after rune) bool {
	switch r {
	case '\\', '`', '*', '[', ']':
		return true
	case '_':
		return !isWord(before) || !isWord(after)
	case '~':
		return before == '~' || after == '~'
	case '<':
		return unicode.IsLetter(after) || after == '/' || after == '!' || after == '?'
	}
	return false
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }
