package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"kyrochat/kyro"
)

const (
	monthPeople = 400
	monthFlush  = 20_000 // messages that are written at once
)

// monthBots is how often each of the owner's bots is asked, in a hundred, and how many documents it has.
var monthBots = []struct{ share, documents int }{{48, 80}, {27, 40}, {15, 25}, {10, 12}}

// monthPrices are what models cost. The one that is not there costs nothing.
var monthPrices = kyro.Prices{Currency: currency, Models: map[string]kyro.Price{
	"gemini-3.8-flash": {Prompt: 750_000, Output: 3_750_000}, "gemini-3.8-pro": {Prompt: 2_000_001, Output: 12_345_678},
}}

var monthModels = []string{"gemini-3.8-flash", "gemini-3.8-flash", "gemini-3.8-flash", "gemini-3.8-pro", "kyro-extractive-1"}

// hourWeights are how much is asked in each hour of UTC.
var hourWeights = [24]int{1, 1, 1, 1, 2, 3, 5, 9, 12, 13, 12, 10, 9, 11, 12, 11, 9, 7, 6, 6, 5, 4, 3, 2}

// monthRows are rows of a table that are to be written.
type monthRows struct {
	table   string
	columns []string
	rows    [][]any
}

func rowsFor(table, columns string) *monthRows {
	return &monthRows{table: table, columns: strings.Fields(columns)}
}

func (r *monthRows) add(values ...any) { r.rows = append(r.rows, values) }

// monthWriter makes up who says what when.
type monthWriter struct {
	*month
	dice                               *rand.Rand
	conversations, messages, citations *monthRows
	nextMessage, nextConversation      int64
	documents                          [][]int64 // of each bot, those that may be cited, most often first
	wanted                             int
}

