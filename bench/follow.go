//go:build linux

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// start is when a stream begins: one after another over two fifths of the time that a stream takes, so that all run at
// once for more than half of it.
func (w *streamLoad) start(number int) time.Duration {
	if w.once {
		return 0
	}
	return time.Duration(spokenTokens) * w.pace() * 2 / 5 * time.Duration(number) / time.Duration(w.streams)
}

const (
	sendQuery   = `mutation($i: SendMessageInput!) { sendMessage(input: $i) { botMessage { id } errors { message } } }`
	streamQuery = `subscription($m: ID!) { messageStream(messageId: $m) { __typename ` +
		`... on MessageDelta { seq cursor text } ... on MessageSnapshot { seq cursor message { text } } ` +
		`... on MessageStage { seq cursor status } ... on MessageFinished { seq message { text } } } }`
)

// follower is one stream and what has come of it.
type follower struct {
	*wire
	number   int
	silent   bool
	asked    time.Duration // since the load began, as all times here
	at       []time.Duration
	seq      int  // of the last event
	placed   bool // there was one
	got      int  // bytes of text
	finished int
	complete bool
	wrong    string
}

// streamLoad follows all streams of a scenario, in one thread.
type streamLoad struct {
	scenario
	lab    *streamLab
	side   side
	number int           // of the side
	asks   side          // the upstream, of both
	noted  map[int]asked // by the upstream, by the number of the stream

	begun     time.Time
	poll      *poll
	followers []*follower
	started   int // asked for
	speaking  int // readers that have their first token
	over      int // readers that have their end
	tokens    int
	window    [2]int // tokens that had come when all spoke, and when the first was at its end
	from, to  usage
	marks     chan usage
	profiled  chan error
}

// usage is what has been used at a time.
type usage struct {
	at                           time.Duration
	side, postgres, redis, ours  time.Duration
	upstream                     time.Duration
	resident                     int64
	postgresKnown, redisMeasured bool
}

func (w *streamLoad) open() (err error) {
	if w.poll, err = newPoll(); err != nil {
		return err
	}
	w.marks = make(chan usage, 2)
	for i := range w.streams {
		f := &follower{number: i, silent: i%max(1, w.streams/max(1, w.silent)) == 0 && i/(w.streams/max(1, w.silent)) < w.silent}
		receive := 0
		if f.silent {
			receive = 4 << 10
		}
		if f.wire, err = dialWire(w.side.address, w.lab.people[i%followers].token, receive); err != nil {
			return fmt.Errorf("socket %d: %w", i, err)
		}
		f.at = make([]time.Duration, 0, spokenTokens)
		w.followers = append(w.followers, f)
		if err := w.poll.add(f.wire, i); err != nil {
			return err
		}
	}
	return nil
}

func (w *streamLoad) close() error {
	var errs []error
	for _, f := range w.followers {
		errs = append(errs, f.wire.close())
	}
	if w.poll != nil {
		errs = append(errs, w.poll.close())
	}
	return errors.Join(errs...)
}

// run starts the streams and follows them to their ends.
func (w *streamLoad) run(ctx context.Context) error {
	readers := w.streams - w.silent
	w.begun = time.Now()
	buffer := make([]byte, 64<<10)
	last := 3*time.Duration(spokenTokens)*w.pace() + 10*time.Second
	for w.over < readers {
		now := time.Since(w.begun)
		for w.started < w.streams && now >= w.start(w.started) {
			f := w.followers[w.started]
			w.started++
			f.asked = time.Since(w.begun)
			if err := w.ask(f); err != nil {
				return err
			}
		}
		patience := 20 * time.Millisecond
		if w.started < w.streams {
			patience = time.Millisecond
		}
		err := w.poll.wait(patience, func(number int) error { return w.hear(w.followers[number], buffer) })
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case w.window[1] < 0:
			return w.await()
		case now > last:
			return w.await() // those that have no end are not exact
		}
	}
	return w.await()
}

// errNotHeld is a side that cannot have so many streams at once.
var errNotHeld = errors.New("the streams did not run all at once for a second")

