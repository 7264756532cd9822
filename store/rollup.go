package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"kyrochat/kyro"
)

// How hours are counted.
const (
	hourMinutes    = 60
	quarterMinutes = 15
	rollupGrace    = 15 * time.Minute // after the end of an hour: clocks of nodes differ
	hoursATurn     = 200
	dueATurn       = 100
)

// slotOf is the slot that a moment is in.
func slotOf(at time.Time, minutes int64) int64 {
	at = at.UTC()
	return at.Unix() / 60 / minutes * minutes // there are no messages from before 1970
}

func slotTime(slot int64) time.Time { return time.Unix(slot*60, 0).UTC() }

// saidRow is what counts of a message.
type saidRow struct {
	ID             int64
	BotID          int64
	ConversationID int64
	SenderID       int64
	Role           kyro.MessageRole
	Status         kyro.MessageStatus
	Grounding      *kyro.Grounding
	FinishReason   *kyro.FinishReason
	Usage          *kyro.MessageUsage `bun:",type:jsonb"`
	Feedback       *kyro.Feedback     `bun:",type:jsonb"`
	CreatedAt      time.Time
}

// count adds a message to figures.
func (r *saidRow) count(f *kyro.Figures) {
	if r.Role == kyro.RoleUser {
		f.Messages++
		f.People[r.SenderID], f.Conversations[r.ConversationID] = struct{}{}, struct{}{}
		return
	}
	if !r.Status.Final() {
		return
	}
	f.Answers++
	if r.Grounding != nil {
		f.Groundings[*r.Grounding]++
	}
	if r.FinishReason != nil {
		f.Finishes[*r.FinishReason]++
	}
	if u := r.Usage; u != nil {
		if u.TotalTokens() > 0 {
			f.AddTokens(u.Model, kyro.Tokens{Prompt: int64(u.PromptTokens), Output: int64(u.OutputTokens)})
		}
		f.Cost += u.Cost
		if u.TimeToFirstTokenMs != nil {
			f.FirstToken.Count(kyro.TimeBucket(*u.TimeToFirstTokenMs), 1)
		}
		if u.DurationMs != nil {
			f.Duration.Count(kyro.TimeBucket(*u.DurationMs), 1)
		}
	}
	if r.Feedback != nil {
		switch r.Feedback.Rating {
		case kyro.RatingUp:
			f.Up++
		case kyro.RatingDown:
			f.Down++
		}
	}
}

// said reads the messages of live conversations in the spans, of one bot or, where that is 0, of all.
func said(ctx context.Context, db bun.IDB, bot int64, spans []kyro.Span) (rows []saidRow, err error) {
	q := liveMessages(db).
		ColumnExpr("m.id, c.bot_id, m.conversation_id, m.sender_id, m.role, m.status, m.grounding, m.finish_reason, m.usage, m.feedback, m.created_at")
	if bot != 0 {
		q = q.Where("c.bot_id = ?", bot)
	}
	within, times := inSpans(spans)
	err = q.Where(within, times...).Scan(ctx, &rows)
	return rows, err
}

// liveMessages selects messages of live conversations.
func liveMessages(db bun.IDB) *bun.SelectQuery {
	return db.NewSelect().TableExpr("messages AS m").Join(inOrder(db) + " conversations AS c ON c.id = m.conversation_id AND c.deleted_at IS NULL")
}

// inOrder joins a table after those before it. SQLite, which keeps no statistics, would begin with all conversations where it
// may choose, and it may not with a CROSS JOIN.
func inOrder(db bun.IDB) string { return pick(db.Dialect().Name() == dialect.PG, "JOIN", "CROSS JOIN") }

// inSpans is the condition that a message is of one of the spans.
func inSpans(spans []kyro.Span) (condition string, times []any) {
	var within []string
	for _, s := range spans {
		within, times = append(within, "(m.created_at >= ? AND m.created_at < ?)"), append(times, s.From.UTC(), s.To.UTC())
	}
	return "(" + strings.Join(within, " OR ") + ")", times
}

