package main

import (
	"fmt"
	"strings"

	"kyrochat/kyro"
)

// followAnswer is what a tab asks for.
const followAnswer = `subscription($m: ID!, $a: StreamCursor) { messageStream(messageId: $m, after: $a) { kind: __typename
	... on MessageSnapshot { seq cursor message { status text } } ... on MessageDelta { seq cursor piece: text } ... on MessageStage { seq cursor status }
	... on MessageFinished { seq cursor finishReason message { status text } } } }`

// streamEvent is one event of an answer.
type streamEvent struct {
	Kind    string
	Seq     int64
	Cursor  string
	Piece   string
	Message struct{ Status, Text string }
}

// tab is a window that shows an answer while it is written. It keeps what an app keeps: the text, and the cursor of the
// last event it handled. Everything that the contract says of the next event is checked with each; what cannot be known
// yet while something is broken is allowed where disturbed says so.
type tab struct {
	answer    string // the message's id
	violated  func(format string, args ...any)
	disturbed func() bool // something but the tab's own connection was broken since it began

	text     string
	cursor   string // "" before the first event
	place    kyro.StreamCursor
	past     []passed
	finished *streamEvent

	snapshots, setBack, restarts int // snapshots where events could have been; how many seqs were taken back; new attempts
}

// passed is a place that was shown before, and how much was shown then.
type passed struct {
	cursor string
	place  kyro.StreamCursor
	length int
}

// goBack shows again what was shown at a place, as a tab does that kept an old cursor.
func (t *tab) goBack(to passed) {
	t.text, t.cursor, t.place = t.text[:to.length], to.cursor, to.place
	t.finished = nil
	for len(t.past) > 0 && t.past[len(t.past)-1].place.Seq > to.place.Seq {
		t.past = t.past[:len(t.past)-1]
	}
}

// listening is one subscription of a tab: what it asked for, and what it may get.
type listening struct {
	*tab
	asked  string // how the cursor was chosen
	events int
	ended  bool // MessageFinished came
}

// snapshotDue says that the first event must be a snapshot: the server cannot know such a place.
func (l *listening) snapshotDue() bool {
	return l.asked == noCursor || l.asked == futureCursor || l.asked == otherAttempt
}

// handle shows an event, and notes what the contract does not allow.
func (l *listening) handle(e streamEvent) {
	at, err := kyro.ParseStreamCursor(e.Cursor)
	if err != nil {
		l.violated("%s: an event without a good cursor: %+v", l.answer, e)
		return
	}
	first := l.events == 0
	l.events++
	switch {
	case at.Stream.String() != l.answer || at.Seq != e.Seq:
		l.violated("%s: the cursor of an event is %+v, and its seq %d", l.answer, at, e.Seq)
	case l.ended:
		l.violated("%s: a %s after the end", l.answer, e.Kind)
	case first && l.snapshotDue() && e.Kind != "MessageSnapshot":
		l.violated("%s: with %s the first event is a %s, seq %d", l.answer, l.asked, e.Kind, e.Seq)
	}
	before := l.place
	fresh := before.Attempt == 0 && before.Seq == 0 // before anything was to be seen
	switch e.Kind {
	case "MessageSnapshot":
		l.snapshot(e, at, first)
	case "MessageStage", "MessageDelta":
		if at.Attempt != before.Attempt && !fresh || at.Seq != before.Seq+1 {
			l.violated("%s: event %d of attempt %d after %d of attempt %d, with %s", l.answer, at.Seq, at.Attempt, before.Seq, before.Attempt, l.asked)
		}
		l.text += e.Piece
	case "MessageFinished":
		again := first && at == before // the place of the end itself was asked for
		if !again && (at.Attempt != before.Attempt && !fresh || at.Seq != before.Seq+1) {
			l.violated("%s: the end is event %d of attempt %d, after %d of attempt %d", l.answer, at.Seq, at.Attempt, before.Seq, before.Attempt)
		}
		if l.text != e.Message.Text {
			l.violated("%s: shown is %s with %s", l.answer, difference(l.text, e.Message.Text), l.asked)
		}
		l.ended, l.finished = true, &e
	default:
		l.violated("%s: an event of the kind %q", l.answer, e.Kind)
	}
	l.cursor, l.place = e.Cursor, at
	l.past = append(l.past, passed{e.Cursor, at, len(l.text)})
}

// snapshot replaces what is shown. It may be shorter only where a server was lost that knew more.
func (l *listening) snapshot(e streamEvent, at kyro.StreamCursor, first bool) {
	before, shown, now := l.place, l.text, e.Message.Text
	switch {
	case l.cursor == "":
	case at.Attempt < before.Attempt:
		l.violated("%s: a snapshot of attempt %d after attempt %d", l.answer, at.Attempt, before.Attempt)
	case at.Attempt > before.Attempt:
		if before.Attempt > 0 {
			l.restarts++
		}
		l.past = nil
	case at.Seq >= before.Seq:
		if !strings.HasPrefix(now, shown) {
			l.violated("%s: a snapshot at %d does not go on from what was shown at %d: %s", l.answer, at.Seq, before.Seq, difference(shown, now))
		}
		if !(first && l.snapshotDue()) {
			l.snapshots++
		}
	default:
		if !strings.HasPrefix(shown, now) {
			l.violated("%s: a snapshot at %d holds what was not shown at %d: %s", l.answer, at.Seq, before.Seq, difference(shown, now))
		}
		l.past = nil
		if first && l.snapshotDue() {
			break // of a tab that says nothing of what it shows
		}
		if !l.disturbed() && e.Message.Status != "INTERRUPTED" {
			l.violated("%s: a snapshot takes back %d events, with %s", l.answer, before.Seq-at.Seq, l.asked)
		}
		l.setBack = max(l.setBack, int(before.Seq-at.Seq))
	}
	l.text = now
}

// difference tells where two texts part.
func difference(shown, stored string) string {
	i := 0
	for i < min(len(shown), len(stored)) && shown[i] == stored[i] {
		i++
	}
	around := func(s string) string { return s[max(0, i-20):min(len(s), i+30)] }
	return fmt.Sprintf("%d bytes of %d, apart from byte %d: %q and %q", len(shown), len(stored), i, around(shown), around(stored))
}
