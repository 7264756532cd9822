package program

import (
	"context"
	"flag"
	"io"

	"kyrochat/command"
	"kyrochat/doctor"
)

const doctorUsage = `usage: kyrochat doctor [-json] [-warnings-ok] [-mail ADDRESS]

Looks whether a server can run here and do its work: at the settings, which it reads as the server does, at the machine,
and at every service that is set. It says what it found, and what to do about it. It may be called beside a running server
and before the first start: it changes nothing in the database and starts no work. docs/doctor.md lists all that it says.

  -json          print JSON
  -warnings-ok   end with status 0 where there are warnings and no failures
  -mail ADDRESS  also send a mail to the address, which says that it is a test

Run it with the settings of the server in its environment and as the user that the server runs as. Exit status: 0 where
nothing is wrong or there are notes only, 1 where there are warnings or it was stopped, 2 where there are failures or
the command line is wrong.
`

// diagnose reads the arguments, and has the doctor look at everything.
func diagnose(ctx context.Context, args []string, getenv func(string) string, environ []string, out, errOut io.Writer) error {
	o := doctor.Options{Getenv: getenv, Environ: environ, Version: version(), Now: wallClock(getenv)}
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.BoolVar(&o.JSON, "json", false, "")
	flags.BoolVar(&o.Lenient, "warnings-ok", false, "")
	flags.StringVar(&o.MailTo, "mail", "", "")
	if done, err := command.FlagsAlone(flags, args, doctorUsage, out); done {
		return err
	}
	return doctor.Examine(ctx, o, out, errOut)
}
