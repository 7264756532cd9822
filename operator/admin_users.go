package operator

import (
	"context"
	"errors"
	"flag"
	"time"

	"kyrochat/account"
	"kyrochat/command"
	"kyrochat/kyro"
	"kyrochat/text"
)

const createUserUsage = `usage: kyrochat admin create-user EMAIL [--name NAME] [--password-stdin | --invite]

Makes an account, whatever KYRO_SIGNUP says. Its address counts as verified. Asks for the password at the terminal,
without showing it. Prints the new account's id.

  --name NAME        what to call the person (default: what stands before the @)
  --password-stdin   read the password from the first line of standard input instead
  --invite           set no password: the person gets a mail with a link to set one. Where no mail is set up (SMTP_URL),
                     the link is printed, for you to pass on; it is good for half an hour
`

func readCreateUser(flags *flag.FlagSet) func(context.Context, *operator, []string) error {
	name := flags.String("name", "", "")
	stdin := flags.Bool("password-stdin", false, "")
	invite := flags.Bool("invite", false, "")
	return func(ctx context.Context, o *operator, args []string) error {
		o.founds = true
		if *invite && *stdin {
			return command.Wrong(errors.New("admin create-user: --invite sets no password, so leave out --password-stdin"))
		}
		if *invite {
			return o.invite(ctx, args[0], *name)
		}
		password, err := o.password(ctx, *stdin)
		if err != nil {
			return err
		}
		if err := o.open(ctx); err != nil {
			return err
		}
		user, err := o.admin.CreateUser(ctx, args[0], *name, password)
		if err != nil {
			return taken(err)
		}
		o.say("Made the account of %s.", user.Email)
		return o.printf("%s\n", user.ID)
	}
}

// invite makes an account and has its owner set the password.
func (o *operator) invite(ctx context.Context, email, name string) error {
	if err := o.open(ctx); err != nil {
		return err
	}
	var tokens account.MailedTokens
	if !o.mails() {
		made, err := o.tokens()
		if err != nil {
			return err
		}
		tokens = made
	}
	user, invitation, err := o.admin.Invite(ctx, email, name, tokens)
	if err != nil {
		return taken(err)
	}
	if invitation.Mailed {
		o.say("Made the account of %s. A link to set the password goes to that address, sent by the server.", user.Email)
		return o.printf("%s\n", user.ID)
	}
	o.say("Made the account of %s. No mail is set up (SMTP_URL), so pass this link on, to that person alone: whoever has it\n"+
		"sets the password. It is good until %s UTC.", user.Email, clock(invitation.Expires))
	return o.printf("%s\n%s/account/%s#token=%s\n", user.ID, o.cfg.PublicURL, kyro.TokenResetPassword, invitation.Token)
}

// taken says what to do about an address that has an account.
func taken(err error) error {
	if kyro.ErrorCode(err) == kyro.CodeEmailTaken {
		return errors.New(`there is an account with this address already ("kyrochat admin show" shows it, "set-password" sets its password)`)
	}
	return err
}

const setPasswordUsage = `usage: kyrochat admin set-password EMAIL [--password-stdin]

Sets the password of an account and signs it out everywhere: open connections are closed within seconds. Links for a
new password that were mailed before count for nothing. API keys live on (see revoke-sessions --keys). The owner gets a
mail that the password was changed. Asks for the password at the terminal, without showing it.

  --password-stdin   read the password from the first line of standard input instead
`

func readSetPassword(flags *flag.FlagSet) func(context.Context, *operator, []string) error {
	stdin := flags.Bool("password-stdin", false, "")
	return func(ctx context.Context, o *operator, args []string) error {
		password, err := o.password(ctx, *stdin)
		if err != nil {
			return err
		}
		account, err := o.find(ctx, args[0])
		if err != nil {
			return err
		}
		ended, err := o.admin.SetPassword(ctx, account, password)
		if err != nil {
			return err
		}
		o.say("Set the password of %s (%s) and ended %s.", account.Email, account.ID, text.Plural(ended, "session"))
		if account.DeactivatedAt != nil {
			o.say(`The account is deactivated: "kyrochat admin reactivate %s" lets its owner sign in.`, account.ID)
		}
		return nil
	}
}

