package operator

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"kyrochat/kyro"
	"kyrochat/text"
)

const purgeUsage = `usage: kyrochat admin purge EMAIL [--yes]

Deletes a deactivated account with everything in it: bots, documents, their files and vectors, conversations. It cannot
be undone. Asks to type the address first. A running server does the work (with KYRO_ROLE all or worker), and this
command shows how far it is; where none runs, it is done as soon as one does. Of the audit log the account's lines stay,
without what they say of the person's devices.

  --yes   do not ask
`

const (
	purgeLook    = 250 * time.Millisecond // between two looks at what is left
	purgeSilence = time.Minute            // without any change, after which nobody waits any more
)

// errLeft says that nobody looks any more.
var errLeft = errors.New("stopped looking: the deletion goes on without this command")

func readPurge(flags *flag.FlagSet) func(context.Context, *operator, []string) error {
	yes := flags.Bool("yes", false, "")
	return func(ctx context.Context, o *operator, args []string) error {
		account, err := o.find(ctx, args[0])
		if err != nil {
			return err
		}
		if account.DeactivatedAt == nil {
			return fmt.Errorf(`%s (%s) is in use: "kyrochat admin deactivate %s" comes first`, account.Email, account.ID, account.ID)
		}
		if !*yes {
			o.say("This deletes the account of %s (%s) for ever, with %s and %s.", account.Email, account.ID,
				text.Plural(account.Bots, "bot"), text.Plural(account.Documents, "document"))
			if err := o.confirm(ctx, "Type its address to go on: ", account.Email); err != nil {
				return err
			}
		}
		if err := o.admin.Purge(ctx, account); err != nil {
			return err
		}
		return o.watchPurge(ctx, account.ID)
	}
}

// watchPurge shows how far the deletion is, until nothing is left or nothing happens.
func (o *operator) watchPurge(ctx context.Context, user kyro.ID) error {
	if !o.pools.Postgres() && !o.server {
		o.say("It is stored that %s is to be deleted. No server runs now: the next one does it.", user)
		return nil
	}
	var shown kyro.Remains
	changed := time.Now()
	for {
		left, err := o.admin.Remains(ctx, user)
		switch {
		case ctx.Err() != nil:
			return errLeft
		case err != nil:
			return err
		case !left.Account:
			o.say("%s is deleted.", user)
			return nil
		case left != shown:
			o.say("Deleting %s: %s, %s and %s are left.", user,
				text.Plural(left.Bots, "bot"), text.Plural(left.Documents, "document"), text.Plural(left.Conversations, "conversation"))
			shown, changed = left, time.Now()
		case time.Since(changed) > purgeSilence:
			o.say("It is stored that %s is to be deleted, and nothing has happened for %s: it is done once a server with\n"+
				"KYRO_ROLE all or worker gets to it.", user, purgeSilence)
			return nil
		}
		_ = kyro.Pause(ctx, purgeLook) // whose end is seen above
	}
}
