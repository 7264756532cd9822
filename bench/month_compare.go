package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"kyrochat/insight"
	"kyrochat/kyro"
)

// monthZones are whose calendars are compared: clocks of Berlin and New York are set in the last month, those of Kolkata and
// Kathmandu are off by half an hour and by a quarter less than a whole one.
var monthZones = []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu"}

// comparison is of everything that analytics tell with what the rows say.
type comparison struct {
	*month
	figures          int // compared so far
	different        []string
	asking, counting time.Duration
}

func (c *comparison) same(got, want any, format string, args ...any) {
	c.figures++
	if got != want {
		c.different = append(c.different, fmt.Sprintf(format, args...)+fmt.Sprintf(": %v, and the rows say %v", got, want))
	}
}

// run compares all bots.
func (c *comparison) run(ctx context.Context) error {
	began := time.Now()
	rows, err := c.raw(ctx)
	if err != nil {
		return err
	}
	c.counting += time.Since(began)
	slices.SortStableFunc(rows, func(a, b rawMessage) int { return a.at.Compare(b.at) })
	for _, bot := range c.bots {
		var own []rawMessage
		for _, r := range rows {
			if r.bot == bot.Key {
				own = append(own, r)
			}
		}
		for _, name := range monthZones {
			zone, err := time.LoadLocation(name)
			if err != nil {
				return err
			}
			for _, interval := range []kyro.Interval{kyro.IntervalHour, kyro.IntervalDay, kyro.IntervalWeek} {
				for _, span := range pieces(c.span, interval) {
					if err := c.chart(ctx, bot, own, span, interval, zone); err != nil {
						return err
					}
				}
			}
		}
		if err := c.totals(ctx, bot); err != nil {
			return err
		}
		if err := c.uses(ctx, bot, own); err != nil {
			return err
		}
	}
	return nil
}

// pieces are so long that a series is not too long. The first begins a little before the time, and the last ends after it.
func pieces(whole kyro.Span, interval kyro.Interval) (list []kyro.Span) {
	whole = kyro.Span{From: whole.From.Add(-95 * time.Minute), To: whole.To.Add(77 * time.Minute)}
	most := 1_000 * 24 * time.Hour
	if interval == kyro.IntervalHour {
		most = 1_000*time.Hour + 17*time.Minute
	}
	for from := whole.From; from.Before(whole.To); from = from.Add(most) {
		list = append(list, kyro.Span{From: from, To: from.Add(most)}.Within(whole))
	}
	return list
}

// chart compares a series and its total with what the rows of a bot, oldest first, add up to.
func (c *comparison) chart(ctx context.Context, bot kyro.ID, rows []rawMessage, span kyro.Span, interval kyro.Interval, zone *time.Location) error {
	began := time.Now()
	got, err := c.insight.Analytics(ctx, c.owner, bot, insight.Asked{Span: span, Interval: interval, TimeZone: zone.String()})
	if err != nil {
		return err
	}
	c.asking += time.Since(began)
	began = time.Now()
	what := fmt.Sprintf("%s by %s in %s", bot, interval, zone)
	total, parts := newTally(), map[string]*tally{}
	for i := range rows {
		at := rows[i].at
		if at.Before(span.From) || !at.Before(span.To) {
			continue
		}
		total.count(&rows[i])
		name := calendarName(interval, at.In(zone))
		if parts[name] == nil {
			parts[name] = newTally()
		}
		parts[name].count(&rows[i])
	}
	c.compare(got.Total, total.figures(), what+", total")
	end := span.From
	for _, part := range got.Series {
		name := calendarName(interval, part.From.In(zone))
		c.same(part.From.Equal(end), true, "%s, %s begins where the one before ends", what, name)
		c.same(calendarName(interval, part.To.Add(-time.Microsecond).In(zone)), name, "%s, %s ends in itself", what, name)
		end = part.To
		counted := parts[name]
		if counted == nil {
			counted = newTally()
		}
		delete(parts, name)
		c.compare(part.Figures, counted.figures(), what+", "+name)
	}
	c.same(end.Equal(span.To), true, "%s ends where it was to", what)
	c.same(len(parts), 0, "%s, intervals that are missing", what)
	c.counting += time.Since(began)
	return nil
}

// compare compares all figures of a span. Percentiles may be rounded down, by less than 1.6 % beyond 127 ms.
func (c *comparison) compare(told *kyro.Figures, want map[string]int64, what string) {
	got := toldFigures(told)
	for name := range want {
		if _, is := got[name]; !is {
			got[name] = 0
		}
	}
	for name, n := range got {
		if strings.HasPrefix(name, "p50 ") || strings.HasPrefix(name, "p95 ") {
			exact := want[name]
			c.same(n == exact || exact > 127 && n < exact && float64(exact-n) < 0.016*float64(exact), true, "%s, %s (%d of %d)", what, name, n, exact)
			continue
		}
		c.same(n, want[name], "%s, %s", what, name)
	}
	c.same(told.Currency, currency, "%s, currency", what)
}

