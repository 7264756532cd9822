package store_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"kyrochat/kyro"
)

// fortnight is a fortnight of conversations with a bot, by several people, as rows.
type fortnight struct {
	*world
	dice          *rand.Rand
	owner, bot    kyro.ID
	conversations []kyro.ID
	answers       []kyro.ID
}

func (w *world) fortnight(t testing.TB, messages int) *fortnight {
	t.Helper()
	c := &fortnight{world: w, dice: rand.New(rand.NewPCG(3, 4))}
	c.owner = w.user(t)
	c.bot = w.bot(t, c.owner, "Asked", start)
	other := w.bot(t, c.owner, "Another", start)
	var people []kyro.ID
	for range 4 {
		people = append(people, w.user(t))
	}
	var talks []kyro.Conversation
	for i := range 12 {
		talk := kyro.Conversation{BotID: c.bot, UserID: c.owner, LastMessageAt: start, CreatedAt: start, UpdatedAt: start}
		if i%6 == 5 {
			talk.BotID = other
		}
		made, err := w.CreateConversation(t.Context(), talk)
		fine(t, err)
		talks = append(talks, made)
		if talk.BotID == c.bot {
			c.conversations = append(c.conversations, made.ID)
		}
	}
	for i := range messages {
		talk := talks[c.dice.IntN(len(talks))]
		at := start.Add(time.Duration(c.dice.IntN(14*24*3600)) * time.Second).Add(time.Duration(c.dice.IntN(1_000_000)) * time.Microsecond)
		id := int64(10_000 + 2*i)
		talk.UserID = people[c.dice.IntN(len(people))] // who says it
		c.message(t, id, talk, "USER", "COMPLETED", "NULL", "NULL", "NULL", at)
		grounding := []string{"'GROUNDED'", "'PARTIAL'", "'NOT_FOUND'", "NULL"}[c.dice.IntN(4)]
		finish := []string{"'STOP'", "'LENGTH'", "'TIMEOUT'", "'STOPPED_BY_USER'"}[c.dice.IntN(4)]
		usage := fmt.Sprintf(`'{"promptTokens": %d, "outputTokens": %d, "model": "model-%d", "durationMs": %d, "timeToFirstTokenMs": %d, "cost": %d}'`,
			c.dice.IntN(3_000), 1+c.dice.IntN(900), c.dice.IntN(2), c.dice.IntN(30_000), c.dice.IntN(3_000), c.dice.IntN(2)*c.dice.IntN(90_000))
		if c.dice.IntN(10) == 0 {
			usage = "NULL"
		}
		c.message(t, id+1, talk, "BOT", "COMPLETED", grounding, finish, usage, at.Add(time.Duration(c.dice.IntN(20))*time.Second))
		c.cite(t, id+1, talk.BotID == c.bot)
		if talk.BotID == c.bot {
			c.answers = append(c.answers, kyro.MessageID(id+1))
		}
	}
	return c
}

// cite gives an answer up to four citations, of documents 1 to 6 with two passages each, or of 11 to 16 where it is of another
// bot. Those of low numbers are cited more often; the title tells the answer.
func (c *fortnight) cite(t testing.TB, answer int64, ours bool) {
	t.Helper()
	for seq := range c.dice.IntN(5) {
		document := 1 + min(c.dice.IntN(6), c.dice.IntN(6))
		if !ours {
			document += 10
		}
		c.exec(t, fmt.Sprintf(`INSERT INTO citations (message_id, seq, marker, document_id, chunk_id, document_title, document_version, quote, char_start, char_end, score, verified)
			VALUES (%d, %d, %d, %d, %d, 'Title %d', 1, 'quote %d', 0, 5, 0.5, TRUE)`, answer, seq, seq+1, document, 100*document+c.dice.IntN(2), answer, seq))
	}
}

func (c *fortnight) message(t testing.TB, id int64, talk kyro.Conversation, role, status, grounding, finish, usage string, at time.Time) {
	t.Helper()
	c.exec(t, fmt.Sprintf(`INSERT INTO messages (id, conversation_id, turn, sender_id, role, status, text, superseded, attempt, seq, lease_owner, stop_requested,
		notices, grounding, finish_reason, usage, created_at, lost, restarted, added, changed)
		VALUES (%d, %d, %d, %d, '%s', '%s', 'x', FALSE, 1, 1, '', FALSE, '[]', %s, %s, %s, '%s', 0, FALSE, 0, 0)`,
		id, talk.ID.Key, id, talk.UserID.Key, role, status, grounding, finish, usage, c.written(at)))
}

