package doctor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"kyrochat/ai"
)

const (
	aheadMuch = 2 * time.Second // of another clock
	aheadLots = time.Minute     // beyond what tokens of another node are forgiven, and near what storages refuse
)

// datedAnswer is what somebody else's clock said.
type datedAnswer struct {
	who   string
	ahead time.Duration // before this machine
	give  time.Duration // how exact that is
}

// askDates asks for the time where it is told with every answer. No key is sent.
func (p *patient) askDates() (dates []datedAnswer) {
	ask := map[string]string{}
	if p.cfg.Providers.GeminiKey != "" {
		ask["Gemini"] = pick(p.cfg.Providers.GeminiURL != "", p.cfg.Providers.GeminiURL, ai.DefaultGeminiURL)
	}
	if p.cfg.Storage.Bucket.Endpoint != "" {
		ask["the storage"] = p.cfg.Storage.Bucket.Endpoint
	}
	ctx, cancel := p.within(quick)
	defer cancel()
	answers := make(chan *datedAnswer, len(ask))
	for who, url := range ask {
		go func() { answers <- p.askDate(ctx, who, url) }()
	}
	for range ask {
		if d := <-answers; d != nil {
			dates = append(dates, *d)
		}
	}
	return dates
}

func (p *patient) askDate(ctx context.Context, who, url string) *datedAnswer {
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, url, http.NoBody)
	if err != nil {
		return nil
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	asked := p.now()
	answer, err := client.Do(request)
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 4<<10))
	said, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return nil
	}
	took := p.now().Sub(asked)
	return &datedAnswer{who, said.Add(time.Second / 2).Sub(asked.Add(took / 2)), time.Second + took}
}

// lookAtClock holds the clock of this machine against the others that there are.
func lookAtClock(p *patient) []Finding {
	var told []datedAnswer
	if x := p.database(); x.err == nil && x.Postgres != nil {
		told = append(told, datedAnswer{"PostgreSQL", x.Postgres.Ahead, x.Took})
	}
	if p.cfg.RedisURL != "" {
		if x := p.redis(); x.err == nil {
			told = append(told, datedAnswer{"Redis", x.Ahead, x.Took})
		}
	}
	return clockVerdict(append(told, p.dates()...), p.now())
}

// built is a time that every right clock is after: that of the last change of this check.
var built = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func clockVerdict(told []datedAnswer, now time.Time) (found []Finding) {
	const mend = "Have the clock set by the network, on the machine that is wrong:\n  timedatectl set-ntp true"
	if now.Before(built) {
		return []Finding{fail("This machine says that it is "+now.UTC().Format("2 January 2006")+": tokens, certificates and links in mails go by its clock.", mend)}
	}
	var who []string
	for _, each := range told {
		who = append(who, each.who)
		apart := each.ahead.Abs()
		if apart <= aheadMuch+each.give {
			continue
		}
		what := fmt.Sprintf("The clock of this machine is %s %s that of %s.", apart.Round(100*time.Millisecond), pick(each.ahead > 0, "behind", "before"), each.who)
		if apart > aheadLots {
			found = append(found, fail(what+" Tokens of one node are refused by another, and links end too early or too late.", mend))
		} else {
			found = append(found, warn(what, mend))
		}
	}
	if len(found) > 0 {
		return found
	}
	if len(who) == 0 {
		return []Finding{ok("It is %s; there is no other clock to hold that against.", now.UTC().Format("2 January 2006, 15:04:05 UTC"))}
	}
	return []Finding{ok("It is %s, as by %s.", now.UTC().Format("2 January 2006, 15:04:05 UTC"), strings.Join(who, ", "))}
}
