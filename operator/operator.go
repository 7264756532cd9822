// Package operator is the commands of whoever runs the server, on its machine: they look after accounts, the audit log and the secret,
// verify what is stored, make backups, and make these live again. They work on what the server's settings name, beside a server that
// runs or without one.
//
// Each does what its line asks for. An error says what the process ends with (command.Status), and is meant for a person at a
// terminal. A command may take as long as its context lasts; where that ends before it was done, what was begun is left as its usage
// says.
package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"kyrochat/account"
	"kyrochat/auth"
	"kyrochat/config"
	"kyrochat/host"
	"kyrochat/ingest"
	"kyrochat/ingest/files"
	"kyrochat/jobs"
	"kyrochat/kyro"
	"kyrochat/live"
	"kyrochat/setup"
	"kyrochat/store"
	"kyrochat/text"
)

// Options are what a command gets from outside.
type Options struct {
	Getenv  func(string) string // the settings, as a server reads them, and who called sudo
	In      io.Reader
	Out     io.Writer        // what was asked for
	ErrOut  io.Writer        // all else
	Version string           // of this program
	Now     func() time.Time // what time it is
}

// operator is whoever runs the server, at one command.
type operator struct {
	Options
	command string // as it is typed behind kyrochat

	unhurried bool // the command may take long
	founds    bool // the command may be the first of all, before any server ran
	needs     schemaNeed
	cfg       config.Config
	log       *slog.Logger
	pools     *store.Pools
	queue     *jobs.Queue
	store     *store.Store
	admin     *account.Admin
	server    bool      // another process has the SQLite: a server runs; not known on PostgreSQL
	ended     []kyro.ID // sessions and API keys, of which the servers are told at the end
}

// say tells something that was not asked for.
func (o *operator) say(format string, args ...any) {
	_, _ = fmt.Fprintf(o.ErrOut, format+"\n", args...)
}

// printf prints what was asked for.
func (o *operator) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(o.Out, format, args...)
	return err
}

// schemaNeed is which schema a command works with.
type schemaNeed int

const (
	schemaOfThis schemaNeed = iota // this program's: an older one is brought up to date, where no server has it
	schemaAsIs                     // this program's, which is not changed
	schemaAny                      // any, which is not changed
)

// configure reads the settings. What is told of the work is warnings alone.
func (o *operator) configure() (err error) {
	if o.cfg, err = config.Read(o.Getenv); err != nil {
		return fmt.Errorf("%w\n(%s needs the settings of the server in its environment)", err, o.command)
	}
	quiet := o.cfg
	quiet.LogLevel = max(quiet.LogLevel, slog.LevelWarn)
	o.log = setup.NewLogger(quiet, o.ErrOut)
	return nil
}

// open reads the settings and opens the database that they name, beside a server if one runs. What is asked of a person
// comes before, so that nothing waits for them.
func (o *operator) open(ctx context.Context) (err error) {
	if err := o.configure(); err != nil {
		return err
	}
	if o.cfg.DatabaseURL == "" {
		if err := o.checkFolder(); err != nil {
			return err
		}
	}
	o.pools, err = store.Open(ctx, store.Config{
		DatabaseURL: string(o.cfg.DatabaseURL), DataDir: o.cfg.DataDir, Log: o.log, Beside: true, Unhurried: o.unhurried,
	})
	if err != nil {
		return err
	}
	o.server = !o.pools.Alone()
	if o.queue, err = setup.NewQueue(o.pools, jobs.Config{Log: o.log}); err != nil {
		return err
	}
	if err := o.migrate(ctx); err != nil {
		return err
	}
	o.store = store.New(o.pools, o.queue)
	o.admin = account.NewAdmin(o.store, auth.NewHasher(auth.HasherOptions{}), account.AdminOptions{
		By: o.user(), LinkTTL: o.cfg.Mail.ResetTTL, Check: checkPassword, Now: o.Now,
		Ended: func(credential kyro.ID) { o.ended = append(o.ended, credential) },
	})
	return nil
}

// checkPassword refuses what the server would refuse.
func checkPassword(password string, about ...string) error {
	if err := kyro.CheckPassword(password); err != nil {
		return err
	}
	return auth.Strength{}.Weak(password, about...)
}

// mails reports whether mails reach people. Without SMTP they are files in the data folder.
func (o *operator) mails() bool { return o.cfg.Mail.SMTPURL != "" }