// written is a moment as the database has it.
func (c *fortnight) written(at time.Time) string {
	return at.UTC().Format("2006-01-02 15:04:05.999999-07:00")
}

// rollUp counts whatever is to be counted.
func (c *fortnight) rollUp(t testing.TB, now time.Time) {
	t.Helper()
	for {
		more, err := c.RollUp(t.Context(), now)
		fine(t, err)
		if !more {
			return
		}
	}
}

// check compares figures with what plain SQL counts in the messages.
func (c *fortnight) check(t testing.TB, when string, spans []kyro.Span) {
	t.Helper()
	figures, err := c.Figures(t.Context(), c.bot, spans)
	fine(t, err)
	text := func(column, field string) string {
		if c.pools.Postgres() {
			return fmt.Sprintf("(%s ->> '%s')", column, field)
		}
		return fmt.Sprintf("json_extract(%s, '$.%s')", column, field)
	}
	for i, s := range spans {
		f := figures[i]
		count := func(what, where string) int64 {
			return int64(c.number(t, fmt.Sprintf(`SELECT COALESCE(%s, 0) FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id
				WHERE c.bot_id = %d AND c.deleted_at IS NULL AND m.created_at >= '%s' AND m.created_at < '%s' AND %s`,
				what, c.bot.Key, c.written(s.From), c.written(s.To), where)))
		}
		for name, pair := range map[string][2]int64{
			"messages":      {f.Messages, count("count(*)", "m.role = 'USER'")},
			"answers":       {f.Answers, count("count(*)", "m.role = 'BOT' AND m.status = 'COMPLETED'")},
			"people":        {int64(len(f.People)), count("count(DISTINCT m.sender_id)", "m.role = 'USER'")},
			"conversations": {int64(len(f.Conversations)), count("count(DISTINCT m.conversation_id)", "m.role = 'USER'")},
			"grounded":      {f.Groundings[kyro.Grounded], count("count(*)", "m.grounding = 'GROUNDED'")},
			"not found":     {f.Groundings[kyro.GroundingNotFound], count("count(*)", "m.grounding = 'NOT_FOUND'")},
			"stopped":       {f.Finishes[kyro.FinishUser], count("count(*)", "m.finish_reason = 'STOPPED_BY_USER'")},
			"up":            {f.Up, count("count(*)", text("m.feedback", "rating")+" = 'UP'")},
			"down":          {f.Down, count("count(*)", text("m.feedback", "rating")+" = 'DOWN'")},
			"tokens":        {f.Tokens["model-1"].Output, count("sum(CAST("+text("m.usage", "outputTokens")+" AS INTEGER))", text("m.usage", "model")+" = 'model-1'")},
			"cost":          {int64(f.Cost), count("sum(CAST("+text("m.usage", "cost")+" AS INTEGER))", "TRUE")},
			"prompts":       {f.AllTokens().Prompt, count("sum(CAST("+text("m.usage", "promptTokens")+" AS INTEGER))", "TRUE")},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s, %s to %s: %d %s, and by plain SQL %d", when, s.From, s.To, pair[0], name, pair[1])
			}
		}
		cited, err := c.Cited(t.Context(), c.bot, s)
		fine(t, err)
		for column, got := range map[string]map[int64]kyro.Uses{"document_id": cited.Documents, "chunk_id": cited.Passages} {
			var rows []struct{ Key, Answers, Last int64 }
			fine(t, c.Read().NewRaw(fmt.Sprintf(`SELECT ci.%s AS key, count(DISTINCT m.id) AS answers, max(m.id) AS last FROM citations AS ci
				JOIN messages AS m ON m.id = ci.message_id JOIN conversations AS c ON c.id = m.conversation_id
				WHERE c.bot_id = %d AND c.deleted_at IS NULL AND m.created_at >= '%s' AND m.created_at < '%s' GROUP BY 1`,
				column, c.bot.Key, c.written(s.From), c.written(s.To))).Scan(t.Context(), &rows))
			want := map[int64]kyro.Uses{}
			for _, r := range rows {
				want[r.Key] = kyro.Uses{Answers: r.Answers, Last: r.Last}
			}
			if !maps.Equal(got, want) {
				t.Errorf("%s, %s to %s: cited by %s %v, and by plain SQL %v", when, s.From, s.To, column, got, want)
			}
		}
		var took []int
		fine(t, c.Read().NewRaw(fmt.Sprintf(`SELECT CAST(%s AS INTEGER) FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id
			WHERE c.bot_id = %d AND c.deleted_at IS NULL AND m.created_at >= '%s' AND m.created_at < '%s' AND m.usage IS NOT NULL ORDER BY 1`,
			text("m.usage", "durationMs"), c.bot.Key, c.written(s.From), c.written(s.To))).Scan(t.Context(), &took))
		for _, percent := range []int{50, 95} {
			p := f.Duration.Percentile(percent)
			if (p == nil) != (len(took) == 0) || p != nil && *p != kyro.TimeOf(kyro.TimeBucket(took[(len(took)*percent+99)/100-1])) {
				t.Errorf("%s, %s to %s: %d %% of the answers within %v ms, of %v", when, s.From, s.To, percent, p, took)
			}
		}
	}
}

