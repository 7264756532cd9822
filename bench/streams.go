//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"kyrochat/client"
	"kyrochat/internal/gemini"
)

// scriptedAnswer is what the upstream answers, whatever is asked: each word is a token.
var scriptedAnswer = strings.Repeat("one two six ten red ", 1000/20-1) + "one two six ten last"

// spokenTokens is how many tokens every answer has.
var spokenTokens = len(scriptedAnswer) / tokenBytes

// followers are the people whose streams these are.
const followers = 8

// streamLab is what a measurement of streams needs besides.
type streamLab struct {
	*lab
	secret string
	bots   [2][]string // of each person, the one without documents and the one with some
	errOut io.Writer

	profiling string // how the files of profiles begin that the next samples save; empty: none are made
}

// measureStreams measures the scenarios that were asked for.
func measureStreams(ctx context.Context, o options, errOut io.Writer) (page func(args []string) []byte, err error) {
	l := &streamLab{lab: &lab{o: o, busy: loadAverage()}, secret: rand.Text() + rand.Text(), errOut: errOut}
	defer func() { l.close() }()
	if err := l.open(ctx); err != nil {
		return nil, err
	}
	var cells []streamCell
	for _, s := range o.streams {
		c := streamCell{scenario: s}
		for round := range o.rounds {
			for i := range l.sides {
				side := (i + round) % 2
				sample, err := l.sampleStreams(ctx, s, side)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", s, sideNames[side], err)
				}
				c.samples[side] = append(c.samples[side], sample)
			}
		}
		fmt.Fprintf(errOut, "%s: first token %.1f ms, relay %.1f; CPU s/M tokens %.1f, relay %.1f; KB each %.0f, relay %.0f\n", s,
			c.median(0, firstP50), c.median(1, firstP50), c.median(0, streamCPU), c.median(1, streamCPU), c.median(0, streamKB), c.median(1, streamKB))
		cells = append(cells, c)
		if err := l.profileStreams(ctx, s); err != nil {
			return nil, err
		}
	}
	return func(args []string) []byte { return reportStreams(l.streamFacts(ctx, args), cells) }, nil
}

var sideNames = [2]string{"KyroChat", "relay"}

// open starts the database, and makes the people and their bots by a server that is not measured.
func (l *streamLab) open(ctx context.Context) (err error) {
	if l.dir, err = os.MkdirTemp("", "kyrobench"); err != nil {
		return err
	}
	if err = l.build(ctx); err != nil {
		return err
	}
	if l.database, err = openDatabase(ctx, l.o.database); err != nil {
		return err
	}
	model, server, err := l.startStreaming(ctx, 0, upstreamConfig{Text: scriptedAnswer})
	if err != nil {
		return err
	}
	defer model.process.stop()
	defer server.process.stop()
	for i := range followers {
		p, err := signUp(ctx, "http://"+server.address, i)
		if err != nil {
			return err
		}
		l.people = append(l.people, p)
	}
	return l.openBots(ctx, "http://"+server.address)
}

// startStreaming starts the upstream, and the side of that number, which asks it.
func (l *streamLab) startStreaming(ctx context.Context, number int, told upstreamConfig) (model, measured side, err error) {
	if model, err = startByHand(ctx, l.lab, upstreamArgument, told, l.errOut); err != nil {
		return model, measured, err
	}
	if number == 1 {
		measured, err = startByHand(ctx, l.lab, relayArgument, relayConfig{"http://" + model.address, gemini.DefaultKey}, l.errOut)
	} else {
		settings := []string{
			"GEMINI_API_KEY=" + gemini.DefaultKey, "KYRO_GEMINI_URL=http://" + model.address,
			"KYRO_WS_MAX_SOCKETS=100000", "KYRO_MAX_RUNNING_ANSWERS=8192", "KYRO_LOG_LEVEL=error",
		}
		if l.o.redis != "" {
			settings = append(settings, "REDIS_URL=redis://"+l.o.redis)
		}
		measured, err = startServer(ctx, l.lab, l.secret, l.errOut, settings...)
	}
	if err != nil {
		model.process.stop()
	}
	return model, measured, err
}

