package program

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"kyrochat/config"
	"kyrochat/eval"
	"kyrochat/kyro"
	"kyrochat/setup"
	"kyrochat/text"
)

// ownSettings are what a server that is measured has of its own, whatever the environment says of the one that serves:
// where it keeps things and whom it lets in. Above all the database: it would be brought up to this version's schema,
// people would find the account, the bot and the documents in it, other processes on it would do a part of the work by
// their settings, and their load would be in the figures.
var ownSettings = map[string]string{
	"KYRO_ENV": "development", "KYRO_ROLE": "all", "KYRO_ADDR": "127.0.0.1:0", "KYRO_ADMIN_ADDR": "127.0.0.1:0",
	"KYRO_SIGNUP": "open", "KYRO_ACCESS_TOKEN_TTL": "720h", "KYRO_RATE_SCALE": "0", "KYRO_WS_MAX_SOCKETS": "1000",
	"KYRO_USER_MAX_DOCUMENTS": "0", "KYRO_USER_MAX_BYTES": "0", "KYRO_MAX_UNFINISHED_DOCUMENTS": "0",
	"KYRO_LOG_LEVEL": "error", "KYRO_LOG_FORMAT": "text",
	"DATABASE_URL": "", "REDIS_URL": "", "SMTP_URL": "", "KYRO_MAIL_FROM": "", "KYRO_SECRET": "", "KYRO_PUBLIC_URL": "",
	"DATABASE_URL_FILE": "", "REDIS_URL_FILE": "", "SMTP_URL_FILE": "", "KYRO_SECRET_FILE": "", "KYRO_COOKIES": "", "KYRO_APP_URL": "",
	"KYRO_ALLOWED_ORIGINS": "", "KYRO_TOKEN_GRACE": "", "KYRO_MAX_CONNECTIONS": "", "KYRO_MAX_LIVE_OPERATIONS": "",
	"KYRO_TRUSTED_PROXIES": "", "KYRO_REFRESH_TOKEN_TTL": "",
	"KYRO_PINECONE_NAMESPACE": "bot", // which can be deleted at the end, as the one that bots share cannot
}

// ownPrefixes are the settings of how the API is served, where files are kept, what is told to others, and what may be used up: all of
// them have their defaults.
var ownPrefixes = []string{"KYRO_S3_", "KYRO_EXPORT_", "KYRO_MAIL_", "KYRO_RESET_", "KYRO_VERIFY_", "OTEL_", "KYRO_TRACE", "KYRO_USER_", "KYRO_CACHE_", "KYRO_DRAIN_", "KYRO_REDIS_", "KYRO_HTTP_", "KYRO_WS_", "KYRO_SSE_", "KYRO_UPLOAD_", "KYRO_QUERY_", "KYRO_TRUSTED_", "KYRO_RATE_"}

// evalEnv is the environment of a server that is measured: its own settings, and for the rest, such as the providers
// and the limits of answers, those that the process has.
func evalEnv(getenv func(string) string, dataDir string) func(string) string {
	return func(name string) string {
		switch name {
		case "KYRO_DATA_DIR":
			return dataDir
		case "CREDENTIALS_DIRECTORY": // of the server that serves; but for the keys of providers, which are asked for as files
			return ""
		case "GEMINI_API_KEY_FILE", "PINECONE_API_KEY_FILE":
			return keyFile(getenv, name)
		}
		if own, ok := ownSettings[name]; ok {
			return own
		}
		for _, prefix := range ownPrefixes {
			if strings.HasPrefix(name, prefix) {
				return ""
			}
		}
		return getenv(name)
	}
}

// keyFile is the file that a provider's key is in: the one that is named, or the service manager's.
func keyFile(getenv func(string) string, name string) string {
	if file := getenv(name); file != "" {
		return file
	}
	key := strings.TrimSuffix(name, "_FILE")
	if getenv(key) != "" {
		return ""
	}
	return config.Credential(getenv, key)
}

// evalServer gives what runs a server to be measured.
func evalServer(getenv func(string) string, errOut io.Writer) eval.Start {
	return func(ctx context.Context, dataDir string) (eval.Server, error) {
		cfg, err := config.Read(evalEnv(getenv, dataDir))
		if err != nil {
			return eval.Server{}, err
		}
		app, err := build(ctx, cfg, hooks{}, setup.NewLogger(cfg, errOut))
		if err != nil {
			return eval.Server{}, err
		}
		url, stop, err := app.runInBackground(ctx)
		return eval.Server{URL: url, Settled: app.removed, Stop: stop}, err
	}
}

// removed waits until the server has settled, and takes what may be left of the deleted bot out of the index: its
// namespace, which an index may have few of.
func (a *app) removed(ctx context.Context, bot string) error {
	if err := a.settled(ctx); err != nil || a.providers.Index == nil {
		return err
	}
	id, err := kyro.ParseID(bot)
	if err != nil {
		return err
	}
	return a.providers.Index.RemoveBot(ctx, id)
}

// settled returns once nothing is left of what a delete has to do, and no other job runs that could undo it. When ctx
// ends before, it says how many jobs are left.
func (a *app) settled(ctx context.Context) error {
	const every = 100 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	for left := "it is not known how many jobs"; ; {
		n, err := a.queue.Unfinished(ctx, kyro.JobPurge)
		switch {
		case err == nil && n == 0:
			return nil
		case err == nil:
			left = text.Plural(n, "job")
		case ctx.Err() == nil:
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s were not done in time", left)
		case <-tick.C:
		}
	}
}
