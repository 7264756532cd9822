package kyro

import (
	"cmp"
	"slices"
	"time"
)

// UsageKind is what something was spent for.
type UsageKind string

// The kinds of usage.
const (
	UsageAnswer    UsageKind = "ANSWER"
	UsageIngestion UsageKind = "INGESTION"
)

// UsageFigures are sums over answers that ended, each in the hour in which it was asked for.
type UsageFigures struct {
	Messages     int64
	PromptTokens int64
	OutputTokens int64
	Cost         Money
}

// TotalTokens is prompt and output together.
func (f *UsageFigures) TotalTokens() int64 { return f.PromptTokens + f.OutputTokens }

// CostUnits is the cost in units of the currency.
func (f *UsageFigures) CostUnits() float64 { return f.Cost.Units() }

// PromptCount is PromptTokens as clients are told of them: the whole numbers of GraphQL are shorter.
func (f *UsageFigures) PromptCount() float64 { return float64(f.PromptTokens) }

// OutputCount is OutputTokens likewise.
func (f *UsageFigures) OutputCount() float64 { return float64(f.OutputTokens) }

// TotalCount is TotalTokens likewise.
func (f *UsageFigures) TotalCount() float64 { return float64(f.TotalTokens()) }

func (f *UsageFigures) add(o UsageFigures) {
	f.Messages += o.Messages
	f.PromptTokens += o.PromptTokens
	f.OutputTokens += o.OutputTokens
	f.Cost += o.Cost
}

// Usage is what an account, a bot or an API key used from one time to another.
type Usage struct {
	UsageFigures
	From, To time.Time
	TimeZone string
	Currency string
	Models   []ModelUsage // the one with the most tokens first
	Bots     []BotUsage   // likewise
	APIKeys  []KeyUsage   // likewise
	Days     []DayUsage   // from the first to the last, those without any included
}

// ModelUsage is what one model was used for; the empty name stands for answers that no model wrote a word of.
type ModelUsage struct {
	UsageFigures
	Kind  UsageKind
	Model string
}

// BotUsage is what answers of one bot took.
type BotUsage struct {
	UsageFigures
	BotID ID
}

// KeyUsage is what was sent with one API key; the zero ID stands for what was sent in person.
type KeyUsage struct {
	UsageFigures
	KeyID ID
}

// APIKeyID is the key; nil for what was sent in person.
func (u *KeyUsage) APIKeyID() *ID {
	if u.KeyID.IsZero() {
		return nil
	}
	return &u.KeyID
}

// DayUsage is what was used on one day of the time zone.
type DayUsage struct {
	UsageFigures
	Date string // such as 2026-11-29
}

// UsageRange is for which time usage is asked for.
type UsageRange struct {
	From, To time.Time // whole hours of UTC, From included and To not
	Zone     *time.Location
}

// MaxUsageRange is the longest time that usage can be asked for.
const MaxUsageRange = 366 * 24 * time.Hour

// NewUsageRange reads what somebody asks for. Without from it begins with the month of the zone that to is in; without to it
// ends with the present hour. Both are taken to the hours of UTC that they are in. BAD_USER_INPUT for a zone that is not
// known, and for a range that is empty or longer than MaxUsageRange.
func NewUsageRange(from, to *time.Time, zone string, now time.Time) (UsageRange, error) {
	none := UsageRange{}
	if zone == "" || zone == "Local" {
		return none, unknownZone(zone)
	}
	place, err := time.LoadLocation(zone)
	if err != nil {
		return none, unknownZone(zone)
	}
	end := now.UTC().Truncate(time.Hour).Add(time.Hour)
	if to != nil {
		end = to.UTC().Add(time.Hour - 1).Truncate(time.Hour)
	}
	last := end.Add(-1).In(place)
	begin := time.Date(last.Year(), last.Month(), 1, 0, 0, 0, 0, place).UTC().Truncate(time.Hour)
	if from != nil {
		begin = from.UTC().Truncate(time.Hour)
	}
	if !begin.Before(end) {
		return none, Errorf(CodeBadUserInput, "from must be before to.")
	}
	if end.Sub(begin) > MaxUsageRange {
		return none, Errorf(CodeBadUserInput, "At most %d days of usage at once: choose from and to nearer to each other.", MaxUsageRange/(24*time.Hour))
	}
	return UsageRange{From: begin, To: end, Zone: place}, nil
}