// await takes what was measured at both ends of the window.
func (w *streamLoad) await() error {
	if w.window[0] == 0 || w.window[1] <= 0 {
		fmt.Fprintf(w.lab.errOut, "%s: the streams did not all run at once: %d of %d had begun when the first ended\n", sideNames[w.number], w.speaking, w.streams-w.silent)
		return errNotHeld
	}
	w.from, w.to = <-w.marks, <-w.marks
	if w.from.at > w.to.at {
		w.from, w.to = w.to, w.from
	}
	if w.to.at-w.from.at < time.Second {
		return errNotHeld
	}
	return nil
}

// ask begins a stream: by a message to the bot, or at the relay by the stream itself.
func (w *streamLoad) ask(f *follower) error {
	if w.number == 1 {
		return w.follow(f, question(f.number))
	}
	return w.operate(f, "ask", sendQuery, map[string]any{"i": map[string]string{
		"botId": w.lab.botOf(f.number, w.documents), "text": question(f.number),
		"clientMessageId": fmt.Sprintf("%d-%d", w.begun.UnixNano(), f.number),
	}})
}

// question is what is asked over a stream: another one over each, since one that was asked of late is embedded already.
func question(number int) string {
	return "When does the warranty of " + mark(number) + " end?"
}

func (w *streamLoad) follow(f *follower, message string) error {
	if f.silent {
		if err := w.poll.remove(f.wire); err != nil {
			return err
		}
	}
	return w.operate(f, "s", streamQuery, map[string]any{"m": message})
}

func (w *streamLoad) operate(f *follower, id, query string, variables map[string]any) error {
	text, err := json.Marshal(map[string]any{"id": id, "type": "subscribe", "payload": map[string]any{"query": query, "variables": variables}})
	if err != nil {
		return err
	}
	return f.say(string(text))
}

// hear takes what has come of a stream.
func (w *streamLoad) hear(f *follower, buffer []byte) error {
	now := time.Since(w.begun)
	before, ended := len(f.at), f.complete
	var next error
	err := f.read(buffer, func(message []byte) {
		if err := w.take(f, message, now); err != nil {
			next = err
		}
	})
	if err != nil && !f.complete {
		f.note("%v", err)
		f.complete = true
	}
	if f.ended {
		err = w.poll.remove(f.wire)
	} else {
		err = nil
	}
	if !f.silent {
		w.count(f, before, ended)
	}
	return cmp.Or(next, err)
}

// count keeps account of how far all are, and marks the time in which all of them speak.
func (w *streamLoad) count(f *follower, before int, ended bool) {
	w.tokens += len(f.at) - before
	if before == 0 && len(f.at) > 0 {
		if w.speaking++; w.speaking == w.streams-w.silent && w.window[1] == 0 {
			w.window[0] = w.tokens
			w.mark()
			if name := w.lab.profiling; name != "" {
				w.profiled = make(chan error, 1)
				go func() { w.profiled <- w.lab.saveProfiles(w.side, name) }()
			}
		}
	}
	if f.complete && !ended {
		w.over++
	}
	switch {
	case len(f.at) < spokenTokens-1:
	case w.window[0] == 0:
		w.window[1] = -1 // the first is at its end, and not all speak
	case w.window[1] == 0:
		w.window[1] = w.tokens
		w.mark()
	}
}

// mark reads what has been used until now, beside the thread that follows.
func (w *streamLoad) mark() {
	at := time.Since(w.begun)
	go func() {
		u := usage{at: at}
		u.resident, _ = residentBytes(w.side.process.pid())
		if p, err := readProcess(w.side.process.pid()); err == nil {
			u.side = p.used
		}
		if p, err := readProcess(os.Getpid()); err == nil {
			u.ours = p.used
		}
		if p, err := readProcess(w.asks.process.pid()); err == nil {
			u.upstream = p.used
		}
		u.redis, u.redisMeasured = redisUsed(w.lab.o.redis)
		if w.lab.database.postmaster != 0 {
			used, err := family(w.lab.database.postmaster)
			u.postgres, u.postgresKnown = used, err == nil
		}
		w.marks <- u
	}()
}