// originals gives the name of the installation, and where its originals are; the bucket is nil where there is none.
func (o *operator) originals(ctx context.Context) (name string, folder *files.Files, bucket ingest.Originals, err error) {
	if name, err = o.store.Name(ctx); err != nil {
		return "", nil, nil, err
	}
	if folder, err = files.Open(filepath.Join(o.cfg.DataDir, "files"), false); err != nil {
		return "", nil, nil, err
	}
	bucket, err = setup.OpenPatiently(ctx, o.cfg.Storage.Bucket, name)
	return name, folder, bucket, err
}

// tokens makes the tokens of links, under the server's secret.
func (o *operator) tokens() (*auth.Tokens, error) {
	secrets, err := o.cfg.PlainSecrets()
	if err != nil {
		return nil, err
	}
	return auth.NewTokens(secrets, auth.TokenOptions{Now: o.Now})
}

// refuseForeign refuses the command where this is root in the folder of another user.
func refuseForeign(dir, name string) error {
	info, err := os.Stat(dir)
	if err != nil || !host.IsRoot() {
		return nil //nolint:nilerr // whoever uses the folder tells what is wrong with it
	}
	owner, foreign := host.ForeignFile(info)
	if !foreign {
		return nil
	}
	return fmt.Errorf("the data folder %s belongs to %s, and files that root makes in it would keep the server out. "+
		"Run this as that user; the first is there where install.sh or a package set it up:\n  kyrochat-run %s …\n"+
		"or, with the settings of the server in the environment,\n  sudo -u %s -E kyrochat %s …", dir, owner, name, host.SudoUser(owner), name)
}

// checkFolder sees that the data folder is a server's, and that a server can still use it afterwards.
func (o *operator) checkFolder() error {
	dir := o.cfg.DataDir
	if err := refuseForeign(dir, o.command); err != nil {
		return err
	}
	_, err := os.Stat(filepath.Join(dir, "kyro.db"))
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return nil
	case !o.founds:
		return fmt.Errorf("there is no database in the data folder %s: set KYRO_DATA_DIR, or DATABASE_URL, as it is for the server", dir)
	}
	o.say("There is no database in the data folder %s yet: making one.", dir)
	return nil
}

// migrate brings a new database up to date, and one that no server has. Below a running server, or for others on a shared
// PostgreSQL, the schema is not changed, nor by commands that only look. Afterwards a server may start meanwhile.
func (o *operator) migrate(ctx context.Context) error {
	state, err := o.pools.Schema(ctx)
	if err != nil {
		return err
	}
	switch {
	case state == store.SchemaCurrent:
	case state == store.SchemaNone && o.needs != schemaOfThis:
		return errors.New("there is nothing in the database yet")
	case o.needs == schemaAny:
	case o.server:
		return errors.New("a server runs on this database that is of another version than this program: " +
			"use the program that the server was started from, or stop the server first")
	case state == store.SchemaOlder && (o.pools.Postgres() || o.needs == schemaAsIs):
		return errors.New("the database's schema is of an older version than this program: " +
			`use the program that the servers run, or bring it up to date by "kyrochat migrate"`)
	default:
		if err := o.pools.Migrate(ctx, o.queue.Migrate); err != nil {
			return err
		}
	}
	return o.pools.Share()
}

// user names who is at the command, for the audit log.
func (o *operator) user() string {
	name := host.OwnName()
	if sudo := o.Getenv("SUDO_USER"); sudo != "" && sudo != name {
		name += " (sudo by " + sudo + ")"
	}
	return text.Printable(name)
}

// close tells the servers what ended, and closes the database.
func (o *operator) close() error {
	if o.pools == nil {
		return nil
	}
	if len(o.ended) > 0 && o.cfg.RedisURL != "" {
		if err := o.tellServers(); err != nil {
			o.say("Redis was not told; the servers see by the database, within some seconds, what ended: %v", err)
		}
	}
	return o.pools.Close()
}

const tellTime = 5 * time.Second

// tellServers says to the servers, by Redis, which sessions and keys ended, so that they need not look. They look in any
// case.
func (o *operator) tellServers() error {
	ctx, cancel := context.WithTimeout(context.Background(), tellTime)
	defer cancel()
	installation, err := o.store.Name(ctx)
	if err != nil || installation == "" { // which a server gives it: there was none yet
		return err
	}
	redis, err := live.NewRedis(live.RedisConfig{
		URL: string(o.cfg.RedisURL), Prefix: o.cfg.RedisPrefix, Installation: installation, Node: setup.NodeName(),
		Timeout: o.cfg.RedisTimeout, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	bus := live.NewBus(redis)
	redis.Run()
	defer redis.Stop() // which sends what is left
	for _, credential := range o.ended {
		live.Send(bus, setup.SignalEnded, credential)
	}
	return redis.Away()
}