const revokeSessionsUsage = `usage: kyrochat admin revoke-sessions EMAIL [--keys]

Signs an account out everywhere: its requests are refused at once, and open connections are closed within seconds.
Whoever knows the password can sign in again (see set-password and deactivate).

  --keys   end its API keys, too: they never work again
`

func readRevokeSessions(flags *flag.FlagSet) func(context.Context, *operator, []string) error {
	keys := flags.Bool("keys", false, "")
	return func(ctx context.Context, o *operator, args []string) error {
		account, err := o.find(ctx, args[0])
		if err != nil {
			return err
		}
		ended, err := o.admin.RevokeSessions(ctx, account, *keys)
		if err != nil {
			return err
		}
		if *keys {
			o.say("Ended the sessions and API keys of %s (%s): %d in all.", account.Email, account.ID, ended)
			return nil
		}
		o.say("Ended %s of %s (%s).", text.Plural(ended, "session"), account.Email, account.ID)
		if account.APIKeys > 0 {
			o.say("%s still work: --keys ends them, too.", text.Plural(account.APIKeys, "API key"))
		}
		return nil
	}
}

const deactivateUsage = `usage: kyrochat admin deactivate EMAIL [--purge-after 720h]

Takes an account out of use: its owner cannot sign in, its sessions end, its API keys do not work. Everything in it
stays until "kyrochat admin reactivate" takes it back. Only an admin can do that, and the owner gets no mail.

  --purge-after D   delete the account with everything in it after that long (720h are 30 days). Until then its owner can
                    take it back by a link in a mail, as if they had deactivated it themselves
`

func readDeactivate(flags *flag.FlagSet) func(context.Context, *operator, []string) error {
	var purgeAfter time.Duration
	flags.Func("purge-after", "", func(s string) (err error) {
		if purgeAfter, err = time.ParseDuration(s); err != nil || purgeAfter < time.Minute {
			return errors.New("use a duration of a minute or more, such as 720h")
		}
		return nil
	})
	return func(ctx context.Context, o *operator, args []string) error {
		account, err := o.find(ctx, args[0])
		if err != nil {
			return err
		}
		until, ended, err := o.admin.Deactivate(ctx, account, purgeAfter)
		if err != nil {
			return err
		}
		o.say("Deactivated %s (%s). Sessions and API keys that ended: %d.", account.Email, account.ID, ended)
		if until != nil {
			o.say("It is deleted after %s UTC, unless its owner or an admin takes it back before.", clock(*until))
		} else {
			o.say(`"kyrochat admin reactivate %s" takes it back.`, account.ID)
		}
		return nil
	}
}

const reactivateUsage = `usage: kyrochat admin reactivate EMAIL

Takes a deactivated account back into use, by whomever it was deactivated. Its password and its API keys work again; its
owner gets a mail, and has to sign in anew.
`

func readReactivate(*flag.FlagSet) func(context.Context, *operator, []string) error {
	return func(ctx context.Context, o *operator, args []string) error {
		account, err := o.find(ctx, args[0])
		if err != nil {
			return err
		}
		if err := o.admin.Reactivate(ctx, account); err != nil {
			return err
		}
		o.say("%s (%s) is in use again.", account.Email, account.ID)
		return nil
	}
}

// find opens the database and gives the account that is named.
func (o *operator) find(ctx context.Context, who string) (kyro.Account, error) {
	if err := o.open(ctx); err != nil {
		return kyro.Account{}, err
	}
	account, err := o.admin.Find(ctx, who)
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		return account, errors.New(worded(err) + ` "kyrochat admin list --search TEXT" finds accounts.`)
	}
	return account, err
}