var (
	deltaHead = []byte(`"MessageDelta","seq":`)
	textHead  = []byte(`"text":"`)
)

// take takes one message. A token is read without the help of a JSON parser, since there are so many.
func (w *streamLoad) take(f *follower, message []byte, now time.Duration) error {
	if at := bytes.Index(message, deltaHead); at >= 0 {
		rest := message[at+len(deltaHead):]
		seq := 0
		for len(rest) > 0 && '0' <= rest[0] && rest[0] <= '9' {
			seq, rest = 10*seq+int(rest[0]-'0'), rest[1:]
		}
		start := bytes.Index(rest, textHead)
		length := bytes.IndexByte(rest[max(0, start+len(textHead)):], '"')
		if start < 0 || length < 0 {
			return fmt.Errorf("an event has another form: %.300s", message)
		}
		f.event(seq)
		f.text(string(rest[start+len(textHead):][:length]), now)
		return nil
	}
	var m struct {
		Type, ID string
		Payload  json.RawMessage
	}
	if err := json.Unmarshal(message, &m); err != nil {
		return fmt.Errorf("%w: %.300s", err, message)
	}
	switch {
	case m.Type == "complete":
		f.complete = f.complete || m.ID == "s"
	case m.Type != "next" || bytes.Contains(m.Payload, []byte(`"errors":[{`)):
		f.note("%.300s", message)
		f.complete = true
	case m.ID == "ask":
		return w.answered(f, m.Payload)
	default:
		return f.other(m.Payload, now)
	}
	return nil
}

// answered goes on with the stream of the answer to come.
func (w *streamLoad) answered(f *follower, payload []byte) error {
	var told struct {
		Data struct {
			SendMessage struct{ BotMessage *struct{ ID string } }
		}
	}
	if err := json.Unmarshal(payload, &told); err != nil || told.Data.SendMessage.BotMessage == nil {
		return fmt.Errorf("the message was not taken: %w %.300s", err, payload)
	}
	return w.follow(f, told.Data.SendMessage.BotMessage.ID)
}

// other takes an event that is not a token.
func (f *follower) other(payload []byte, now time.Duration) error {
	var told struct {
		Data struct {
			MessageStream struct {
				Typename string `json:"__typename"`
				Seq      int
				Message  struct{ Text string }
			}
		}
	}
	if err := json.Unmarshal(payload, &told); err != nil {
		return fmt.Errorf("%w: %.300s", err, payload)
	}
	switch e := told.Data.MessageStream; e.Typename {
	case "MessageSnapshot":
		// It replaces what was shown, at the beginning and where a reader is behind.
		if len(e.Message.Text) < f.got {
			f.note("a snapshot takes text back")
		}
		f.seq, f.placed, f.got = e.Seq, true, 0
		f.text(e.Message.Text, now)
	case "MessageFinished":
		f.event(e.Seq)
		f.finished++
		if e.Message.Text != scriptedAnswer || f.got != len(scriptedAnswer) {
			f.note("%d bytes came, %d are stored", f.got, len(e.Message.Text))
		}
	default:
		f.event(e.Seq)
	}
	return nil
}

func (f *follower) event(seq int) {
	if f.placed && seq != f.seq+1 {
		f.note("event %d follows %d", seq, f.seq)
	}
	f.seq, f.placed = seq, true
}

// text takes tokens.
func (f *follower) text(s string, now time.Duration) {
	if !strings.HasPrefix(scriptedAnswer[min(f.got, len(scriptedAnswer)):], s) {
		f.note("other text at %d", f.got)
	}
	f.got += len(s)
	for len(f.at) < f.got/tokenBytes {
		f.at = append(f.at, now)
	}
}

func (f *follower) note(format string, args ...any) {
	if f.wrong == "" {
		f.wrong = fmt.Sprintf(format, args...)
	}
}
