package kyro_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"kyrochat/kyro"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Skip(err)
	}
	return z
}

func TestSpansOfACalendar(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		zone     string
		interval kyro.Interval
		from, to string
		want     []string // how long each is
		begin    string   // of the second, by its clock
	}{
		"days with parts at both ends": {"UTC", kyro.IntervalDay, "2026-11-22T18:00:00Z", "2026-11-25T06:00:00Z", []string{"6h", "24h", "24h", "6h"}, "2026-11-23 00:00"},
		"clocks are set forward":       {"Europe/Berlin", kyro.IntervalDay, "2026-03-27T23:00:00Z", "2026-03-30T22:00:00Z", []string{"24h", "23h", "24h"}, "2026-03-29 00:00"},
		"clocks are set back":          {"Europe/Berlin", kyro.IntervalDay, "2026-10-23T22:00:00Z", "2026-10-26T23:00:00Z", []string{"24h", "25h", "24h"}, "2026-10-25 00:00"},
		"half an hour":                 {"Asia/Kolkata", kyro.IntervalDay, "2026-11-22T18:30:00Z", "2026-11-24T18:30:00Z", []string{"24h", "24h"}, "2026-11-24 00:00"},
		"hours of half an hour":        {"Asia/Kolkata", kyro.IntervalHour, "2026-11-22T18:00:00Z", "2026-11-22T19:30:00Z", []string{"30m", "1h"}, "2026-11-23 00:00"},
		"an hour that comes twice":     {"Europe/Berlin", kyro.IntervalHour, "2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z", []string{"1h", "1h", "1h"}, "2026-10-25 02:00"},
		"weeks begin on Mondays":       {"UTC", kyro.IntervalWeek, "2026-11-18T00:00:00Z", "2026-12-01T00:00:00Z", []string{"120h", "168h", "24h"}, "2026-11-23 00:00"},
		"no midnight":                  {"America/Sao_Paulo", kyro.IntervalDay, "2018-11-03T03:00:00Z", "2018-11-06T02:00:00Z", []string{"24h", "23h", "24h"}, "2018-11-04 01:00"},
	} {
		from, _ := time.Parse(time.RFC3339, c.from)
		to, _ := time.Parse(time.RFC3339, c.to)
		spans, err := c.interval.Spans(kyro.Span{From: from, To: to}, zone(t, c.zone))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for i, s := range spans {
			if i > 0 && !s.From.Equal(spans[i-1].To) {
				t.Errorf("%s: %s begins after %s ends", name, s.From, spans[i-1].To)
			}
			took := s.To.Sub(s.From)
			if took%time.Hour == 0 {
				got = append(got, fmt.Sprintf("%dh", took/time.Hour))
			} else {
				got = append(got, fmt.Sprintf("%dm", took/time.Minute))
			}
		}
		if !slices.Equal(got, c.want) || !spans[0].From.Equal(from) || !spans[len(spans)-1].To.Equal(to) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		} else if began := spans[1].From.Format("2006-01-02 15:04"); began != c.begin {
			t.Errorf("%s: the second began at %s, want %s", name, began, c.begin)
		}
	}
	now := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	if spans, err := kyro.IntervalWeek.Spans(kyro.Span{From: now.Add(-kyro.MaxAnalyticsSpan), To: now}, time.UTC); err != nil || len(spans) == 0 {
		t.Errorf("the longest time: %v", err)
	}
	for name, whole := range map[string]kyro.Span{
		"nothing":        {From: now, To: now},
		"backwards":      {From: now, To: now.Add(-time.Hour)},
		"too many hours": {From: now.AddDate(0, -2, 0), To: now},
		"ten years":      {From: now.AddDate(-10, 0, 0), To: now},
	} {
		if _, err := kyro.IntervalHour.Spans(whole, time.UTC); kyro.ErrorCode(err) != kyro.CodeBadUserInput {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPercentilesOfTimes(t *testing.T) {
	t.Parallel()
	var times kyro.Times
	if times.Percentile(50) != nil {
		t.Error("a percentile of nothing")
	}
	for bucket := range 3 { // each one further than all before
		times.Count(bucket, 1)
		if len(times) != bucket+1 || *times.Percentile(100) != bucket {
			t.Errorf("after a time of %d ms: %v", bucket, times)
		}
	}
	times = nil
	dice := rand.New(rand.NewPCG(1, 2))
	var plain []int
	for range 5_000 {
		ms := int(dice.ExpFloat64() * 900)
		plain = append(plain, ms)
		times.Count(kyro.TimeBucket(ms), 1)
	}
	slices.Sort(plain)
	for _, percent := range []int{1, 50, 95, 100} {
		exact := plain[(len(plain)*percent+99)/100-1]
		got := *times.Percentile(percent)
		if got > exact || float64(exact-got) > float64(exact)/64 || got != kyro.TimeOf(kyro.TimeBucket(exact)) {
			t.Errorf("%d %%: %d, of %d", percent, got, exact)
		}
	}
	for _, ms := range []int{-5, 0, 1, 127, 128, 129, 1_000, 59_999, 1 << 40} {
		if b := kyro.TimeBucket(ms); kyro.TimeBucket(kyro.TimeOf(b)) != b || kyro.TimeOf(b) > max(ms, 0) {
			t.Errorf("%d ms is in bucket %d of %d ms", ms, b, kyro.TimeOf(b))
		}
	}
}

func TestFiguresOfTwoSpans(t *testing.T) {
	t.Parallel()
	of := func(n int64, model string, buckets ...int) *kyro.Figures {
		f := kyro.NewFigures()
		f.Messages, f.Answers, f.Up, f.Down, f.Cost = n, 10*n, 100*n, 1_000*n, kyro.Money(10_000*n)
		f.People[n], f.Conversations[10*n] = struct{}{}, struct{}{}
		f.Groundings[kyro.Grounded], f.Finishes[kyro.FinishStop] = n, 10*n
		f.AddTokens(model, kyro.Tokens{Prompt: n, Output: 10 * n})
		f.AddTokens("both", kyro.Tokens{Prompt: n, Output: 10 * n})
		for _, bucket := range buckets {
			f.FirstToken.Count(bucket, uint32(n))
			f.Duration.Count(bucket+1, uint32(n))
		}
		return f
	}
	sum := of(1, "one", 2)
	sum.Add(of(2, "two", 0, 4))
	if sum.Messages != 3 || sum.Answers != 30 || sum.Up != 300 || sum.Down != 3_000 || sum.Cost != 30_000 {
		t.Errorf("%+v", sum)
	}
	if people, talks := kyro.Keys(sum.People), kyro.Keys(sum.Conversations); !slices.Equal(people, []int64{1, 2}) || !slices.Equal(talks, []int64{10, 20}) {
		t.Errorf("people %v in %v", people, talks)
	}
	if sum.Groundings[kyro.Grounded] != 3 || sum.Finishes[kyro.FinishStop] != 30 {
		t.Errorf("%v, %v", sum.Groundings, sum.Finishes)
	}
	if got := fmt.Sprint(sum.Tokens); got != "map[both:{3 30} one:{1 10} two:{2 20}]" {
		t.Errorf("tokens %s", got)
	}
	if all := sum.AllTokens(); all != (kyro.Tokens{Prompt: 6, Output: 60}) {
		t.Errorf("all tokens %v", all)
	}
	if got := fmt.Sprint(sum.FirstToken, sum.Duration); got != "[2 0 1 0 2] [0 2 0 1 0 2]" {
		t.Errorf("times %s", got)
	}
	sum.Add(kyro.NewFigures())
	if len(sum.FirstToken) != 5 {
		t.Errorf("times with those of nothing: %v", sum.FirstToken)
	}
}
