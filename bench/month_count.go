package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"kyrochat/kyro"
)

// rawMessage is a message as its row says.
type rawMessage struct {
	id, bot, conversation, sender              int64
	user, final                                bool
	grounding, finish, model, rating           string
	prompt, output, cost, firstToken, duration int64 // -1: none
	at                                         time.Time
	quotes                                     []rawQuote
}

// rawQuote is a citation as its row says.
type rawQuote struct {
	document, chunk int64
	title, quote    string
}

// jsonField is the SQL of a field of a column with JSON, or what else there is to be where there is none.
func (m *month) jsonField(column, field, kind, none string) string {
	text := fmt.Sprintf("json_extract(%s, '$.%s')", column, field)
	if m.pools.Postgres() {
		text = fmt.Sprintf("%s ->> '%s'", column, field)
	}
	return fmt.Sprintf("COALESCE(CAST(%s AS %s), %s)", text, kind, none)
}

const (
	liveMessages = " FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id AND c.deleted_at IS NULL"
	finalAnswer  = "m.role = 'BOT' AND m.status IN ('COMPLETED', 'STOPPED', 'FAILED', 'INTERRUPTED')"
)

// raw reads all messages of live conversations, in the order of their keys.
func (m *month) raw(ctx context.Context) (list []rawMessage, err error) {
	var r rawMessage
	number := func(field, none string) string { return m.jsonField("m.usage", field, "BIGINT", none) }
	err = m.read(ctx, "SELECT m.id, c.bot_id, c.id, m.sender_id, m.role = 'USER', "+finalAnswer+
		", COALESCE(m.grounding, ''), COALESCE(m.finish_reason, ''), "+m.jsonField("m.usage", "model", "TEXT", "''")+", "+m.jsonField("m.feedback", "rating", "TEXT", "''")+
		", "+number("promptTokens", "0")+", "+number("outputTokens", "0")+", "+number("cost", "0")+", "+number("timeToFirstTokenMs", "-1")+", "+number("durationMs", "-1")+
		", m.created_at"+liveMessages+" ORDER BY m.id",
		[]any{&r.id, &r.bot, &r.conversation, &r.sender, &r.user, &r.final, &r.grounding, &r.finish, &r.model, &r.rating, &r.prompt, &r.output, &r.cost, &r.firstToken, &r.duration, &r.at},
		func() { list = append(list, r) })
	if err != nil {
		return nil, err
	}
	var answer int64
	var q rawQuote
	err = m.read(ctx, "SELECT ci.message_id, ci.document_id, ci.chunk_id, ci.document_title, ci.quote FROM citations AS ci ORDER BY ci.message_id, ci.seq",
		[]any{&answer, &q.document, &q.chunk, &q.title, &q.quote}, func() {
			i, found := slices.BinarySearchFunc(list, answer, func(r rawMessage, id int64) int { return int(r.id - id) })
			if found {
				list[i].quotes = append(list[i].quotes, q)
			}
		})
	return list, err
}

// tally is what is counted of a span: figures by name, and durations as they are.
type tally struct {
	numbers               map[string]int64
	people, conversations map[int64]bool
	firstTokens, took     []int64
}

func newTally() *tally {
	return &tally{numbers: map[string]int64{}, people: map[int64]bool{}, conversations: map[int64]bool{}}
}

// count adds a message.
func (t *tally) count(r *rawMessage) {
	if r.user {
		t.numbers["messages"]++
		t.people[r.sender], t.conversations[r.conversation] = true, true
	}
	if !r.final {
		return
	}
	t.numbers["answers"]++
	for name, value := range map[string]string{"grounding ": r.grounding, "finish ": r.finish, "rated ": r.rating} {
		if value != "" {
			t.numbers[name+value]++
		}
	}
	if r.prompt+r.output > 0 {
		t.numbers["prompt tokens of "+r.model] += r.prompt
		t.numbers["output tokens of "+r.model] += r.output
	}
	t.numbers["cost"] += r.cost
	if r.firstToken >= 0 {
		t.firstTokens = append(t.firstTokens, r.firstToken)
	}
	if r.duration >= 0 {
		t.took = append(t.took, r.duration)
	}
}

// figures are the numbers by name, also those that are 0, and percentiles; -1: there is none.
func (t *tally) figures() map[string]int64 {
	all := emptyFigures()
	for name, n := range t.numbers {
		all[name] = n
	}
	all["people"], all["conversations"] = int64(len(t.people)), int64(len(t.conversations))
	for name, list := range map[string][]int64{"time to first token": t.firstTokens, "duration": t.took} {
		slices.Sort(list)
		for _, percent := range []int{50, 95} {
			value := int64(-1)
			if len(list) > 0 {
				value = list[(len(list)*percent+99)/100-1]
			}
			all[percentileName(percent, name)] = value
		}
	}
	return all
}

func percentileName(percent int, of string) string { return fmt.Sprintf("p%d of %s", percent, of) }

// emptyFigures are all of them, but tokens, whose models are not known.
func emptyFigures() map[string]int64 {
	all := map[string]int64{"messages": 0, "answers": 0, "cost": 0, "rated UP": 0, "rated DOWN": 0}
	for _, g := range kyro.Groundings {
		all["grounding "+string(g)] = 0
	}
	for _, r := range kyro.FinishReasons {
		all["finish "+string(r)] = 0
	}
	return all
}