// warm has the server make some answers at once, which are stopped soon: its connections are there then, and its statements
// prepared.
func (l *streamLab) warm(ctx context.Context, server side, documents bool) error {
	var group errgroup.Group
	for i := range 8 * followers {
		group.Go(func() error {
			c, err := client.New("http://"+server.address, client.Options{Token: l.people[i%followers].token})
			if err != nil {
				return err
			}
			var made struct {
				SendMessage struct{ BotMessage *struct{ ID string } }
			}
			input := map[string]any{"botId": l.botOf(i, documents), "text": "Hello", "clientMessageId": rand.Text()}
			err = c.Do(ctx, sendQuery, map[string]any{"i": input}, &made)
			if err == nil && made.SendMessage.BotMessage == nil {
				err = errors.New("a message was not taken")
			}
			if err == nil {
				err = c.Do(ctx, `mutation($i: StopMessageInput!) { stopMessage(input: $i) { errors { message } } }`,
					map[string]any{"i": map[string]any{"messageId": made.SendMessage.BotMessage.ID}}, nil)
			}
			return err
		})
	}
	return group.Wait()
}

// sampleStreams measures one side once, in a process that has done little else.
func (l *streamLab) sampleStreams(ctx context.Context, s scenario, number int) (sample streamSample, err error) {
	model, measured, err := l.startStreaming(ctx, number, upstreamConfig{
		Text: scriptedAnswer, Pace: s.pace(), Latency: l.o.latency, Embedding: l.o.latency / 4,
	})
	if err != nil {
		return sample, err
	}
	defer model.process.stop()
	defer measured.process.stop()
	for f := range sample {
		sample[f] = math.NaN()
	}
	if number == 0 {
		if err := l.warm(ctx, measured, s.documents); err != nil {
			return sample, err
		}
	}
	before, err := residentBytes(measured.process.pid())
	if err != nil {
		return sample, err
	}
	w := &streamLoad{lab: l, scenario: s, side: measured, number: number, asks: model}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.open(); err != nil {
		return sample, err
	}
	if s.rate == 0 {
		if err := pause(ctx, 2*time.Second); err != nil {
			return sample, err
		}
		after, err := residentBytes(measured.process.pid())
		sample[streamKB] = float64(after-before) / 1000 / float64(s.streams)
		return sample, err
	}
	if err := w.run(ctx); errors.Is(err, errNotHeld) {
		sample[delivered] = 0
		return sample, nil
	} else if err != nil {
		return sample, err
	}
	if w.profiled != nil {
		if err := <-w.profiled; err != nil {
			return sample, err
		}
	}
	if w.noted, err = askedOf(ctx, model); err != nil {
		return sample, err
	}
	w.figures(&sample)
	sample[streamKB] = float64(w.to.resident-before) / 1000 / float64(s.streams)
	return sample, nil
}

// profileStreams saves profiles of both sides, of one more run that is not measured, where they were asked for.
func (l *streamLab) profileStreams(ctx context.Context, s scenario) error {
	if l.o.profiles == "" || s.rate == 0 {
		return nil
	}
	if err := os.MkdirAll(l.o.profiles, 0o755); err != nil {
		return err
	}
	defer func() { l.profiling = "" }()
	for number, name := range sideNames {
		l.profiling = filepath.Join(l.o.profiles, strings.NewReplacer(" ", "-", ",", "", "/", "-").Replace(fmt.Sprintf("%s %s", s, strings.ToLower(name))))
		if _, err := l.sampleStreams(ctx, s, number); err != nil {
			return err
		}
	}
	return nil
}

// saveProfiles takes a side's profiles while all its streams run.
func (l *streamLab) saveProfiles(from side, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, each := range []struct{ file, path string }{{".pprof", "profile?seconds=3"}, {".heap.pprof", "heap"}, {".stacks.txt", "goroutine?debug=1"}, {".memory.txt", "heap?debug=1"}, {".allocs.pprof", "allocs"}} {
		text, err := get(ctx, "http://"+from.admin+"/debug/pprof/"+each.path)
		if err == nil {
			err = os.WriteFile(name+each.file, text, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// residentBytes is how much memory a process has.
func residentBytes(pid int) (int64, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, errors.New("/proc has another form here")
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}
