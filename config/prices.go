package config

import (
	"strings"

	"kyrochat/kyro"
)

// readPrices reads the price table. Nobody's prices are known here: without one, everything costs 0.
func (r *reader) readPrices(c *Config) {
	p := &c.Prices
	p.Currency = r.text("KYRO_CURRENCY", "USD")
	if len(p.Currency) != 3 || strings.Trim(p.Currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		r.wrong("KYRO_CURRENCY", "is %q: use three capital letters, such as USD", p.Currency)
	}
	var err error
	if p.Models, err = kyro.ParsePrices(r.text("KYRO_PRICES", "")); err != nil {
		r.wrong("KYRO_PRICES", "%s", err)
	}
}