// fill writes people, bots, documents, conversations and messages of the time.
func (m *month) fill(ctx context.Context) error {
	w := &monthWriter{
		month: m, dice: rand.New(rand.NewPCG(uint64(m.o.seed), 9)), wanted: m.o.messages * m.o.months,
		conversations: rowsFor("conversations", "id bot_id user_id title title_key archived message_count last_message_at created_at updated_at deleted_at"),
		messages: rowsFor("messages", `id conversation_id turn parent_id sender_id role status text superseded attempt seq lease_owner
			stop_requested grounding finish_reason notices usage feedback created_at completed_at`),
		citations: rowsFor("citations", `message_id seq marker document_id chunk_id document_title document_version quote char_start
			char_end score verified`),
	}
	if err := w.ground(ctx); err != nil {
		return err
	}
	for w.month.messages < w.wanted {
		w.conversation()
		if len(w.messages.rows) >= monthFlush {
			if err := w.flush(ctx); err != nil {
				return err
			}
		}
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	return m.settle(ctx)
}

func (w *monthWriter) flush(ctx context.Context) error {
	for _, rows := range []*monthRows{w.conversations, w.messages, w.citations} {
		if err := w.save(ctx, rows); err != nil {
			return err
		}
		rows.rows = nil
	}
	return nil
}

// save writes rows as fast as each database takes them.
func (m *month) save(ctx context.Context, r *monthRows) (err error) {
	if m.pools.Postgres() {
		_, err = m.pools.Pgx.CopyFrom(ctx, pgx.Identifier{r.table}, r.columns, pgx.CopyFromRows(r.rows))
		return err
	}
	tx, err := m.pools.SQLite.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	insert, err := tx.PrepareContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", r.table, strings.Join(r.columns, ","),
		strings.TrimSuffix(strings.Repeat("?,", len(r.columns)), ",")))
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, row := range r.rows {
		for i, value := range row {
			if at, is := value.(time.Time); is { // as the store writes it
				row[i] = strings.Trim(stamp(at), "'")
			}
		}
		if _, err := insert.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// ground writes who talks and what there is to talk about. The first person owns the bots.
func (w *monthWriter) ground(ctx context.Context) error {
	before := w.span.From.AddDate(0, 0, -7)
	people := rowsFor("users", "id email name password_hash email_verified created_at")
	for i := range int64(monthPeople + 1) {
		people.add(i+1, fmt.Sprintf("person%d@example.com", i+1), fmt.Sprint("Person ", i+1), "", true, before)
	}
	w.owner = kyro.Viewer{UserID: kyro.UserID(1), SessionID: kyro.SessionID(1)}
	bots := rowsFor("bots", "id owner_id name name_key suggested_questions top_k no_answer_text strict created_at updated_at")
	documents := rowsFor("documents", `id bot_id owner_id kind title search_key file_name url mime_type version active_version run status status_reason
		stage_done chunk_count language content_hash warnings prepared_version created_at updated_at deleted_at`)
	for i, b := range monthBots {
		bot := int64(i + 1)
		w.bots = append(w.bots, kyro.BotID(bot))
		bots.add(bot, int64(1), fmt.Sprint("Bot ", bot), fmt.Sprint("bot ", bot), "[]", 6, "", false, before, before)
		var cited []int64
		for j := range b.documents {
			id := 1000*bot + int64(j)
			status, active := "READY", 1
			var deleted any
			switch w.dice.IntN(16) {
			case 0:
				status = "READY_WITH_WARNINGS"
			case 1:
				status, active = "FAILED", 0
			case 2:
				status = "EMBEDDING"
			case 3:
				deleted = w.span.From.Add(time.Duration(w.dice.Int64N(int64(w.span.To.Sub(w.span.From)))))
			}
			added := before.Add(time.Duration(w.dice.IntN(40*24)) * time.Hour) // several at once
			documents.add(id, bot, int64(1), "TEXT", fmt.Sprint("Document ", id), "", "", "", "text/plain", 1, active, int64(1), status, "",
				0, 8, "en", "", "[]", active, added, added, deleted)
			if active > 0 && w.dice.IntN(4) > 0 {
				cited = append(cited, id)
			}
		}
		w.dice.Shuffle(len(cited), func(i, j int) { cited[i], cited[j] = cited[j], cited[i] })
		w.documents = append(w.documents, cited)
	}
	for _, rows := range []*monthRows{people, bots, documents} {
		if err := w.save(ctx, rows); err != nil {
			return err
		}
	}
	return nil
}

// moment is when a conversation begins.
func (w *monthWriter) moment() time.Time {
	days := int(w.span.To.Sub(w.span.From).Hours()) / 24
	day := w.span.From.AddDate(0, 0, w.dice.IntN(days))
	if weekday := day.Weekday(); (weekday == time.Saturday || weekday == time.Sunday) && w.dice.IntN(2) == 0 {
		return w.moment()
	}
	at := w.dice.IntN(155) // the sum of the weights
	hour := 0
	for ; at >= hourWeights[hour] && hour < 23; hour++ {
		at -= hourWeights[hour]
	}
	return day.Add(time.Duration(hour)*time.Hour + time.Duration(w.dice.IntN(3_600_000_000))*time.Microsecond)
}

// few gives low numbers more often: of those below n.
func (w *monthWriter) few(n int) int {
	return min(int(float64(n)*math.Pow(w.dice.Float64(), 2.5)), n-1)
}

// skewed is a number around a middle, and sometimes far above it.
func (w *monthWriter) skewed(middle float64) int {
	return int(middle * math.Exp(0.7*w.dice.NormFloat64()))
}

// conversation makes one, of a person with a bot.
func (w *monthWriter) conversation() {
	w.nextConversation++
	which, share := 0, w.dice.IntN(100)
	for ; share >= monthBots[which].share; which++ {
		share -= monthBots[which].share
	}
	person := int64(2 + w.few(monthPeople))
	began := w.moment()
	at, last, before := began, began, w.month.messages
	for range 1 + w.few(12) {
		if !at.Before(w.span.To) || w.month.messages >= w.wanted {
			break
		}
		last = at
		at = w.turn(which, person, at)
	}
	var deleted any
	if w.dice.IntN(33) == 0 {
		deleted = last
	}
	w.conversations.add(w.nextConversation, w.bots[which].Key, person, "Talk", "talk", false, w.month.messages-before, last, began, last, deleted)
}

// turn makes a question and its answer, which some regenerate, and gives when the next question is asked.
func (w *monthWriter) turn(which int, person int64, at time.Time) time.Time {
	w.nextMessage++
	question := w.nextMessage
	w.month.messages++
	w.messages.add(question, w.nextConversation, question, nil, person, "USER", "COMPLETED", "What about it?", false, int64(0), int64(0), "",
		false, nil, nil, "[]", nil, nil, at, at)
	again := w.dice.IntN(33) == 0
	at = w.answer(which, person, question, at, again)
	if again && at.Before(w.span.To) {
		at = w.answer(which, person, question, at, false)
	}
	return at
}

// answer makes one of any kind.
func (w *monthWriter) answer(which int, person, question int64, at time.Time, superseded bool) time.Time {
	w.nextMessage++
	id := w.nextMessage
	w.month.messages++
	took := w.skewed(2_500)
	usage := &kyro.MessageUsage{
		PromptTokens: w.skewed(2_000), OutputTokens: w.skewed(220), Model: monthModels[w.dice.IntN(len(monthModels))], DurationMs: &took,
	}
	if first := w.skewed(400); first < took {
		usage.TimeToFirstTokenMs = &first
	}
	status, finish := "COMPLETED", "STOP"
	var grounding any
	switch kind := w.dice.IntN(100); {
	case kind < 55:
		grounding = "GROUNDED"
	case kind < 70:
		grounding = "PARTIAL"
	case kind < 83:
		grounding = "NOT_FOUND"
	case kind < 87:
		grounding, finish = "PARTIAL", "LENGTH"
	case kind < 91:
		status, finish, usage.PromptTokens, usage.OutputTokens = "STOPPED", "STOPPED_BY_USER", 0, 0
	case kind < 93:
		grounding, finish = "BLOCKED", "SAFETY"
	case kind < 95:
		status, finish = "INTERRUPTED", "INTERRUPTED"
	case kind < 97:
		status, finish = "FAILED", "TIMEOUT"
	case kind < 99:
		status, finish, usage = "FAILED", "ERROR", nil
	}
	var reason, spent, feedback, completed any = finish, nil, nil, at.Add(time.Duration(took) * time.Millisecond)
	if left := w.span.To.Sub(at); left < 10*time.Minute && w.dice.IntN(3) == 0 { // is being made
		status, reason, grounding, usage, completed = "STREAMING", nil, nil, nil, nil
	}
	if usage != nil {
		usage.Cost = monthPrices.Cost(usage.Model, usage.PromptTokens, usage.OutputTokens)
		spent = asJSON(usage)
	}
	if reason != nil && w.dice.IntN(11) == 0 {
		feedback = asJSON(kyro.Feedback{Rating: []kyro.Rating{kyro.RatingUp, kyro.RatingUp, kyro.RatingDown}[w.dice.IntN(3)], RatedAt: at})
	}
	w.messages.add(id, w.nextConversation, question, question, person, "BOT", status, "It is so [1].", superseded, int64(1), int64(1), "",
		false, grounding, reason, "[]", spent, feedback, at, completed)
	if grounding == "GROUNDED" || grounding == "PARTIAL" {
		w.cite(which, id)
	}
	return at.Add(time.Duration(took+15_000+w.skewed(60_000)) * time.Millisecond)
}

// cite has an answer cite one to four passages, some of them twice.
func (w *monthWriter) cite(which int, answer int64) {
	documents := w.documents[which]
	for seq := range 1 + w.few(4) {
		document := documents[w.few(len(documents))]
		chunk := 10*document + int64(w.few(8))
		w.citations.add(answer, seq, seq+1, document, chunk, fmt.Sprintf("Document %d in %d", document, answer), 1, fmt.Sprintf("quote %d of %d", seq, chunk),
			0, 9, w.dice.Float64(), true)
	}
}

func asJSON(v any) string {
	text, _ := json.Marshal(v) // of plain structs
	return string(text)
}
