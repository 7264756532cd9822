package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"kyrochat/insight"
	"kyrochat/kyro"
	"kyrochat/store"
)

// monthOptions are of simulated months.
type monthOptions struct {
	wanted   bool
	months   int
	messages int // of a month
	seed     int
	only     string // a database; empty: both
	plans    bool
	compare  bool
}

// monthEnd is when the simulated time ends: in the month before it clocks are set forward in America on the 8th, and in
// Europe on the 29th.
var monthEnd = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)

const currency = "EUR"

// month is a simulated time on one database, and what came of comparing it.
type month struct {
	o        monthOptions
	name     string // of the database
	pools    *store.Pools
	store    *store.Store
	insight  *insight.Service
	span     kyro.Span
	owner    kyro.Viewer
	bots     []kyro.ID
	messages int

	rows  [][]any // of the page: what was compared
	times [][]any // of the page: how long charts took
	plans string
}

// errDifferent says that a figure is not what the rows say.
var errDifferent = errors.New("analytics are not what the rows say")

// measureMonths fills both databases with a simulated time, rolls it up, and compares all analytics with counts over the rows.
// errDifferent comes with the page.
func measureMonths(ctx context.Context, o options, args []string, say func(string, ...any)) ([]byte, error) {
	var page bytes.Buffer
	fmt.Fprintf(&page, "%s at revision %s with `%s`: %d cores%s, %s. Load average before: %s.\n", time.Now().Format(time.DateOnly), revision(ctx),
		strings.Join(append([]string{"go run ./bench"}, args...), " "), runtime.NumCPU(), processor(), runtime.Version(), loadAverage())
	var wrong error
	for _, name := range []string{"SQLite", "PostgreSQL"} {
		if o.month.only != "" && o.month.only != strings.ToLower(name) {
			continue
		}
		m, err := simulate(ctx, name, o, say)
		if errors.Is(err, errDifferent) {
			wrong, err = err, nil
		}
		if err != nil {
			return nil, fmt.Errorf("on %s: %w", name, err)
		}
		m.report(&page)
	}
	return page.Bytes(), wrong
}

// simulate does all of it on one database, which is removed again.
func simulate(ctx context.Context, name string, o options, say func(string, ...any)) (_ *month, err error) {
	m := &month{o: o.month, name: name, span: kyro.Span{From: monthEnd.AddDate(0, -o.month.months, 0), To: monthEnd}}
	c := store.Config{}
	if name == "PostgreSQL" {
		d, err := openDatabase(ctx, o.database)
		if err != nil {
			return nil, err
		}
		defer func() { _ = d.close() }()
		c.DatabaseURL = d.with(o.pool)
	} else {
		if c.DataDir, err = os.MkdirTemp("", "kyrobench"); err != nil {
			return nil, err
		}
		defer func() { _ = os.RemoveAll(c.DataDir) }()
	}
	if m.pools, err = store.Open(ctx, c); err != nil {
		return nil, err
	}
	defer func() { _ = m.pools.Close() }()
	if err := m.pools.Migrate(ctx, nil); err != nil {
		return nil, err
	}
	m.store = store.New(m.pools, noJobs{})
	began := time.Now()
	if err := m.fill(ctx); err != nil {
		return nil, fmt.Errorf("make the messages: %w", err)
	}
	say("%s: %d messages made in %s", name, m.messages, time.Since(began).Round(time.Millisecond))
	return m, m.compareAll(ctx, say)
}

// compareAll compares whatever can be asked for while more and more is rolled up, and as things change.
func (m *month) compareAll(ctx context.Context, say func(string, ...any)) error {
	different := 0
	for _, step := range []struct {
		when string
		do   func(context.Context) error
	}{
		{"all but the last nine hours rolled up", func(ctx context.Context) error { return m.rollUp(ctx, m.span.To.Add(-9*time.Hour)) }},
		{"some answers rated and conversations deleted since", m.change},
		{"all rolled up", func(ctx context.Context) error { return m.rollUp(ctx, m.span.To.Add(24*time.Hour)) }},
	} {
		began := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.when, err)
		}
		did := time.Since(began)
		c := comparison{month: m}
		if !m.o.compare {
			say("%s, %s: %s", m.name, step.when, did.Round(time.Millisecond))
			m.rows = append(m.rows, []any{step.when, did, 0, 0, time.Duration(0), time.Duration(0)})
			continue
		}
		if err := c.run(ctx); err != nil {
			return fmt.Errorf("compare with %s: %w", step.when, err)
		}
		for _, d := range c.different[:min(5, len(c.different))] {
			say("%s, %s: %s", m.name, step.when, d)
		}
		different += len(c.different)
		m.rows = append(m.rows, []any{step.when, did, c.figures, len(c.different), c.asking, c.counting})
		say("%s, %s: %d figures compared, %d different", m.name, step.when, c.figures, len(c.different))
	}
	if err := m.time(ctx); err != nil {
		return err
	}
	if different > 0 {
		return fmt.Errorf("%w: %d differ on %s", errDifferent, different, m.name)
	}
	return nil
}

