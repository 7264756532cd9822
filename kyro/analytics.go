package kyro

import "time"

// Interval is a span of time by the calendar of a time zone.
type Interval string

// The intervals. Weeks begin on Mondays, as ISO 8601 has it.
const (
	IntervalHour Interval = "HOUR"
	IntervalDay  Interval = "DAY"
	IntervalWeek Interval = "WEEK"
)

const (
	// MaxIntervals is how many intervals one series may have: three years of days, or six weeks of hours.
	MaxIntervals = 1_100
	// MaxAnalyticsSpan is the longest time that can be asked about.
	MaxAnalyticsSpan = 5 * 366 * 24 * time.Hour
)

// Span is a time from a moment to right before another.
type Span struct{ From, To time.Time }

// Within is the part of a span that is in another, which it overlaps.
func (s Span) Within(whole Span) Span {
	if s.From.Before(whole.From) {
		s.From = whole.From
	}
	if s.To.After(whole.To) {
		s.To = whole.To
	}
	return s
}

// BotAnalytics tells how a bot is used. Total and series are there where they were asked for.
type BotAnalytics struct {
	Span
	BotID    ID
	Interval Interval
	TimeZone string
	Total    *Figures
	Series   []FiguresOf // without a gap
}

// FiguresOf are those of a span.
type FiguresOf struct {
	Span
	*Figures
}

// Floor is when the interval that holds a moment began, by the clock of the moment's location.
func (i Interval) Floor(at time.Time) time.Time {
	if i == IntervalHour {
		// Offsets from UTC are not always whole hours, and an hour that a clock shows twice is two.
		_, offset := at.Zone()
		shown := time.Duration(offset) * time.Second
		return at.Add(shown).Truncate(time.Hour).Add(-shown)
	}
	year, month, day := at.Date()
	if i == IntervalWeek {
		day -= (int(at.Weekday()) + 6) % 7
	}
	midnight := time.Date(year, month, day, 0, 0, 0, 0, at.Location())
	if midnight.Hour() > 12 { // clocks were set at midnight, which there was none of: the day began an hour later
		midnight = midnight.Add(time.Hour)
	}
	return midnight
}

// next is when the interval that began then ends: the beginning of the one that holds a moment well within it.
func (i Interval) next(began time.Time) time.Time {
	switch i {
	case IntervalHour:
		return i.Floor(began.Add(time.Hour))
	case IntervalWeek:
		return i.Floor(began.AddDate(0, 0, 7).Add(12 * time.Hour))
	default:
		return i.Floor(began.Add(36 * time.Hour))
	}
}

// Spans cut a span into intervals by the calendar of a zone. The first and the last may be parts of one. BAD_USER_INPUT where
// that is no span, or where there are too many.
func (i Interval) Spans(whole Span, zone *time.Location) ([]Span, error) {
	from, to := whole.From.In(zone), whole.To.In(zone)
	if !from.Before(to) {
		return nil, Errorf(CodeBadUserInput, "`to` must be after `from`.")
	}
	if to.Sub(from) > MaxAnalyticsSpan {
		return nil, Errorf(CodeBadUserInput, "At most five years can be looked at.")
	}
	var spans []Span
	for began := i.Floor(from); began.Before(to); {
		end := i.next(began)
		if len(spans) == MaxIntervals {
			return nil, Errorf(CodeBadUserInput, "That would be more than %d intervals. Choose a longer one, or a shorter time.", MaxIntervals)
		}
		spans = append(spans, Span{began, end}.Within(Span{from, to}))
		began = end
	}
	return spans, nil
}
