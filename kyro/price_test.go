package kyro_test

import (
	"math"
	"testing"

	"kyrochat/kyro"
)

func TestPrices(t *testing.T) {
	models, err := kyro.ParsePrices(" gemini-3.8-flash=0.75/3.75 ,models/other = 0.000001 / 12,\n")
	if err != nil {
		t.Fatal(err)
	}
	p := kyro.Prices{Models: models}
	for _, c := range []struct {
		model          string
		prompt, output int
		cost           kyro.Money
	}{
		{"gemini-3.8-flash", 1_000_000, 1_000_000, 4_500_000}, {"gemini-3.8-flash", 1, 0, 1}, {"gemini-3.8-flash", 4, 4, 3 + 15},
		{"gemini-3.8-flash-001", 4, 0, 3}, {"models/gemini-3.8-flash", 4, 0, 3}, {"gemini-3.8-flash-lite", 4, 4, 0}, {"gemini-3.8", 4, 4, 0},
		{"", 4, 4, 0}, {"-001", 4, 4, 0}, {"001", 4, 4, 0}, {"gemini-3.8-flash-", 4, 4, 0}, {"gemini-3.8-flash", 0, 0, 0}, {"gemini-3.8-flash", -5, -5, 0}, {"kyro-extractive-1", 1_000, 1_000, 0},
	} {
		if got := p.Cost(c.model, c.prompt, c.output); got != c.cost {
			t.Errorf("%d and %d tokens of %q cost %d, want %d", c.prompt, c.output, c.model, got, c.cost)
		}
	}
	dear := kyro.Prices{Models: map[string]kyro.Price{"m": {Prompt: kyro.MaxPrice, Output: kyro.MaxPrice}}}
	if got := dear.Cost("m", math.MaxInt64, math.MaxInt64); got <= 0 {
		t.Errorf("what nobody can pay costs %d", got)
	}
	half := kyro.Prices{Models: map[string]kyro.Price{"m": {Prompt: 4 * kyro.MoneyUnit}}} // of 2^62 tokens: 2^64 millionths, which is no number
	if got := half.Cost("m", 1<<62, 0); got != dear.Cost("m", math.MaxInt64, 0) {
		t.Errorf("what nobody can pay costs %d", got)
	}
	if models, err := kyro.ParsePrices("a=1/1,,b=1000000/1000000"); err != nil || len(models) != 2 || models["b"].Output != kyro.MaxPrice {
		t.Errorf("prices up to the highest: %v, %v", models, err)
	}
	for _, bad := range []string{"m=1/1000001", "m", "m=", "m=1", "m=1/", "m=-1/1", "m=1e3/1", "m=.5/1", "m=1/0.1234567", "m=1/1,m=2/2", "=1/1", "a b=1/1", "m=1000001/1", "m=9999999999/1", "m=1/2/3"} {
		if models, err := kyro.ParsePrices(bad); err == nil {
			t.Errorf("%q gives %v", bad, models)
		}
	}
}

func TestMoneyIsExact(t *testing.T) {
	for _, units := range []float64{0, 0.1, 1.25, 0.000001, 999_999_999.999999} {
		if got := kyro.MoneyOf(units).Units(); got != units {
			t.Errorf("%v becomes %v", units, got)
		}
	}
}