// toldFigures are those that analytics tell, by the same names.
func toldFigures(f *kyro.Figures) map[string]int64 {
	all := emptyFigures()
	all["messages"], all["answers"], all["cost"], all["rated UP"], all["rated DOWN"] = f.Messages, f.Answers, int64(f.Cost), f.Up, f.Down
	all["people"], all["conversations"] = int64(len(f.People)), int64(len(f.Conversations))
	for g, n := range f.Groundings {
		all["grounding "+string(g)] = n
	}
	for r, n := range f.Finishes {
		all["finish "+string(r)] = n
	}
	for model, t := range f.Tokens {
		all["prompt tokens of "+model], all["output tokens of "+model] = t.Prompt, t.Output
	}
	for name, times := range map[string]kyro.Times{"time to first token": f.FirstToken, "duration": f.Duration} {
		for _, percent := range []int{50, 95} {
			value := int64(-1)
			if ms := times.Percentile(percent); ms != nil {
				value = int64(*ms)
			}
			all[percentileName(percent, name)] = value
		}
	}
	return all
}

// calendarName names the interval that a moment is in, by another way than the server's: by what its clock and calendar show.
func calendarName(interval kyro.Interval, at time.Time) string {
	switch interval {
	case kyro.IntervalHour:
		return at.Format("2006-01-02 15h -0700") // an hour that a clock shows twice has two offsets
	case kyro.IntervalWeek:
		year, week := at.ISOWeek()
		return fmt.Sprint(year, " week ", week)
	default:
		return at.Format(time.DateOnly)
	}
}

// plainTotals are figures of a bot in a span as SQL counts them.
func (m *month) plainTotals(ctx context.Context, bot kyro.ID, span kyro.Span) (map[string]int64, error) {
	all := emptyFigures()
	within := fmt.Sprintf(liveMessages+" WHERE c.bot_id = %d AND m.created_at >= %s AND m.created_at < %s", bot.Key, stamp(span.From), stamp(span.To))
	var messages, answers, people, conversations, cost int64
	sum := "COALESCE(CAST(SUM(CASE WHEN " + finalAnswer + " THEN " + m.jsonField("m.usage", "cost", "BIGINT", "0") + " END) AS BIGINT), 0)"
	err := m.read(ctx, "SELECT COUNT(CASE WHEN m.role = 'USER' THEN 1 END), COUNT(CASE WHEN "+finalAnswer+" THEN 1 END),"+
		" COUNT(DISTINCT CASE WHEN m.role = 'USER' THEN m.sender_id END), COUNT(DISTINCT CASE WHEN m.role = 'USER' THEN c.id END), "+sum+within,
		[]any{&messages, &answers, &people, &conversations, &cost}, func() {})
	if err != nil {
		return nil, err
	}
	all["messages"], all["answers"], all["people"], all["conversations"], all["cost"] = messages, answers, people, conversations, cost
	for name, column := range map[string]string{"grounding ": "m.grounding", "finish ": "m.finish_reason", "rated ": m.jsonField("m.feedback", "rating", "TEXT", "NULL")} {
		var value string
		var n int64
		err := m.read(ctx, "SELECT "+column+", COUNT(*)"+within+" AND "+finalAnswer+" AND "+column+" IS NOT NULL GROUP BY 1", []any{&value, &n}, func() { all[name+value] = n })
		if err != nil {
			return nil, err
		}
	}
	for name, field := range map[string]string{"prompt tokens of ": "promptTokens", "output tokens of ": "outputTokens"} {
		var value string
		var n int64
		err := m.read(ctx, "SELECT "+m.jsonField("m.usage", "model", "TEXT", "''")+", CAST(SUM("+m.jsonField("m.usage", field, "BIGINT", "0")+") AS BIGINT)"+within+
			" AND "+finalAnswer+" AND m.usage IS NOT NULL GROUP BY 1", []any{&value, &n}, func() { all[name+value] = n })
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// plainUses are documents or passages as SQL counts them, most cited first.
func (m *month) plainUses(ctx context.Context, column string, bot kyro.ID, span kyro.Span) (list []kyro.Used, err error) {
	var u kyro.Used
	err = m.read(ctx, fmt.Sprintf("SELECT ci.%s, COUNT(DISTINCT m.id), MAX(m.id)"+liveMessages+" JOIN citations AS ci ON ci.message_id = m.id"+
		" WHERE c.bot_id = %d AND m.created_at >= %s AND m.created_at < %s AND "+finalAnswer+" GROUP BY 1 ORDER BY 2 DESC, 1",
		column, bot.Key, stamp(span.From), stamp(span.To)), []any{&u.Key, &u.Answers, &u.Last}, func() { list = append(list, u) })
	return list, err
}

// plainUnused are the keys of documents that SQL finds no citation of, oldest first.
func (m *month) plainUnused(ctx context.Context, bot kyro.ID, span kyro.Span) (keys []int64, err error) {
	var key int64
	err = m.read(ctx, fmt.Sprintf("SELECT d.id FROM documents AS d WHERE d.bot_id = %d AND d.deleted_at IS NULL AND d.status IN ('READY', 'READY_WITH_WARNINGS')"+
		" AND d.id NOT IN (SELECT ci.document_id"+liveMessages+" JOIN citations AS ci ON ci.message_id = m.id"+
		" WHERE c.bot_id = %d AND m.created_at >= %s AND m.created_at < %s AND "+finalAnswer+") ORDER BY d.created_at, d.id",
		bot.Key, bot.Key, stamp(span.From), stamp(span.To)), []any{&key}, func() { keys = append(keys, key) })
	return keys, err
}