// RollUp counts the hours that are over, and those that changed after they were counted. Each turn does a part; more tells
// that there is more to do at once. Any number of processes may be at it.
func (s *Store) RollUp(ctx context.Context, now time.Time) (more bool, err error) {
	if err := s.dropRollups(ctx, now); err != nil {
		return false, err
	}
	var due []dueRow
	err = s.read().NewSelect().Model(&due).Where("hour < (SELECT hour FROM rollups_until)").OrderExpr("hour, bot_id").Limit(dueATurn).Scan(ctx)
	if err != nil {
		return false, failed("look for hours to count", err)
	}
	for _, d := range due {
		if err := s.countAgain(ctx, d); err != nil {
			return false, err
		}
	}
	for range hoursATurn {
		if counted, err := s.countHour(ctx, now); err != nil || !counted {
			return err == nil && len(due) == dueATurn, err
		}
	}
	return true, nil
}

// dropRollups deletes what was counted of bots that were deleted meanwhile: a count and a deletion that ran beside each other
// do not see one another.
func (s *Store) dropRollups(ctx context.Context, now time.Time) error {
	var gone []int64
	err := s.read().NewSelect().Table("bots").Column("id").Where("deleted_at >= ?", kyro.Moment(now.Add(-time.Hour))).Scan(ctx, &gone)
	if err != nil || len(gone) == 0 {
		return failed("look for deleted bots", err)
	}
	return s.write(ctx, "forget what was counted of deleted bots", func(ctx context.Context, tx *writeTx) error {
		for _, counted := range []string{"rollups", "rollups_due"} {
			if _, err := tx.NewDelete().Table(counted).Where("bot_id IN (?)", bun.List(gone)).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// dueRow is an hour of a bot that changed after it was counted.
type dueRow struct {
	bun.BaseModel `bun:"table:rollups_due"`

	BotID   int64
	Hour    int64
	Changes int64
}

// countAgain counts an hour of a bot once more. Whoever changes something in it afterwards has it counted again: its row
// is gone, or is waited for.
func (s *Store) countAgain(ctx context.Context, d dueRow) error {
	return s.write(ctx, "count an hour again", func(ctx context.Context, tx *writeTx) error {
		if _, err := tx.NewDelete().Table("rollups_due").Where("bot_id = ? AND hour = ?", d.BotID, d.Hour).Exec(ctx); err != nil {
			return err
		}
		_, err := tx.NewDelete().Table("rollups").Where("bot_id = ? AND minutes = ? AND slot = ?", d.BotID, hourMinutes, d.Hour).Exec(ctx)
		if err != nil {
			return err
		}
		_, err = tx.NewDelete().Table("rollups").
			Where("bot_id = ? AND minutes = ? AND slot >= ? AND slot < ?", d.BotID, quarterMinutes, d.Hour, d.Hour+hourMinutes).Exec(ctx)
		if err != nil {
			return err
		}
		return tx.rollUp(ctx, d.BotID, d.Hour)
	})
}

// countedPlace is where what was counted is kept.
type countedPlace struct {
	bot     int64
	minutes int
	slot    int64
}

// countedHour is what is counted of an hour and of its quarters.
type countedHour struct {
	figures map[countedPlace]*kyro.Figures
	cited   map[countedPlace]*kyro.Cited // there for each of figures
}

// countSaid counts an hour, of one bot or, where that is 0, of all.
func countSaid(ctx context.Context, db bun.IDB, bot, hour int64) (c countedHour, err error) {
	whole := []kyro.Span{{From: slotTime(hour), To: slotTime(hour + hourMinutes)}}
	rows, err := said(ctx, db, bot, whole)
	if err != nil {
		return c, err
	}
	quotes, err := quoted(ctx, db, bot, whole)
	if err != nil {
		return c, err
	}
	c = countedHour{map[countedPlace]*kyro.Figures{}, map[countedPlace]*kyro.Cited{}}
	places := func(bot int64, at time.Time) [2]countedPlace {
		return [...]countedPlace{{bot, hourMinutes, hour}, {bot, quarterMinutes, slotOf(at, quarterMinutes)}}
	}
	for i := range rows {
		for _, at := range places(rows[i].BotID, rows[i].CreatedAt) {
			if c.figures[at] == nil {
				c.figures[at], c.cited[at] = kyro.NewFigures(), kyro.NewCited()
			}
			rows[i].count(c.figures[at])
		}
	}
	for _, q := range quotes {
		for _, at := range places(q.BotID, q.CreatedAt) {
			if c.cited[at] != nil { // else the conversation was deleted between both, which has the hour counted again
				q.count(c.cited[at])
			}
		}
	}
	return c, nil
}

// rollUp counts an hour, of one bot or of all, which has no figures yet.
func (tx *writeTx) rollUp(ctx context.Context, bot, hour int64) error {
	c, err := countSaid(ctx, tx, bot, hour)
	if err != nil {
		return err
	}
	all := slices.Collect(maps.Keys(c.figures))
	return insertMany(ctx, tx, "rollups", []string{"bot_id", "minutes", "slot", "figures", "cited"}, len(all), func(i int) []any {
		at := all[i]
		return []any{at.bot, at.minutes, at.slot, encodeFigures(c.figures[at]), encodeCited(c.cited[at])}
	})
}

// countHour counts the next hour in which something was said, once it is over and all answers of it are final.
func (s *Store) countHour(ctx context.Context, now time.Time) (counted bool, err error) {
	err = s.write(ctx, "count an hour", func(ctx context.Context, tx *writeTx) error {
		counted = false
		var until int64
		// Whoever else is at it waits here, and finds that it is done.
		if err := tx.NewUpdate().Table("rollups_until").Set("hour = hour").Where("TRUE").Returning("hour").Scan(ctx, &until); err != nil {
			return err
		}
		var next []time.Time
		err := tx.NewSelect().Table("messages").Column("created_at").Where("created_at >= ?", slotTime(until)).
			OrderExpr("created_at").Limit(1).Scan(ctx, &next)
		if err != nil || len(next) == 0 {
			return err
		}
		hour := max(until, slotOf(next[0], hourMinutes))
		end := slotTime(hour + hourMinutes)
		if now.Before(end.Add(rollupGrace)) {
			return nil
		}
		// All unfinished ones are looked at, which are few: by their time SQLite would look at all messages of before.
		var waiting int
		err = tx.NewSelect().Table("messages").ColumnExpr("COUNT(CASE WHEN created_at < ? THEN 1 END)", end).Where(unfinished).Scan(ctx, &waiting)
		if err != nil || waiting > 0 {
			return err
		}
		if _, err := tx.NewDelete().Table("rollups_due").Where("hour = ?", hour).Exec(ctx); err != nil {
			return err
		}
		if err := tx.rollUp(ctx, 0, hour); err != nil {
			return err
		}
		counted = true
		_, err = tx.NewUpdate().Table("rollups_until").Set("hour = ?", hour+hourMinutes).Where("TRUE").Exec(ctx)
		return err
	})
	return counted, err
}

// recount has the hour of a message counted again.
func (tx *writeTx) recount(ctx context.Context, conversation int64, at time.Time) error {
	_, err := tx.NewRaw("INSERT INTO rollups_due (bot_id, hour, changes) SELECT bot_id, ?, 1 FROM conversations WHERE id = ?"+onceMore,
		slotOf(at, hourMinutes), conversation).Exec(ctx)
	return err
}

// onceMore locks the row that is there, which whoever counts waits for.
const onceMore = " ON CONFLICT (bot_id, hour) DO UPDATE SET changes = rollups_due.changes + 1"

// recountConversations has all hours of conversations counted again.
func (s *Store) recountConversations(ctx context.Context, tx *writeTx, which string, args ...any) error {
	hour := "CAST(strftime('%s', substr(m.created_at, 1, 19)) AS INTEGER) / 3600 * 60" // older versions of SQLite round fractions up
	if s.postgres() {
		hour = "CAST(floor(extract(epoch FROM m.created_at) / 3600) * 60 AS BIGINT)"
	}
	_, err := tx.NewRaw(fmt.Sprintf("INSERT INTO rollups_due (bot_id, hour, changes) SELECT DISTINCT c.bot_id, %s, 1"+
		" FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id WHERE %s ORDER BY 1, 2%s", hour, which, onceMore), args...).Exec(ctx)
	return err
}
