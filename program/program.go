// Package program is the command kyrochat: it reads what the arguments say, wires nouns, verbs and tools together, and serves. Its
// tests are those of the whole, from outside: they speak to the server as its clients do.
package program

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // figures are by calendars, also where the machine has no time zones

	"kyrochat/command"
	"kyrochat/host"
	"kyrochat/ingest/extract"
	"kyrochat/operator"
)

const usage = `KyroChat: a GraphQL server for chatbots that answer from your documents.

  kyrochat                              serve; the settings come from the environment
  kyrochat demo FILE... [-ask QUESTION] try it on files of yours, without any setting up
  kyrochat eval FILE [flags]            measure how well documents are found and questions answered
  kyrochat admin COMMAND                look after accounts, the audit log and the secret; "kyrochat admin help" says more
  kyrochat doctor [-json]               look whether a server can run here, and say what to mend
  kyrochat backup -o FILE               make one file of everything that is kept, beside a running server; "kyrochat backup --help"
  kyrochat restore FILE                 make what is in a backup live again, in an empty installation
  kyrochat migrate [--dry-run]          bring the database's schema up to date and stop
  kyrochat health                       ask the server that runs with these settings whether it is ready
  kyrochat version                      print the version
  kyrochat help                         print this
`

// Main does what the arguments of the process say, and ends it with a status where that fails. version is what the
// binary was built as; empty: that is told by what it was built from.
func Main(version string) {
	release = version
	host.KeepMemory()
	if os.Getenv("GOGC") == "" { // which has the last word, as GOMEMLIMIT has
		tendGarbage()
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Args[1:], os.Getenv, os.Environ(), os.Stdin, os.Stdout, os.Stderr); err != nil {
		os.Exit(command.End(os.Stderr, err))
	}
}

// run does what the arguments say until it is done or ctx ends. Everything from outside comes in by arguments. environ is
// the whole environment, where names are looked for that are misspelt.
func run(
	ctx context.Context, args []string, getenv func(string) string, environ []string, in io.Reader, out, errOut io.Writer,
) error {
	name := "serve"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	beside := operator.Options{Getenv: getenv, In: in, Out: out, ErrOut: errOut, Version: version(), Now: wallClock(getenv)}
	switch name {
	case "serve":
		return serve(ctx, getenv, errOut)
	case "demo":
		return showDemo(ctx, args, getenv, in, out, errOut)
	case "eval":
		return evaluate(ctx, args, out, errOut, evalServer(getenv, errOut))
	case "admin":
		return operator.Admin(ctx, args, beside)
	case "backup":
		return operator.Backup(ctx, args, beside)
	case "restore":
		return operator.Restore(ctx, args, beside)
	case "doctor":
		return diagnose(ctx, args, getenv, environ, out, errOut)
	case "migrate":
		return migrateOnly(ctx, args, getenv, out, errOut)
	case "health":
		return health(ctx, args, getenv, out)
	case "extract": // hidden: the child process that reads documents
		return extract.Main(in, out)
	case "version":
		_, err := fmt.Fprintln(out, version())
		return err
	case "help", "-h", "--help":
		_, err := fmt.Fprint(out, usage)
		return err
	default:
		return command.Wrong(fmt.Errorf("there is no command %q\n\n%s", name, usage))
	}
}

// release is the version that Main was told.
var release string

// version is that of the release, or of the module, or the revision it was built from.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