// oddSpans are times whose ends are in all kinds of places.
func (c *comparison) oddSpans() []kyro.Span {
	kolkata := time.FixedZone("", 5*3600+1800)
	midnight := func(days int) time.Time {
		at := c.span.To.AddDate(0, 0, days)
		return time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, kolkata)
	}
	noon := c.span.To.AddDate(0, 0, -12).Add(9 * time.Hour)
	return []kyro.Span{
		c.span, {From: midnight(-9), To: midnight(-2)}, {From: noon.Add(7*time.Minute + 3*time.Second), To: noon.Add(3*time.Hour + 41*time.Minute)},
		{From: c.span.To.Add(-10 * time.Hour), To: c.span.To},
	}
}

// totals compares whole times with what SQL counts in them.
func (c *comparison) totals(ctx context.Context, bot kyro.ID) error {
	for _, span := range c.oddSpans() {
		began := time.Now()
		got, err := c.insight.Analytics(ctx, c.owner, bot, insight.Asked{Span: span, Interval: kyro.IntervalDay, TimeZone: "UTC"})
		if err != nil {
			return err
		}
		c.asking += time.Since(began)
		began = time.Now()
		want, err := c.plainTotals(ctx, bot, span)
		if err != nil {
			return err
		}
		c.counting += time.Since(began)
		told := toldFigures(got.Total)
		for name, n := range want {
			c.same(told[name], n, "%s from %s to %s, %s by SQL", bot, span.From, span.To, name)
		}
	}
	return nil
}

// uses compares what is cited most and what is not.
func (c *comparison) uses(ctx context.Context, bot kyro.ID, rows []rawMessage) error {
	answers := map[int64]*rawMessage{}
	for i := range rows {
		answers[rows[i].id] = &rows[i]
	}
	// newest is the first quote in the newest answer that cites something.
	newest := func(u kyro.Used, is func(rawQuote) bool) (q rawQuote) {
		if i := slices.IndexFunc(answers[u.Last].quotes, is); i >= 0 {
			q = answers[u.Last].quotes[i]
		}
		return q
	}
	for _, span := range c.oddSpans() {
		what := fmt.Sprintf("%s from %s to %s", bot, span.From, span.To)
		began := time.Now()
		documents, err1 := c.insight.TopDocuments(ctx, c.owner, bot, span, 100)
		passages, err2 := c.insight.TopPassages(ctx, c.owner, bot, span, 100)
		unused, err3 := c.allUnused(ctx, bot, span)
		c.asking += time.Since(began)
		began = time.Now()
		byDocument, err4 := c.plainUses(ctx, "document_id", bot, span)
		byChunk, err5 := c.plainUses(ctx, "chunk_id", bot, span)
		plain, err6 := c.plainUnused(ctx, bot, span)
		for _, err := range []error{err1, err2, err3, err4, err5, err6} {
			if err != nil {
				return err
			}
		}
		c.counting += time.Since(began)
		c.same(len(documents), min(100, len(byDocument)), "%s, documents cited", what)
		for i, d := range documents[:min(len(documents), len(byDocument))] {
			u := byDocument[i]
			q := newest(u, func(q rawQuote) bool { return q.document == u.Key })
			c.same(d, kyro.CitedDocument{DocumentID: kyro.DocumentID(u.Key), Title: q.title, Answers: u.Answers}, "%s, document %d", what, i)
		}
		c.same(len(passages), min(100, len(byChunk)), "%s, passages cited", what)
		for i, p := range passages[:min(len(passages), len(byChunk))] {
			u := byChunk[i]
			q := newest(u, func(q rawQuote) bool { return q.chunk == u.Key })
			c.same(p, kyro.CitedPassage{
				ChunkID: kyro.ChunkID(u.Key), DocumentID: kyro.DocumentID(q.document), Title: q.title, Version: 1, Quote: q.quote, Answers: u.Answers,
			}, "%s, passage %d", what, i)
		}
		c.same(fmt.Sprint(unused), fmt.Sprint(plain), "%s, unused documents", what)
	}
	return nil
}

// allUnused pages through the documents that no answer of a span cites.
func (c *comparison) allUnused(ctx context.Context, bot kyro.ID, span kyro.Span) (keys []int64, err error) {
	req := kyro.PageRequest{Order: kyro.UnusedOrder, Limit: 7}
	for {
		page, err := c.insight.UnusedDocuments(ctx, c.owner, bot, span, req)
		if err != nil {
			return nil, err
		}
		for _, d := range page.Nodes {
			keys = append(keys, d.ID.Key)
		}
		if !page.HasNextPage {
			return keys, nil
		}
		cursor, err := kyro.ParseCursor(page.CursorAt(len(page.Nodes) - 1))
		if err != nil {
			return nil, err
		}
		req.Cursor = &cursor
	}
}