func TestFiguresAreWhatPlainSQLCounts(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		c := w.fortnight(t, 400)
		end := start.Add(14 * 24 * time.Hour)
		whole := kyro.Span{From: start.Add(-time.Hour), To: end.Add(time.Hour)}
		var several [][]kyro.Span
		for zone, interval := range map[string]kyro.Interval{"UTC": kyro.IntervalDay, "Asia/Kolkata": kyro.IntervalDay, "Asia/Kathmandu": kyro.IntervalWeek, "Europe/Berlin": kyro.IntervalWeek} {
			z, err := time.LoadLocation(zone)
			fine(t, err)
			spans, err := interval.Spans(whole, z)
			fine(t, err)
			several = append(several, spans)
		}
		odd := kyro.Span{From: start.Add(26*time.Hour + 7*time.Minute + 3*time.Second), To: start.Add(29*time.Hour + 41*time.Minute)}
		hours, err := kyro.IntervalHour.Spans(odd, time.UTC)
		fine(t, err)
		several = append(several, hours, []kyro.Span{odd})
		check := func(when string) {
			t.Helper()
			for _, spans := range several {
				c.check(t, when, spans)
			}
		}
		check("before anything is counted")
		c.rollUp(t, start.Add(5*24*time.Hour+20*time.Minute))
		if n := w.number(t, "SELECT count(*) FROM rollups WHERE minutes = 60"); n == 0 {
			t.Fatal("nothing was counted")
		}
		check("with five days counted")
		c.rollUp(t, end.Add(time.Hour))
		check("with all counted")

		for _, answer := range c.answers[:40] {
			said := &kyro.Feedback{Rating: []kyro.Rating{kyro.RatingUp, kyro.RatingDown}[c.dice.IntN(2)], RatedAt: end}
			_, err := w.RateMessage(t.Context(), c.owner, answer, said)
			fine(t, err)
		}
		check("with answers rated since")
		c.rollUp(t, end.Add(time.Hour))
		if n := w.number(t, "SELECT count(*) FROM rollups_due"); n != 0 {
			t.Errorf("%d hours are still to be counted", n)
		}
		check("with the ratings counted")

		gone := c.conversations[0]
		fine(t, w.DeleteConversation(t.Context(), c.owner, gone, end))
		check("without a conversation")
		c.rollUp(t, end.Add(time.Hour))
		check("with the rest counted")

		// What was counted is what is read: without the messages the figures are the same.
		before, err := w.Figures(t.Context(), c.bot, several[0])
		fine(t, err)
		w.exec(t, "DELETE FROM citations")
		w.exec(t, "DELETE FROM messages")
		after, err := w.Figures(t.Context(), c.bot, several[0])
		fine(t, err)
		if !reflect.DeepEqual(before, after) || before[1].Messages == 0 {
			t.Error("figures are counted anew each time")
		}

		fine(t, w.DeleteBot(t.Context(), c.owner, c.bot, end))
		if n := w.number(t, fmt.Sprintf("SELECT count(*) FROM rollups WHERE bot_id = %d", c.bot.Key)); n != 0 {
			t.Errorf("%d rows of a deleted bot are left", n)
		}
		// Of a count that ran beside the deletion.
		w.exec(t, fmt.Sprintf("INSERT INTO rollups (bot_id, minutes, slot, figures, cited) VALUES (%d, 60, 0, '1', '1')", c.bot.Key))
		c.rollUp(t, end.Add(time.Minute))
		if n := w.number(t, fmt.Sprintf("SELECT count(*) FROM rollups WHERE bot_id = %d", c.bot.Key)); n != 0 {
			t.Errorf("%d rows that came after the deletion are left", n)
		}
	})
}

