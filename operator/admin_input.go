package operator

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"kyrochat/command"
	"kyrochat/host"
	"kyrochat/kyro"
)

// password reads a new password: the first line of standard input, or, from a terminal, what is typed twice without
// being shown. It is used exactly as it is, spaces included.
func (o *operator) password(ctx context.Context, stdin bool) (string, error) {
	if stdin {
		return firstLine(o.In)
	}
	terminal, is := host.Terminal(o.In)
	if !is {
		return "", command.Wrong(errors.New("there is no terminal to type the password at: give it as the first line of standard input, with --password-stdin"))
	}
	first, err := o.typed(ctx, terminal, "New password: ")
	if err != nil {
		return "", err
	}
	again, err := o.typed(ctx, terminal, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != again {
		return "", errors.New("that was not the same twice: nothing is changed")
	}
	return first, nil
}

// firstLine reads one line, of the length that a password may have at most.
func firstLine(in io.Reader) (string, error) {
	const longest = kyro.MaxPasswordBytes + 2 // for the end of the line
	line, err := bufio.NewReader(io.LimitReader(in, longest+1)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if line == "" {
		return "", errors.New("there is no password on standard input")
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// typed asks at a terminal and gives what is typed, which is not shown. The terminal is as it was afterwards, also where
// ctx ends.
func (o *operator) typed(ctx context.Context, terminal *os.File, prompt string) (string, error) {
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	o.ask(prompt)
	return answered(ctx, func() { _ = term.Restore(fd, before); o.say("") }, func() (string, error) {
		line, err := term.ReadPassword(fd)
		o.say("")
		return string(line), err
	})
}

// confirm asks to have something typed, and reports whether it was. Without a terminal nobody is asked: there it takes a
// flag.
func (o *operator) confirm(ctx context.Context, prompt, want string) error {
	terminal, is := host.Terminal(o.In)
	if !is {
		return command.Wrong(errors.New("there is no terminal to confirm this at: add --yes"))
	}
	o.ask(prompt)
	line, err := answered(ctx, func() { o.say("") }, func() (string, error) { return firstLine(terminal) })
	if err != nil {
		return err
	}
	if strings.TrimSpace(line) != want {
		return errors.New("that is something else: nothing is changed")
	}
	return nil
}

// ask prints a question, behind which is answered.
func (o *operator) ask(prompt string) { _, _ = io.WriteString(o.ErrOut, prompt) }

// answered waits for what a person types, or for the end of ctx. A read from a terminal cannot be interrupted, so nobody
// waits for its goroutine then: it ends with the next line, or with the process.
func answered(ctx context.Context, left func(), read func() (string, error)) (string, error) {
	type line struct {
		content string
		err     error
	}
	lines := make(chan line, 1)
	go func() {
		content, err := read()
		lines <- line{content, err}
	}()
	select {
	case l := <-lines:
		return l.content, l.err
	case <-ctx.Done():
		left()
		return "", ctx.Err()
	}
}
