package export

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// columns are those of CSV, in their order.
var columns = []string{
	"conversation_id", "conversation_title", "message_id", "parent_id", "role", "status", "superseded", "created_at", "completed_at", "text",
	"grounding", "finish_reason", "notices", "citations", "rating", "rating_reasons", "rating_comment", "rated_at",
	"model", "prompt_tokens", "output_tokens", "total_tokens", "time_to_first_token_ms", "duration_ms", "error_code", "error_message",
}

// table writes rows as CSV: RFC 4180, UTF-8 without a byte order mark, a head of column names. Lists of words are separated
// by spaces; citations are a list in JSON.
type table struct{ csv *csv.Writer }

func newTable(w io.Writer) (*table, error) {
	t := &table{csv.NewWriter(w)}
	t.csv.UseCRLF = true
	return t, t.csv.Write(columns)
}

// add writes a row. What it is written to buffers: nothing is held here.
func (t *table) add(r row) error {
	var citations string
	if len(r.Citations) > 0 {
		text, err := json.Marshal(r.Citations)
		if err != nil {
			return err
		}
		citations = string(text)
	}
	cells := []string{
		r.ConversationID, r.ConversationTitle, r.MessageID, orEmpty(r.ParentID), r.Role, r.Status, strconv.FormatBool(r.Superseded), r.CreatedAt.String(),
		stampOr(r.CompletedAt), r.Text, orEmpty(r.Grounding), orEmpty(r.FinishReason), strings.Join(r.Notices, " "), citations,
	}
	if f := r.Feedback; f != nil {
		cells = append(cells, f.Rating, strings.Join(f.Reasons, " "), f.Comment, f.RatedAt.String())
	} else {
		cells = append(cells, "", "", "", "")
	}
	if u := r.Usage; u != nil {
		cells = append(cells, u.Model, strconv.Itoa(u.PromptTokens), strconv.Itoa(u.OutputTokens), strconv.Itoa(u.TotalTokens), number(u.TimeToFirstTokenMs), number(u.DurationMs))
	} else {
		cells = append(cells, "", "", "", "", "", "")
	}
	if e := r.Error; e != nil {
		cells = append(cells, e.Code, e.Message)
	} else {
		cells = append(cells, "", "")
	}
	return t.write(cells)
}

func (t *table) write(cells []string) error {
	for i, cell := range cells {
		cells[i] = inert(cell)
	}
	if err := t.csv.Write(cells); err != nil {
		return err
	}
	t.csv.Flush()
	return t.csv.Error()
}

// lineBreaks has the one kind of line break that a cell can have: the writer makes CR LF of it, and readers LF again.
var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n")

const (
	signs = "=+-@＝＋－＠"
	ends  = ";\t\n" // of cells, where a spreadsheet takes ; or a tab for the separator, as it does in much of the world
)

// inert is a cell that no spreadsheet takes for a formula. What people type, and what documents say, may begin with a sign
// that makes spreadsheets compute, or ask other servers: such a cell gets an apostrophe in front, as OWASP recommends
// ("CSV Injection"). So does every part of it that would be a cell of its own where the separator is ; or a tab: the quotes
// of the cell do not begin it there, so that a line break begins a row. One apostrophe less at each such place gives what
// was said, since a sign with an apostrophe in front gets another one.
func inert(cell string) string {
	rest := lineBreaks.Replace(strings.ToValidUTF8(cell, "\uFFFD"))
	var b strings.Builder
	guarded := signs + ends[1:] // what must not begin the whole cell
	for rest != "" {
		part := rest[:strings.IndexAny(rest, ends)+1]
		if part == "" {
			part = rest
		}
		if begin := strings.TrimLeftFunc(part, unseen); begin != "" && strings.ContainsRune(guarded, firstRune(begin)) {
			b.WriteByte('\'')
		}
		b.WriteString(part)
		rest, guarded = rest[len(part):], signs
	}
	return b.String()
}

// unseen reports whether spreadsheets may pass over the rune at the beginning of a cell.
func unseen(r rune) bool {
	return r == '"' || r == '\'' || !strings.ContainsRune(ends, r) && (unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf))
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

func stampOr(s *stamp) string {
	if s == nil {
		return ""
	}
	return s.String()
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func number(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}
