package kyro

import (
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// Money is an amount in millionths of the currency that the price table is in.
type Money int64

// MoneyUnit is one whole unit of the currency.
const MoneyUnit Money = 1_000_000

// Units is the amount in units of the currency.
func (m Money) Units() float64 { return float64(m) / float64(MoneyUnit) }

// MoneyOf is an amount of units of the currency, to the nearest millionth.
func MoneyOf(units float64) Money { return Money(math.Round(units * float64(MoneyUnit))) }

// Price is what a model costs.
type Price struct {
	Prompt Money // for a million tokens that it reads
	Output Money // for a million tokens that it writes
}

// MaxPrice is the highest price of a million tokens.
const MaxPrice = 1_000_000 * MoneyUnit

// Prices is the price table of the server.
type Prices struct {
	Currency string // three capital letters, such as USD
	Models   map[string]Price
}

// Of is the price of a model. A name that goes on with a hyphen and digits, as versions of a model do, has the price of the
// name without them. Models that are not in the table cost nothing.
func (p Prices) Of(model string) Price {
	model = strings.TrimPrefix(model, "models/")
	if price, known := p.Models[model]; known {
		return price
	}
	if at := strings.LastIndexByte(model, '-'); at > 0 && at < len(model)-1 && strings.Trim(model[at+1:], "0123456789") == "" {
		return p.Models[model[:at]]
	}
	return Price{}
}

// Cost is what so many tokens cost, rounded up to a millionth.
func (p Prices) Cost(model string, prompt, output int) Money {
	price := p.Of(model)
	return costOf(prompt, price.Prompt) + costOf(output, price.Output)
}

// maxCost is more than any answer costs, and so little that sums of it are numbers.
const maxCost Money = math.MaxInt64 / 1_000_000

func costOf(tokens int, perMillion Money) Money {
	if tokens <= 0 || perMillion <= 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(tokens), uint64(perMillion))
	low, carry := bits.Add64(low, 999_999, 0)
	if high += carry; high >= 1_000_000 {
		return maxCost
	}
	cost, _ := bits.Div64(high, low, 1_000_000)
	return Money(min(cost, uint64(maxCost)))
}

// ParsePrices reads a price table such as "gemini-3.8-flash=0.75/3.75, other=0.10/0.40": of each model what a million tokens
// that it reads and that it writes cost, in units of the currency, with at most six decimals.
func ParsePrices(table string) (map[string]Price, error) {
	models := map[string]Price{}
	for entry := range strings.SplitSeq(table, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		name, price, _ := strings.Cut(entry, "=")
		name = strings.TrimSpace(name)
		prompt, output, both := strings.Cut(price, "/")
		p, good := parseMoney(prompt)
		o, fine := parseMoney(output)
		switch {
		case !both || !good || !fine || !IsModelName(name):
			return nil, fmt.Errorf("%q is no price: use model=prompt/output, such as gemini-3.8-flash=0.75/3.75, for a million tokens", entry)
		case p > MaxPrice || o > MaxPrice:
			return nil, fmt.Errorf("the price of %s is too high: at most 1000000 for a million tokens", name)
		}
		if _, twice := models[name]; twice {
			return nil, fmt.Errorf("%s has two prices", name)
		}
		models[name] = Price{Prompt: p, Output: o}
	}
	return models, nil
}

// parseMoney reads a decimal number without a sign, exactly.
func parseMoney(s string) (Money, bool) {
	whole, fraction, _ := strings.Cut(strings.TrimSpace(s), ".")
	if whole == "" || len(whole) > 9 || len(fraction) > 6 || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, false
	}
	var m Money
	for _, digit := range whole + fraction + "000000"[len(fraction):] {
		m = 10*m + Money(digit-'0')
	}
	return m, true
}
