package export

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
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

// inert is a cell that no spreadsheet takes for a formula. What people type, and what documents say, may begin with a sign
// that makes spreadsheets compute, or ask other servers: such a cell gets an apostrophe in front, as OWASP recommends
// ("CSV Injection").
func inert(cell string) string {
	guard := ""
	if cell != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", firstRune(cell)) {
		guard = "'"
	}
	return guard + lineBreaks.Replace(strings.ToValidUTF8(cell, "\uFFFD"))
}

func firstRune(s string) rune {
	for _, r := range s {
		return r
	}
	return 0
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
