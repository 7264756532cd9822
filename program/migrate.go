package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"kyrochat/command"
	"kyrochat/config"
	"kyrochat/setup"
	"kyrochat/store"
	"kyrochat/text"
)

const migrateUsage = `usage: kyrochat migrate [--dry-run]

Brings the schema of the database up to date, as every start does, and stops.

  --dry-run  change nothing, and say whether something is to be changed

Exit status: 0 where it was done, or nothing is to be changed; 1 where it could not be, such as where a newer version made the
schema; 2 where the command line is wrong; 3 where --dry-run found that something is to be changed.
`

// migrateOnly brings the schema up to date, or looks whether that is needed, which it may do beside running servers.
func migrateOnly(ctx context.Context, args []string, getenv func(string) string, out, errOut io.Writer) error {
	flags := flag.NewFlagSet("migrate", flag.ContinueOnError)
	dry := flags.Bool("dry-run", false, "")
	if done, err := command.FlagsAlone(flags, args, migrateUsage, out); done {
		return err
	}
	cfg, err := config.Read(getenv)
	if err != nil {
		return err
	}
	if *dry {
		return wouldMigrate(ctx, cfg)
	}
	pools, _, err := openDatabase(ctx, cfg, hooks{}, measured{}, recorded{}, setup.NewLogger(cfg, errOut))
	if err != nil {
		return err
	}
	return pools.Close()
}

// wouldMigrate is command.Found where the schema is to be changed.
func wouldMigrate(ctx context.Context, cfg config.Config) error {
	x, err := store.Examine(ctx, store.Config{DatabaseURL: string(cfg.DatabaseURL), DataDir: cfg.DataDir})
	switch {
	case err != nil:
		return fmt.Errorf("look at the database: %w", err)
	case x.SchemaErr != nil:
		return x.SchemaErr
	case x.File != nil && x.File.None, x.Schema == store.SchemaNone:
		return command.Found(errors.New("there is no schema yet"))
	case x.Schema == store.SchemaOlder:
		return command.Found(fmt.Errorf("the schema is older than this program, which has %s for it", text.Plural(x.Lacks, "more migration")))
	}
	return nil
}