// rollUp has the job roll up what is to be rolled up at a time.
func (m *month) rollUp(ctx context.Context, now time.Time) error {
	m.insight = insight.New(m.store, currency, func() time.Time { return now })
	for {
		if err := m.insight.RollUp(ctx); !errors.Is(err, kyro.ErrJobAgain) {
			return errors.Join(err, m.settle(ctx))
		}
	}
}

// settle leaves PostgreSQL as it is some time later: with statistics, and nothing to clean.
func (m *month) settle(ctx context.Context) error {
	if !m.pools.Postgres() {
		return nil
	}
	_, err := m.pools.Pgx.Exec(ctx, "VACUUM (ANALYZE)")
	return err
}

// change rates answers and deletes conversations of any time, as people do.
func (m *month) change(ctx context.Context) error {
	type told struct{ answer, conversation, person int64 }
	var at told
	var list []told
	err := m.read(ctx, "SELECT m.id, c.id, c.user_id FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id"+
		" WHERE c.deleted_at IS NULL AND m.role = 'BOT' AND m.finish_reason IS NOT NULL ORDER BY m.id",
		[]any{&at.answer, &at.conversation, &at.person}, func() { list = append(list, at) })
	if err != nil {
		return err
	}
	some := max(1, len(list)/400)
	for i := range len(list) / some {
		t := list[i*some]
		said := &kyro.Feedback{Rating: []kyro.Rating{kyro.RatingUp, kyro.RatingDown}[i%2], RatedAt: m.span.To}
		if i%10 == 0 {
			said = nil
		}
		if _, err := m.store.RateMessage(ctx, kyro.UserID(t.person), kyro.MessageID(t.answer), said); err != nil {
			return err
		}
	}
	deleted := map[int64]bool{}
	for i := 0; i < len(list) && len(deleted) < 20; i += 1 + len(list)/25 {
		if t := list[i]; !deleted[t.conversation] {
			deleted[t.conversation] = true
			if err := m.store.DeleteConversation(ctx, kyro.UserID(t.person), kyro.ConversationID(t.conversation), m.span.To); err != nil {
				return err
			}
		}
	}
	return nil
}

// read reads rows into places, and calls do for each.
func (m *month) read(ctx context.Context, query string, places []any, do func()) error {
	if m.pools.Postgres() {
		rows, err := m.pools.Pgx.Query(ctx, query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := rows.Scan(places...); err != nil {
				return err
			}
			do()
		}
		return rows.Err()
	}
	rows, err := m.pools.SQLite.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return err
		}
		do()
	}
	return rows.Err()
}

// stamp is a moment as SQL of the database compares it.
func stamp(at time.Time) string { return at.UTC().Format("'2006-01-02 15:04:05.999999-07:00'") }

