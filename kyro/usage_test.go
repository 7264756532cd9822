package kyro_test

import (
	"fmt"
	"testing"
	"time"

	"kyrochat/kyro"
)

func TestUsageIsAskedForWholeHours(t *testing.T) {
	now := time.Date(2026, 11, 27, 10, 12, 0, 0, time.UTC)
	at := func(s string) *time.Time {
		parsed, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return &parsed
	}
	for _, c := range []struct {
		from, to *time.Time
		zone     string
		want     string
	}{
		{nil, nil, "UTC", "2026-11-01T00:00:00Z 2026-11-27T11:00:00Z"},
		{nil, nil, "Europe/Berlin", "2026-10-31T23:00:00Z 2026-11-27T11:00:00Z"},
		{nil, at("2026-11-01T00:00:00Z"), "UTC", "2026-10-01T00:00:00Z 2026-11-01T00:00:00Z"},
		{at("2026-11-03T10:59:59Z"), at("2026-11-03T11:00:01Z"), "UTC", "2026-11-03T10:00:00Z 2026-11-03T12:00:00Z"},
		{at("2025-11-26T11:00:00Z"), nil, "UTC", "2025-11-26T11:00:00Z 2026-11-27T11:00:00Z"},
		{at("2025-11-26T10:59:00Z"), nil, "UTC", ""},
		{at("2026-11-27T12:00:00Z"), nil, "UTC", ""},
		{at("2025-11-20T11:00:00Z"), nil, "UTC", ""},
		{nil, nil, "", ""}, {nil, nil, "Local", ""}, {nil, nil, "../etc/passwd", ""}, {nil, nil, "Mars/Olympus", ""},
	} {
		r, err := kyro.NewUsageRange(c.from, c.to, c.zone, now)
		got := r.From.Format(time.RFC3339) + " " + r.To.Format(time.RFC3339)
		if c.want == "" {
			if kyro.ErrorCode(err) != kyro.CodeBadUserInput {
				t.Errorf("%v to %v in %q: %s, %v", c.from, c.to, c.zone, got, err)
			}
		} else if err != nil || got != c.want {
			t.Errorf("%v to %v in %q: %s, %v, want %s", c.from, c.to, c.zone, got, err, c.want)
		}
	}
}

// Every hour is of one day, also where the clocks are put forward and back.
func TestDaysOfUsage(t *testing.T) {
	for _, c := range []struct {
		zone, from, to string
		want           string
	}{
		{"UTC", "2026-11-26T22:00:00Z", "2026-11-28T01:00:00Z", "[2026-11-26:2 2026-11-27:24 2026-11-28:1]"},
		{"Europe/Berlin", "2026-10-23T22:00:00Z", "2026-10-25T23:00:00Z", "[2026-10-24:24 2026-10-25:25]"},
		{"Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-30T00:00:00Z", "[2026-03-29:23 2026-03-30:2]"},
		{"Asia/Kolkata", "2026-11-26T18:00:00Z", "2026-11-27T20:00:00Z", "[2026-11-26:1 2026-11-27:24 2026-11-28:1]"},
		{"America/Sao_Paulo", "2026-11-27T02:00:00Z", "2026-11-27T04:00:00Z", "[2026-11-26:1 2026-11-27:1]"},
	} {
		from, err1 := time.Parse(time.RFC3339, c.from)
		to, err2 := time.Parse(time.RFC3339, c.to)
		r, err := kyro.NewUsageRange(&from, &to, c.zone, to)
		if err1 != nil || err2 != nil || err != nil {
			t.Fatal(err1, err2, err)
		}
		var hours []kyro.UsageHour
		for at := r.From; at.Before(r.To); at = at.Add(time.Hour) {
			hours = append(hours, kyro.UsageHour{Hour: at, UsageFigures: kyro.UsageFigures{Messages: 1}})
		}
		var got []string
		for _, day := range kyro.UsageOf(r, nil, hours).Days {
			got = append(got, fmt.Sprintf("%s:%d", day.Date, day.Messages))
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v, want %s", c.zone, got, c.want)
		}
	}
}

func TestUsageIsSummedUp(t *testing.T) {
	from := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	r, err := kyro.NewUsageRange(&from, nil, "UTC", from.Add(30*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	entry := func(bot, key int64, model string, n int64) kyro.UsageEntry {
		return kyro.UsageEntry{UsageFigures: kyro.UsageFigures{Messages: n, PromptTokens: 10 * n, OutputTokens: 100 * n, Cost: kyro.Money(1_000 * n)},
			BotID: kyro.BotID(bot), KeyID: kyro.APIKeyID(key), Model: model}
	}
	u := kyro.UsageOf(r, []kyro.UsageEntry{entry(1, 1, "small", 1), entry(2, 2, "large", 2), entry(1, 2, "large", 4)}, nil)
	if got := fmt.Sprint(u.UsageFigures, u.TotalTokens()); got != "{7 70 700 7000} 770" {
		t.Errorf("all: %s", got)
	}
	if len(u.Models) != 2 || u.Models[0].Model != "large" || u.Models[0].TotalTokens() != 660 || u.Models[1].Cost != 1_000 {
		t.Errorf("by model: %+v", u.Models)
	}
	if len(u.Bots) != 2 || u.Bots[0].BotID != kyro.BotID(1) || u.Bots[0].Messages != 5 || u.Bots[1].PromptTokens != 20 {
		t.Errorf("by bot: %+v", u.Bots)
	}
	if len(u.APIKeys) != 2 || u.APIKeys[0].KeyID != kyro.APIKeyID(2) || u.APIKeys[0].OutputTokens != 600 {
		t.Errorf("by key: %+v", u.APIKeys)
	}
	if sum := (&kyro.MessageUsage{PromptTokens: 3, OutputTokens: 4}).TotalTokens(); sum != 7 {
		t.Errorf("a message took %d tokens", sum)
	}
}