// TestAnHourWaitsForItsAnswers: it is not counted while one is being made, nor right after it is over.
func TestAnHourWaitsForItsAnswers(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, bot, id := w.talk(t)
		w.say(t, user, id, "1")
		claim := w.claim(t, id, "n1")
		counted := func() int { return w.number(t, "SELECT count(*) FROM rollups WHERE minutes = 60") }
		turn := func(now time.Time) {
			_, err := w.RollUp(t.Context(), now)
			fine(t, err)
		}
		turn(start.Add(24 * time.Hour))
		if counted() != 0 {
			t.Error("an hour was counted in which an answer is being made")
		}
		w.finish(t, claim, "done")
		turn(start.Add(time.Hour + time.Minute))
		if counted() != 0 {
			t.Error("an hour was counted that is over since a minute")
		}
		turn(start.Add(2 * time.Hour))
		if counted() != 1 {
			t.Errorf("%d hours counted", counted())
		}
		f, err := w.Figures(t.Context(), bot, []kyro.Span{{From: start, To: start.Add(time.Hour)}})
		fine(t, err)
		if f[0].Messages != 1 || f[0].Answers != 1 || f[0].Finishes[kyro.FinishStop] != 1 {
			t.Errorf("counted %+v", f[0])
		}
	})
}

// TestTheLastMomentOfAnHourIsInIt: what is deleted with its conversation is taken from the hour that it was counted in, though it
// was said less than a millisecond before the next one.
func TestTheLastMomentOfAnHourIsInIt(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, bot, id := w.talk(t)
		hour := start.Truncate(time.Hour)
		turn := saying(user, id, "1")
		turn.Now = hour.Add(time.Hour - 100*time.Microsecond)
		stored, err := w.SaveTurn(t.Context(), turn)
		fine(t, err)
		_, err = w.Finish(t.Context(), *stored.Claim, took(1, 1))
		fine(t, err)
		later := hour.Add(3 * time.Hour)
		counted := func() int64 {
			t.Helper()
			for more := true; more; {
				more, err = w.RollUp(t.Context(), later)
				fine(t, err)
			}
			f, err := w.Figures(t.Context(), bot, []kyro.Span{{From: hour, To: hour.Add(time.Hour)}})
			fine(t, err)
			return f[0].Messages
		}
		expect(t, "counted", counted(), 1)
		fine(t, w.DeleteConversation(t.Context(), user, id, later))
		expect(t, "counted once it is deleted", counted(), 0)
	})
}

func TestFiguresThatAreSpoiledAreTold(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		c := w.fortnight(t, 5)
		c.rollUp(t, start.Add(30*24*time.Hour))
		w.exec(t, "UPDATE rollups SET figures = '"+strings.Repeat("9", 3)+"', cited = '9'")
		whole := kyro.Span{From: start, To: start.Add(20 * 24 * time.Hour)}
		_, err := w.Figures(t.Context(), c.bot, []kyro.Span{whole})
		wantCode(t, err, kyro.CodeInternal)
		_, err = w.Cited(t.Context(), c.bot, whole)
		wantCode(t, err, kyro.CodeInternal)
	})
}

func TestHoursAreCountedOnceByMany(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		c := w.fortnight(t, 60)
		ended := make(chan error, 4)
		for range cap(ended) {
			go func() {
				for {
					more, err := w.RollUp(t.Context(), start.Add(30*24*time.Hour))
					if err != nil || !more {
						ended <- err
						return
					}
				}
			}()
		}
		for range cap(ended) {
			fine(t, <-ended)
		}
		spans, err := kyro.IntervalDay.Spans(kyro.Span{From: start, To: start.Add(15 * 24 * time.Hour)}, time.UTC)
		fine(t, err)
		c.check(t, "counted by four", spans)
	})
}
