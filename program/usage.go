package program

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"kyrochat/doctor"
)

// badUsage is a command line that makes no sense. It ends the process with status 2.
type badUsage struct{ error }

// errFound ends the process with the status of what was done, but found something that somebody has to look at.
type errFound struct{ error }

// orUsage is an error with the usage of its command, where the line was wrong.
func orUsage(command string, err error, usage string) error {
	if wrong, ok := errors.AsType[badUsage](err); ok {
		return badUsage{fmt.Errorf("%s: %w\n\n%s", command, wrong.error, strings.TrimSpace(usage))}
	}
	return fmt.Errorf("%s: %w", command, err)
}

// exitStatus is what the process ends with after the error.
func exitStatus(err error) int {
	if _, wrong := errors.AsType[badUsage](err); wrong {
		return 2
	}
	if status, told := errors.AsType[doctor.Diagnosis](err); told {
		return int(status)
	}
	if _, found := errors.AsType[errFound](err); found {
		return 3
	}
	return 1
}

// mixed reads flags and other arguments in any order; after -- there are no flags.
func mixed(flags *flag.FlagSet, args []string) (others []string, err error) {
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

// flagsAlone reads the flags of a command that takes nothing else, and prints its usage where that is asked for. It is done where there
// is nothing more to do, or the line is wrong.
func flagsAlone(flags *flag.FlagSet, args []string, usage string, out io.Writer) (done bool, err error) {
	flags.SetOutput(io.Discard)
	rest, err := mixed(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err := io.WriteString(out, usage)
		return true, err
	case err == nil && len(rest) > 0:
		err = fmt.Errorf("%q is one too many", rest[0])
	}
	if err != nil {
		return true, orUsage(flags.Name(), badUsage{err}, usage)
	}
	return false, nil
}

// pick is one of two.
func pick[T any](yes bool, a, b T) T {
	if yes {
		return a
	}
	return b
}
