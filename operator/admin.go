package operator

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"kyrochat/command"
	"kyrochat/kyro"
)

const adminUsage = `usage: kyrochat admin COMMAND

Looks after accounts, from the machine that the server runs on: with the server's settings in the environment and as
the user that it runs as. It works beside a running server, which notices within seconds, and without one.

  create-user EMAIL       make an account, whatever KYRO_SIGNUP says
  set-password EMAIL      set a password, and sign the account out everywhere
  revoke-sessions EMAIL   sign an account out everywhere
  deactivate EMAIL        take an account out of use; everything in it stays
  reactivate EMAIL        take it back
  purge EMAIL             delete a deactivated account with everything in it
  list                    list accounts
  show EMAIL              show one account
  audit list [EMAIL]      list the audit log
  audit verify            check that nobody changed the audit log
  verify                  check everything that is stored, and repair what can be
  rotate-secret           renew the secret that tokens are signed with; nobody is signed out

An id such as user_7 may stand for EMAIL. "kyrochat admin COMMAND --help" says more of each.
What is asked for goes to standard output, everything else to standard error. Exit status: 0 where it was done, 1 where
it could not be, 2 where the command line is wrong, 3 where verify found damage.
`

// adminCommand is one command of whoever runs the server.
type adminCommand struct {
	usage string // all that its help says
	// read declares the flags and gives what is done once they and the other arguments are read.
	read func(flags *flag.FlagSet) func(ctx context.Context, o *operator, args []string) error
	// least and most are how many other arguments there are.
	least, most int
}

// adminCommands are the commands by their names.
var adminCommands = map[string]adminCommand{
	"create-user":     {createUserUsage, readCreateUser, 1, 1},
	"set-password":    {setPasswordUsage, readSetPassword, 1, 1},
	"revoke-sessions": {revokeSessionsUsage, readRevokeSessions, 1, 1},
	"deactivate":      {deactivateUsage, readDeactivate, 1, 1},
	"reactivate":      {reactivateUsage, readReactivate, 1, 1},
	"purge":           {purgeUsage, readPurge, 1, 1},
	"list":            {listUsage, readList, 0, 0},
	"show":            {showUsage, readShow, 1, 1},
	"audit list":      {auditListUsage, readAuditList, 0, 1},
	"audit verify":    {auditVerifyUsage, readAuditVerify, 0, 0},
	"verify":          {verifyUsage, readVerify, 0, 0},
	"rotate-secret":   {rotateSecretUsage, readRotateSecret, 0, 0},
}

// Admin runs one of the commands that look after accounts, the audit log, the secret and what is stored.
func Admin(ctx context.Context, args []string, options Options) error {
	if len(args) == 0 {
		return command.Wrong(errors.New("admin: name a command\n\n" + strings.TrimSpace(adminUsage)))
	}
	name, args := args[0], args[1:]
	if name == "help" && len(args) > 0 { // of a command
		name, args = args[0], append(slices.Clone(args[1:]), "--help")
	}
	if name == "audit" && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = name+" "+args[0], args[1:]
	}
	if slices.Contains([]string{"help", "-h", "-help", "--help", "audit"}, name) {
		_, err := io.WriteString(options.Out, adminUsage)
		return err
	}
	asked, known := adminCommands[name]
	if !known {
		return command.Wrong(fmt.Errorf("admin: there is no command %q\n\n%s", name, strings.TrimSpace(adminUsage)))
	}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	do := asked.read(flags)
	rest, err := command.Mixed(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err := io.WriteString(options.Out, asked.usage)
		return err
	case err == nil && len(rest) < asked.least:
		err = errors.New("name the account by its address, or by an id such as user_7")
	case err == nil && len(rest) > asked.most:
		err = fmt.Errorf("%q is one too many", rest[asked.most])
	}
	if err != nil {
		return command.Wrong(fmt.Errorf("admin %s: %w\n\n%s", name, err, strings.TrimSpace(asked.usage)))
	}
	o := &operator{Options: options, command: "admin " + name}
	err = do(ctx, o, rest)
	if closing := o.close(); err == nil {
		err = closing
	}
	if err != nil && ctx.Err() != nil && !errors.Is(err, errLeft) {
		return errors.New("stopped before it was done")
	}
	if err == nil || command.Says(err) {
		return err
	}
	return errors.New(worded(err))
}

// worded is an error as a person at a terminal reads it: what clients decide by is left out.
func worded(err error) string {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		lines := make([]string, 0, 2)
		for _, each := range several.Unwrap() {
			lines = append(lines, worded(each))
		}
		return strings.Join(lines, "\n")
	}
	known, ok := errors.AsType[*kyro.Error](err)
	if !ok {
		return err.Error()
	}
	if cause := known.Unwrap(); cause != nil {
		return known.Message + " (" + cause.Error() + ")"
	}
	return known.Message
}
