package operator

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"strings"

	"kyrochat/auth"
	"kyrochat/command"
)

const rotateSecretUsage = `usage: kyrochat admin rotate-secret [--announce | --promote]

Renews the secret that tokens are signed with. Nobody is signed out: tokens that the former one signed stay good for as
long as they live.

The secret in a file (KYRO_SECRET_FILE, or the one in the data folder) is renewed at once, and servers that run follow
within seconds. Where it is in KYRO_SECRET, nothing can be changed for you: what to do is printed, and a new secret.

For several servers that have a copy of the file each:
  --announce   let the new secret verify and sign nothing yet; copy the file to all servers then
  --promote    let the announced secret sign; copy the file to all servers again
`

func readRotateSecret(flags *flag.FlagSet) func(context.Context, *operator, []string) error {
	announce := flags.Bool("announce", false, "")
	promote := flags.Bool("promote", false, "")
	return func(ctx context.Context, o *operator, _ []string) error {
		step := auth.RotateNow
		switch {
		case *announce && *promote:
			return command.Wrong(errors.New("admin rotate-secret: announce first, and promote later"))
		case *announce:
			step = auth.RotateAnnounce
		case *promote:
			step = auth.RotatePromote
		}
		if err := o.open(ctx); err != nil {
			return err
		}
		file := o.cfg.SecretPath()
		if file == "" {
			return o.rotateByHand(len(o.cfg.Secrets))
		}
		did, err := auth.RotateSecretFile(file, step, o.Now())
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no secret in %s yet: a server makes one when it starts", file)
		}
		if err != nil {
			return err
		}
		if err := o.admin.RotatedSecret(ctx); err != nil {
			return fmt.Errorf("the secret is renewed, but that is not in the audit log: %w", err)
		}
		if step == auth.RotateAnnounce {
			o.say("Announced the secret %s in %s: it verifies, and signs nothing yet. Copy the file to all servers, then promote it.", did.Announced, file)
			return nil
		}
		former := "The former one is"
		if did.Former != 1 {
			former = fmt.Sprintf("%d former ones are", did.Former)
		}
		o.say("Renewed the secret in %s: tokens are signed by %s from now on. %s still good.", file, did.Signs, former)
		o.say("Servers that read this file follow within seconds, without a restart.")
		return nil
	}
}

// rotateByHand says how the secrets of the environment are renewed. Those that are set are not repeated.
func (o *operator) rotateByHand(known int) error {
	var key [32]byte
	if _, err := rand.Read(key[:]); err != nil {
		return err
	}
	are := "One is"
	if known != 1 {
		are = fmt.Sprintf("%d are", known)
	}
	o.say("The secret is in the environment (KYRO_SECRET), where only you can change it. %s there now. A new one is below.", are)
	o.say("%s", strings.TrimSpace(`
1. Put it behind those that are there, so that every server takes it and none signs with it yet, and restart all servers:
     KYRO_SECRET=<what is there now>,<the new one>
2. Put it in front, and restart all servers again. Nobody is signed out:
     KYRO_SECRET=<the new one>,<what was there before>
After 31 days what was there before can go.`))
	return o.printf("%s\n", base64.RawURLEncoding.EncodeToString(key[:]))
}
