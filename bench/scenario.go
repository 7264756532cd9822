package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// scenario is a number of streams that run at once: each follows an answer of its own over a socket of its own.
type scenario struct {
	streams int
	rate    int // tokens a second, of each; 0: sockets that are open and ask for nothing
	silent  int // those that never read

	documents bool // the bots have some
	once      bool // all begin at once, not one after another
}

// scenarios are what is measured by default.
var scenarios = []scenario{
	{streams: 100, rate: 20}, {streams: 100, rate: 20, documents: true},
	{streams: 100, rate: 20, once: true}, {streams: 100, rate: 20, documents: true, once: true},
	{streams: 1000, rate: 20}, {streams: 2000, rate: 20}, {streams: 2000, rate: 20, silent: 100}, {streams: 5000},
}

func (s scenario) String() string {
	if s.rate == 0 {
		return fmt.Sprintf("%d idle sockets", s.streams)
	}
	text := fmt.Sprintf("%d streams of %d tokens/s", s.streams, s.rate)
	if s.silent > 0 {
		text += fmt.Sprintf(", of which %d never read", s.silent)
	}
	if s.documents {
		text += ", bots with documents"
	}
	if s.once {
		text += ", all begun at once"
	}
	return text
}

func (s scenario) pace() time.Duration { return time.Second / time.Duration(max(1, s.rate)) }

// chosenScenarios reads scenarios such as 2000x20-100+documents+once: streams, tokens a second, those that never read, and
// what is special.
func chosenScenarios(text string) ([]scenario, error) {
	if text == "true" {
		return scenarios, nil
	}
	var list []scenario
	for each := range strings.SplitSeq(text, ",") {
		figures, special, _ := strings.Cut(each, "+")
		streams, rest, found := strings.Cut(figures, "x")
		rate, silent, some := strings.Cut(rest, "-")
		s, err1, err2, err3 := scenario{}, error(nil), error(nil), error(nil)
		for word := range strings.FieldsFuncSeq(special, func(r rune) bool { return r == '+' }) {
			switch word {
			case "documents":
				s.documents = true
			case "once":
				s.once = true
			default:
				found = false
			}
		}
		s.streams, err1 = strconv.Atoi(streams)
		s.rate, err2 = strconv.Atoi(rate)
		if some {
			s.silent, err3 = strconv.Atoi(silent)
		}
		if err1 != nil || err2 != nil || err3 != nil || !found || s.streams < 1 || s.streams > 9000 || s.rate < 0 || s.rate > 1000 ||
			s.silent < 0 || s.silent >= s.streams {
			return nil, fmt.Errorf("%q is not like 100x20 or 2000x20-100+documents+once: streams, tokens a second, those that never read, and what is special", each)
		}
		list = append(list, s)
	}
	return list, nil
}

// streamFigure is one of the things that are measured of a side.
type streamFigure int

// The figures, in the order of the report.
const (
	delivered   streamFigure = iota // tokens, in percent of those that were due
	firstP50                        // ms, from asking to the first token, without what the upstream took
	firstP99                        // ms
	askedP50                        // ms, of these, until the upstream was asked for an answer
	delayP50                        // ms, of a token beyond its time
	delayP95                        // ms
	delayP99                        // ms
	streamCPU                       // s for a million tokens, of the side's own process
	postgresCPU                     // the same of PostgreSQL
	redisCPU                        // the same of Redis
	loadCPU                         // the same of the streams' readers
	upstreamCPU                     // the same of the upstream
	streamKB                        // of memory, for each stream or socket
	inexact                         // streams that were not exact
	streamFigureCount
)

var streamHeads = [streamFigureCount]string{
	"delivered %", "first token p50 ms", "p99 ms", "before asking p50 ms", "delay p50 ms", "p95 ms", "p99 ms",
	"CPU s/M tokens, own", "PostgreSQL", "Redis", "readers", "upstream", "KB each", "not exact",
}

// streamSample is the figures of one side in one round; NaN for what cannot be known, or does not apply.
type streamSample [streamFigureCount]float64

// streamCell is a scenario: the samples of both sides, by round.
type streamCell struct {
	scenario
	samples [2][]streamSample
}

func (c streamCell) median(side int, f streamFigure) float64 {
	var values []float64
	for _, s := range c.samples[side] {
		values = append(values, s[f])
	}
	return median(values)
}

// ratio is the median of the rounds' ratios.
func (c streamCell) ratio(f streamFigure) float64 {
	var values []float64
	for round := range c.samples[0] {
		values = append(values, c.samples[0][round][f]/c.samples[1][round][f])
	}
	return median(values)
}

// streamFacts are what the figures hold for.
func (l *lab) streamFacts(ctx context.Context, args []string) string {
	return fmt.Sprintf("Measured on %s at revision %s with `%s`: %d cores%s, %s, PostgreSQL %s on the same machine, with %d connections. The model takes %v to its first byte. Medians of %d rounds. Load average before: %s.",
		time.Now().Format(time.DateOnly), revision(ctx), strings.Join(append([]string{"go run ./bench"}, args...), " "), runtime.NumCPU(), processor(),
		runtime.Version(), l.database.version, l.o.pool, l.o.latency, l.o.rounds, l.busy)
}

// reportStreams writes the page: a table for each scenario.
func reportStreams(facts string, cells []streamCell) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n", facts)
	for _, c := range cells {
		fmt.Fprintf(&b, "\n**%s**\n\n", c.scenario)
		shown := []streamFigure{streamKB}
		if c.rate > 0 {
			shown = shown[:0]
			for f := range streamFigureCount {
				if f != redisCPU || !math.IsNaN(c.median(0, f)) {
					shown = append(shown, f)
				}
			}
		}
		row := func(name string, value func(streamFigure) string) {
			fmt.Fprintf(&b, "| %s |", name)
			for _, f := range shown {
				fmt.Fprintf(&b, " %s |", value(f))
			}
			b.WriteByte('\n')
		}
		row("", func(f streamFigure) string { return streamHeads[f] })
		b.WriteString("|---|" + strings.Repeat("---|", len(shown)) + "\n")
		row("KyroChat", func(f streamFigure) string { return written(c.median(0, f)) })
		row("relay", func(f streamFigure) string { return written(c.median(1, f)) })
		row("ratio", func(f streamFigure) string {
			if r := c.ratio(f); f != inexact && f != loadCPU && f != upstreamCPU && f != askedP50 && !math.IsNaN(r) && !math.IsInf(r, 0) {
				return fmt.Sprintf("**%.2f**", r)
			}
			return "–"
		})
	}
	return b.Bytes()
}
