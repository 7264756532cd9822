package smtp

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"kyrochat/internal/script"
)

// Step is a place in the conversation where something can go wrong.
type Step string

// The steps. Each is before the server's answer to it.
const (
	StepConnect  Step = "CONNECT" // the greeting
	StepHello    Step = "EHLO"    // HELO, too
	StepSecure   Step = "STARTTLS"
	StepSignIn   Step = "AUTH" // the last answer of signing in
	StepFrom     Step = "MAIL"
	StepTo       Step = "RCPT"
	StepData     Step = "DATA"    // the leave to send the text
	StepAccepted Step = "CONTENT" // the answer to the whole text
	StepReset    Step = "RSET"
	StepNothing  Step = "NOOP"
	StepQuit     Step = "QUIT"
)

// Trouble is how a step goes wrong.
type Trouble string

// The troubles. At CONTENT, a mail is kept before Drop and Cut, as a server does that has taken it.
const (
	Hang Trouble = "hang" // no answer
	Drop Trouble = "drop" // the connection is cut instead of an answer
	Cut  Trouble = "cut"  // the connection is cut after the answer
	Lose Trouble = "lose" // at CONTENT: cut without an answer, and the mail is not kept
)

// Script is scripted misbehaviour. Of the scripts that fit a step the oldest one counts. The zero value of a field changes
// nothing.
type Script struct {
	At    Step   `json:"at"`
	To    string `json:"to,omitempty"`    // a recipient of the mail has this in the address; from RCPT on
	Times int    `json:"times,omitempty"` // for so many; 0: for all, until it is taken back
	Skip  int    `json:"skip,omitempty"`  // leave so many that fit alone first

	Wait    time.Duration `json:"wait,omitempty"`    // before the answer; in JSON "250ms"
	Code    int           `json:"code,omitempty"`    // the answer: 421, 451, 550 ... After 421 the connection is cut
	Message string        `json:"message,omitempty"` // of the answer
	Then    Trouble       `json:"then,omitempty"`
}

type plainScript Script

type scriptJSON struct {
	*plainScript
	Wait script.Duration `json:"wait,omitzero"`
}

// MarshalJSON writes the duration as words, such as "250ms".
func (s Script) MarshalJSON() ([]byte, error) {
	return json.Marshal(scriptJSON{(*plainScript)(&s), script.Duration(s.Wait)})
}

// UnmarshalJSON reads what MarshalJSON writes, and nothing that it does not know.
func (s *Script) UnmarshalJSON(b []byte) error {
	in := scriptJSON{plainScript: (*plainScript)(s)}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return err
	}
	s.Wait, s.At = time.Duration(in.Wait), Step(strings.ToUpper(string(s.At)))
	return nil
}

// Script adds scripts.
func (e *Emulator) Script(list ...Script) {
	for _, s := range list {
		e.scripts.Add(s, s.Times, s.Skip)
	}
}

// Scripts gives those that are still in force.
func (e *Emulator) Scripts() []Script { return e.scripts.All() }

// Reset takes all scripts back. What hangs goes on hanging.
func (e *Emulator) Reset() { e.scripts.Clear() }

// script finds the one for the step, and counts it.
func (e *Emulator) script(at Step, to []string) Script {
	return e.scripts.Take(func(s Script) bool {
		return s.At == at && (s.To == "" || slices.ContainsFunc(to, func(a string) bool { return strings.Contains(a, s.To) }))
	})
}
