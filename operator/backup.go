package operator

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"kyrochat/backup"
	"kyrochat/command"
	"kyrochat/store"
	"kyrochat/text"
)

const backupUsage = `usage: kyrochat backup -o FILE|FOLDER|- [-to AGE-KEY]... [-passphrase-file FILE]
       kyrochat backup verify FILE|- [-identity FILE | -passphrase-file FILE]

Makes one file of everything that is kept: the database as it was at one moment, and the files that people uploaded,
wherever these are. It needs the settings of the server in its environment, and works beside a running server, which goes
on meanwhile. Nobody sees the file before it is complete. What is kept elsewhere is not in it: the secret (KYRO_SECRET),
the other settings, mails in the outbox, exports that are made already.

  -o FILE               where to write it; in a folder under a name that has the time in it; - is standard output.
                        A file that is there already is not touched
  -to AGE-KEY           encrypt it for this public key (age1…, from age-keygen), or for those in the file of this name,
                        one a line. What makes the backup cannot open it then. May be given several times
  -passphrase-file FILE encrypt it with the passphrase in this file instead

verify reads the whole of a backup, changes nothing but for a moment a folder of its own among temporary ones, and says whether it is complete, undamaged and can be restored by
this program.

Exit status: 0 where it was done, 1 where it could not be, 2 where the command line is wrong, 3 where the backup is made,
but files were missing that it should have.
`

// backupFormat is the version of what is in a backup. One that is higher is of a newer program.
const backupFormat = 1

// backupManifest is what a backup says of itself first.
type backupManifest struct {
	Format       int       `json:"format"`
	Product      string    `json:"product"`
	Version      string    `json:"version"`
	At           time.Time `json:"at"`
	Installation string    `json:"installation"`
	store.Image
}

// backupSummary is what it says at its end.
type backupSummary struct {
	Rows      map[string]int64 `json:"rows"` // by table
	Jobs      int              `json:"jobs"`
	Originals int              `json:"originals"`
	Bytes     int64            `json:"bytes"`             // of all originals
	Missing   []string         `json:"missing,omitempty"` // documents whose originals were not there
}

func (s *backupSummary) rows() (n int64) {
	for _, rows := range s.Rows {
		n += rows
	}
	return n
}

// Backup makes a backup, or looks at one.
func Backup(ctx context.Context, args []string, options Options) error {
	if len(args) > 0 && args[0] == "verify" {
		return verifyBackup(ctx, args[1:], options)
	}
	var keyed keyFlags
	flags := flag.NewFlagSet("backup", flag.ContinueOnError)
	flags.Func("to", "", func(s string) error { keyed.to = append(keyed.to, s); return nil })
	flags.StringVar(&keyed.passphrase, "passphrase-file", "", "")
	target := flags.String("o", "", "")
	if done, err := command.FlagsAlone(flags, args, backupUsage, options.Out); done {
		return err
	}
	if *target == "" {
		return command.OrUsage("backup", command.Wrong(errors.New("say by -o where the backup is to be written")), backupUsage)
	}
	keys, err := keyed.keys()
	if err != nil {
		return command.OrUsage("backup", err, backupUsage)
	}
	b := &backingUp{keys: keys, progress: newHowFar(options.ErrOut)}
	if err := b.open(ctx, options); err != nil {
		return err
	}
	defer b.close()
	at := options.Now()
	name, err := writeNew(*target, backupName(at, keys), at, options.Out, func(w io.Writer) error { return b.write(ctx, w, at) })
	if err != nil {
		if ctx.Err() != nil && !command.Says(err) {
			return errors.New("stopped before the backup was complete: nothing is left of it")
		}
		return fmt.Errorf("backup: %w", err)
	}
	b.progress.say("The backup is made: %s (%s, %s and %s of %s) in %s.", name, text.Bytes(b.progress.written), text.Plural(int(b.summary.rows()), "row"),
		text.Plural(b.summary.Originals, "file"), text.Bytes(b.summary.Bytes), options.Now().Sub(at).Round(time.Millisecond))
	if n := len(b.summary.Missing); n > 0 {
		return command.Found(fmt.Errorf("the backup is made, but of %s the files were missing before: %s. \"kyrochat admin verify\" says more",
			text.Plural(n, "document"), firstFew(b.summary.Missing, 10)))
	}
	return nil
}

func backupName(at time.Time, keys backup.Keys) string {
	name := "kyrochat-" + at.UTC().Format("20060102T150405Z") + ".backup"
	if !keys.None() {
		name += ".age"
	}
	return name
}

// firstFew names the first few of a list.
func firstFew(list []string, most int) string {
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