func unknownZone(zone string) error {
	return Errorf(CodeBadUserInput, "%s is no time zone: use a name of the IANA database, such as Europe/Berlin, or UTC.", quoteShort(zone))
}

// UsageEntry is one sum of usage that is kept.
type UsageEntry struct {
	UsageFigures
	BotID ID
	KeyID ID // zero: in person
	Kind  UsageKind
	Model string
}

// EmbeddingUsage is what the embeddings of passages of a bot took.
type EmbeddingUsage struct {
	BotID  ID
	Tokens int // estimated
	Cost   Money
	At     time.Time
}

// UsageHour is the sum of one hour.
type UsageHour struct {
	UsageFigures
	Hour time.Time
}

// UsageOf puts together what is kept of a range.
func UsageOf(r UsageRange, entries []UsageEntry, hours []UsageHour) Usage {
	u := Usage{From: r.From, To: r.To, TimeZone: r.Zone.String(), Models: []ModelUsage{}, Bots: []BotUsage{}, APIKeys: []KeyUsage{}}
	type use struct {
		kind  UsageKind
		model string
	}
	models, bots, keys := map[use]UsageFigures{}, map[ID]UsageFigures{}, map[ID]UsageFigures{}
	for _, e := range entries {
		u.add(e.UsageFigures)
		addTo(models, use{e.Kind, e.Model}, e.UsageFigures)
		addTo(bots, e.BotID, e.UsageFigures)
		addTo(keys, e.KeyID, e.UsageFigures)
	}
	for of, f := range models {
		u.Models = append(u.Models, ModelUsage{f, of.kind, of.model})
	}
	for bot, f := range bots {
		u.Bots = append(u.Bots, BotUsage{f, bot})
	}
	for key, f := range keys {
		u.APIKeys = append(u.APIKeys, KeyUsage{f, key})
	}
	slices.SortFunc(u.Models, func(a, b ModelUsage) int {
		return cmp.Or(mostFirst(&a.UsageFigures, &b.UsageFigures), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Kind, b.Kind))
	})
	slices.SortFunc(u.Bots, func(a, b BotUsage) int {
		return cmp.Or(mostFirst(&a.UsageFigures, &b.UsageFigures), cmp.Compare(a.BotID.Key, b.BotID.Key))
	})
	slices.SortFunc(u.APIKeys, func(a, b KeyUsage) int {
		return cmp.Or(mostFirst(&a.UsageFigures, &b.UsageFigures), cmp.Compare(a.KeyID.Key, b.KeyID.Key))
	})
	u.Days = days(r, hours)
	return u
}

func addTo[K comparable](sums map[K]UsageFigures, key K, f UsageFigures) {
	sum := sums[key]
	sum.add(f)
	sums[key] = sum
}

func mostFirst(a, b *UsageFigures) int {
	return cmp.Or(cmp.Compare(b.TotalTokens(), a.TotalTokens()), cmp.Compare(b.Messages, a.Messages))
}

// days are all days of the range, with their sums. An hour counts for the day that it begins on.
func days(r UsageRange, hours []UsageHour) []DayUsage {
	sums := map[string]UsageFigures{}
	for _, h := range hours {
		addTo(sums, h.Hour.In(r.Zone).Format(time.DateOnly), h.UsageFigures)
	}
	first := r.From.In(r.Zone)
	list := []DayUsage{}
	last := r.To.Add(-time.Hour).In(r.Zone).Format(time.DateOnly)
	for n := 0; ; n++ {
		// Noon is on the day whatever the clocks do.
		date := time.Date(first.Year(), first.Month(), first.Day()+n, 12, 0, 0, 0, r.Zone).Format(time.DateOnly)
		if date > last {
			return list
		}
		list = append(list, DayUsage{sums[date], date})
	}
}
