// Package command reads command lines, all in one way, and says what a process ends with.
package command

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// What a process ends with, but for commands whose usage says something else.
const (
	failed = 1
	wrong  = 2
	found  = 3
)

// ended is an error that says what the process ends with.
type ended struct {
	error
	status int
	told   bool
}

// Unwrap gives what the process ends for.
func (e ended) Unwrap() error { return e.error }

// Wrong is an error of a command line that makes no sense: the process ends with status 2.
func Wrong(err error) error { return ended{error: err, status: wrong} }

// Found is an error where it was done, but something was found that somebody has to look at: the process ends with status 3.
func Found(err error) error { return ended{error: err, status: found} }

// errTold is for whoever looks at an error that is not printed.
var errTold = errors.New("what there was to say is said")

// Told ends the process with a status, above 0, where everything was said that there is to say.
func Told(status int) error { return ended{error: errTold, status: status, told: true} }

// Status is what the process ends with after the error: 0 where there is none, and 1 where it says nothing else.
func Status(err error) int {
	if err == nil {
		return 0
	}
	if e, says := errors.AsType[ended](err); says {
		return e.status
	}
	return failed
}

// Says reports whether the error says what the process ends with.
func Says(err error) bool {
	_, says := errors.AsType[ended](err)
	return says
}

// End prints why a command did not do what it was asked for, unless that was told, and gives what the process ends with.
func End(errOut io.Writer, err error) (status int) {
	if e, says := errors.AsType[ended](err); err != nil && !(says && e.told) {
		_, _ = fmt.Fprintln(errOut, "kyrochat:", err)
	}
	return Status(err)
}

// OrUsage is an error of the command that is named, with its usage where the line was wrong.
func OrUsage(name string, err error, usage string) error {
	if e, says := errors.AsType[ended](err); says && e.status == wrong && !e.told {
		return Wrong(fmt.Errorf("%s: %w\n\n%s", name, e.error, strings.TrimSpace(usage)))
	}
	return fmt.Errorf("%s: %w", name, err)
}

// Mixed reads flags and other arguments in any order; after -- there are no flags. Errors are those of the flags, flag.ErrHelp among
// them; nothing is printed where that is the flags' output.
func Mixed(flags *flag.FlagSet, args []string) (others []string, err error) {
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		rest := flags.Args()
		if used := len(args) - len(rest); used > 0 && args[used-1] == "--" {
			return append(others, rest...), nil
		}
		if len(rest) == 0 {
			break
		}
		others, args = append(others, rest[0]), rest[1:]
	}
	return others, nil
}

// FlagsAlone reads the flags of a command that takes nothing else, and prints its usage where that is asked for. It is done where there
// is nothing more to do, or the line is wrong. The name of the flags is that of the command.
func FlagsAlone(flags *flag.FlagSet, args []string, usage string, out io.Writer) (done bool, err error) {
	flags.SetOutput(io.Discard)
	rest, err := Mixed(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err := io.WriteString(out, usage)
		return true, err
	case err == nil && len(rest) > 0:
		err = fmt.Errorf("%q is one too many", rest[0])
	}
	if err != nil {
		return true, OrUsage(flags.Name(), Wrong(err), usage)
	}
	return false, nil
}
