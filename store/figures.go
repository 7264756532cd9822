package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"kyrochat/kyro"
)

// Figures counts what was said to a bot in each of the spans, which follow each other without a gap. Hours that are over are
// taken as they were counted; what is not counted yet, or changed since, is counted here, so that the figures are exact.
func (s *Store) Figures(ctx context.Context, bot kyro.ID, spans []kyro.Span) ([]*kyro.Figures, error) {
	figures := make([]*kyro.Figures, len(spans))
	for i := range figures {
		figures[i] = kyro.NewFigures()
	}
	c, err := s.cutFigures(ctx, bot, spans)
	if err != nil {
		return nil, failed("see what is counted of a bot", err)
	}
	// The place of a moment among the spans. Moments are given in no order.
	at := func(t time.Time) *kyro.Figures {
		i, found := slices.BinarySearchFunc(spans, t, func(s kyro.Span, t time.Time) int { return s.From.Compare(t) })
		if !found {
			i--
		}
		return figures[i]
	}
	err = s.counted(ctx, bot, c, "figures", func(slot int64, coded []byte) error { return addFigures(at(slotTime(slot)), coded) })
	if err != nil {
		return nil, failed("read what is counted of a bot", err)
	}
	for part := range slices.Chunk(c.plain, plainAtOnce) {
		rows, err := said(ctx, s.read(), bot.Key, part)
		if err != nil {
			return nil, failed("count the messages of a bot", err)
		}
		for i := range rows {
			rows[i].count(at(rows[i].CreatedAt))
		}
	}
	return figures, nil
}

// counted reads a column of the hours and quarters that spans are put together from.
func (s *Store) counted(ctx context.Context, bot kyro.ID, c figuresCut, column string, add func(slot int64, coded []byte) error) error {
	for _, rows := range []struct {
		minutes int
		slots   []int64
	}{{hourMinutes, c.hours}, {quarterMinutes, c.quarters}} {
		if len(rows.slots) == 0 {
			continue
		}
		var slot int64
		var coded []byte
		var spoiled error
		q := s.query().add("SELECT slot, "+column+" FROM rollups WHERE bot_id = ? AND minutes = ? AND slot >= ? AND slot <= ?",
			bot.Key, rows.minutes, rows.slots[0], rows.slots[len(rows.slots)-1])
		err := s.each(ctx, q, []any{&slot, &coded}, func() {
			if _, wanted := slices.BinarySearch(rows.slots, slot); wanted && spoiled == nil {
				spoiled = add(slot, coded)
			}
		})
		if err = cmp.Or(err, spoiled); err != nil {
			return err
		}
	}
	return nil
}

// plainAtOnce is how many spans one statement looks for messages in.
const plainAtOnce = 50

// figuresCut is how spans are put together: from hours and quarters that are counted, in order, and from messages.
type figuresCut struct {
	hours, quarters []int64
	plain           []kyro.Span
}

// cutFigures looks up what is counted. What is counted after it has looked is taken for not counted, which comes to the same.
func (s *Store) cutFigures(ctx context.Context, bot kyro.ID, spans []kyro.Span) (c figuresCut, err error) {
	from, to := spans[0].From, spans[len(spans)-1].To
	whole := kyro.Span{From: from, To: to}
	var until int64
	if err := s.read().NewSelect().Table("rollups_until").Column("hour").Scan(ctx, &until); err != nil {
		return c, err
	}
	var changed []int64
	err = s.read().NewSelect().Table("rollups_due").Column("hour").
		Where("bot_id = ? AND hour >= ? AND hour < ?", bot.Key, slotOf(from, hourMinutes), slotOf(to, hourMinutes)+hourMinutes).Order("hour").Scan(ctx, &changed)
	if err != nil {
		return c, err
	}
	cuts := make([]time.Time, 0, len(spans)+1) // where nothing may be taken as a whole across
	for _, s := range spans {
		cuts = append(cuts, s.From)
	}
	cuts = append(cuts, to)
	plain := func(a, b time.Time) {
		if last := len(c.plain) - 1; last >= 0 && c.plain[last].To.Equal(a) {
			c.plain[last].To = b
		} else {
			c.plain = append(c.plain, kyro.Span{From: a, To: b})
		}
	}
	for hour := slotOf(from, hourMinutes); hour < until && slotTime(hour).Before(to); hour += hourMinutes {
		begin, end := slotTime(hour), slotTime(hour+hourMinutes)
		for len(cuts) > 0 && !cuts[0].After(begin) {
			cuts = cuts[1:]
		}
		here := kyro.Span{From: begin, To: end}.Within(whole)
		a, b := here.From, here.To
		if _, is := slices.BinarySearch(changed, hour); is {
			plain(a, b)
			continue
		}
		within := 0
		for within < len(cuts) && cuts[within].Before(end) {
			within++
		}
		if a.Equal(begin) && b.Equal(end) && within == 0 {
			c.hours = append(c.hours, hour)
			continue
		}
		for quarter := hour; quarter < hour+hourMinutes; quarter += quarterMinutes {
			first, last := slotTime(quarter), slotTime(quarter+quarterMinutes)
			switch {
			case !first.Before(b) || !a.Before(last): // beside what is asked for
			case first.Before(a) || last.After(b) || slices.ContainsFunc(cuts[:within], func(t time.Time) bool { return t.After(first) && t.Before(last) }):
				part := kyro.Span{From: first, To: last}.Within(here)
				plain(part.From, part.To)
			default:
				c.quarters = append(c.quarters, quarter)
			}
		}
	}
	if open := (kyro.Span{From: slotTime(until), To: to}).Within(whole); open.From.Before(to) {
		plain(open.From, to)
	}
	return c, nil
}
