package smtp

import (
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// answer is a step that says something in any case.
func (s *session) answer(at Step, code int, lines ...string) error {
	_, err := s.step(at, code, lines...)
	return err
}

// step answers, or does what a script says instead. refused says that the answer was a scripted error.
func (s *session) step(at Step, code int, lines ...string) (refused bool, err error) {
	return s.play(s.e.script(at, s.to), code, lines...)
}

// play does what the script says at a step. An error ends the session.
func (s *session) play(script Script, code int, lines ...string) (refused bool, err error) {
	if err := s.wait(script.Wait); err != nil {
		return false, err
	}
	switch script.Then {
	case Hang:
		return false, s.hang()
	case Drop, Lose:
		return false, errEnd
	}
	if script.Code != 0 {
		refused, code, lines = script.Code >= 400, script.Code, []string{script.Message}
		if script.Message == "" {
			lines = []string{"scripted"}
		}
	}
	if err := s.write(code, lines...); err != nil {
		return refused, err
	}
	if script.Then == Cut || code == 421 {
		return refused, errEnd
	}
	return refused, nil
}

// refuse answers a mistake of the client.
func (s *session) refuse(code int, message string) error {
	if err := s.write(code, message); err != nil {
		return err
	}
	return s.mistake()
}

// mistake counts one.
func (s *session) mistake() error {
	if s.errors++; s.errors >= maxErrors {
		return errEnd
	}
	return nil
}

// write sends an answer, all lines of which have the code.
func (s *session) write(code int, lines ...string) error {
	var b strings.Builder
	for i, line := range lines {
		b.WriteString(strconv.Itoa(code))
		if i < len(lines)-1 {
			b.WriteByte('-')
		} else {
			b.WriteByte(' ')
		}
		b.WriteString(strings.NewReplacer("\r", " ", "\n", " ").Replace(line))
		b.WriteString("\r\n")
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	_, err := io.WriteString(s.conn, b.String())
	return err
}

// wait lets time pass, unless the emulator is closed meanwhile.
func (s *session) wait(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.e.closed:
		return net.ErrClosed
	}
}

// hang waits until the client goes away; what it says meanwhile is not listened to.
func (s *session) hang() error {
	_ = s.conn.SetReadDeadline(time.Now().Add(idle))
	_, err := io.Copy(io.Discard, s.conn)
	if err == nil {
		err = errEnd
	}
	return err
}