// time measures how long the longest chart by days and what goes with it take, asked for again and again.
func (m *month) time(ctx context.Context) error {
	const rounds = 30
	span := m.span
	if year := span.To.AddDate(0, 0, -365); span.From.Before(year) {
		span.From = year
	}
	bot := m.bots[0]
	for _, each := range []struct {
		what string
		ask  func() error
	}{
		{"a chart by days in UTC", m.chart(ctx, bot, span, kyro.IntervalDay, "UTC")},
		{"a chart by days in Europe/Berlin", m.chart(ctx, bot, span, kyro.IntervalDay, "Europe/Berlin")},
		{"a chart by days in Asia/Kolkata", m.chart(ctx, bot, span, kyro.IntervalDay, "Asia/Kolkata")},
		{"a chart by weeks in America/New_York", m.chart(ctx, bot, span, kyro.IntervalWeek, "America/New_York")},
		{"ten documents cited most", func() error { _, err := m.insight.TopDocuments(ctx, m.owner, bot, span, 10); return err }},
		{"ten passages cited most", func() error { _, err := m.insight.TopPassages(ctx, m.owner, bot, span, 10); return err }},
		{"a page of unused documents", func() error {
			_, err := m.insight.UnusedDocuments(ctx, m.owner, bot, span, kyro.PageRequest{Order: kyro.UnusedOrder, Limit: 20})
			return err
		}},
	} {
		var took []float64
		for range rounds {
			began := time.Now()
			if err := each.ask(); err != nil {
				return fmt.Errorf("%s: %w", each.what, err)
			}
			took = append(took, float64(time.Since(began))/float64(time.Millisecond))
		}
		first := took[0]
		slices.Sort(took)
		m.times = append(m.times, []any{each.what, int(span.To.Sub(span.From).Hours() / 24), first, median(took), took[rounds*95/100], took[rounds-1]})
	}
	if !m.o.plans || !m.pools.Postgres() {
		return nil
	}
	return m.explain(ctx, bot, span)
}

func (m *month) chart(ctx context.Context, bot kyro.ID, span kyro.Span, interval kyro.Interval, zone string) func() error {
	return func() error {
		_, err := m.insight.Analytics(ctx, m.owner, bot, insight.Asked{Span: span, Interval: interval, TimeZone: zone})
		return err
	}
}

// explain asks PostgreSQL how it reads what such a chart is made of.
func (m *month) explain(ctx context.Context, bot kyro.ID, span kyro.Span) error {
	hour := func(at time.Time) int64 { return at.Unix() / 3600 * 60 }
	for _, statement := range []string{
		fmt.Sprintf("SELECT hour FROM rollups_due WHERE bot_id = %d AND hour >= %d AND hour < %d ORDER BY hour", bot.Key, hour(span.From), hour(span.To)),
		fmt.Sprintf("SELECT slot, figures FROM rollups WHERE bot_id = %d AND minutes = 60 AND slot >= %d AND slot <= %d", bot.Key, hour(span.From), hour(span.To)-60),
		fmt.Sprintf("SELECT slot, cited FROM rollups WHERE bot_id = %d AND minutes = 60 AND slot >= %d AND slot <= %d", bot.Key, hour(span.From), hour(span.To)-60),
		fmt.Sprintf("SELECT m.id, c.bot_id, m.conversation_id, m.sender_id, m.role, m.status, m.grounding, m.finish_reason, m.usage, m.feedback, m.created_at"+
			" FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id AND c.deleted_at IS NULL"+
			" WHERE c.bot_id = %d AND m.created_at >= %s AND m.created_at < %s", bot.Key, stamp(span.To.Add(-3*time.Hour)), stamp(span.To.Add(-2*time.Hour))),
	} {
		m.plans += "\n    " + statement + "\n"
		var line string
		err := m.read(ctx, "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) "+statement, []any{&line}, func() { m.plans += "      " + line + "\n" })
		if err != nil {
			return err
		}
	}
	return nil
}

// report writes what came of it.
func (m *month) report(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n**%s**: %d messages from %s to %s, %d bots, seed %d\n\n", m.name, m.messages, m.span.From.Format(time.DateOnly), m.span.To.Format(time.DateOnly), len(m.bots), m.o.seed)
	b.WriteString("| with | which took | figures compared | different | asking for them | counting the rows |\n|---|---|---|---|---|---|\n")
	for _, r := range m.rows {
		fmt.Fprintf(b, "| %s | %.1f s | %d | %d | %.1f s | %.1f s |\n", r[0], r[1].(time.Duration).Seconds(), r[2], r[3], r[4].(time.Duration).Seconds(), r[5].(time.Duration).Seconds())
	}
	b.WriteString("\n| asked for again and again | days | first, ms | p50 | p95 | longest |\n|---|---|---|---|---|---|\n")
	for _, r := range m.times {
		fmt.Fprintf(b, "| %s | %d | %.1f | %.1f | %.1f | %.1f |\n", r...)
	}
	b.WriteString(m.plans)
}

// noJobs takes jobs and does none: questions that nothing was found to are not put together here.
type noJobs struct{}

func (noJobs) EnqueuePostgres(context.Context, pgx.Tx, ...kyro.Job) error { return nil }
func (noJobs) EnqueueSQLite(context.Context, *sql.Tx, ...kyro.Job) error  { return nil }
