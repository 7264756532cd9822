package config

import (
	"log/slog"
	"slices"
	"time"

	"kyrochat/kyro"
	"kyrochat/live"
)

// Role is what a process does of the work. Any number of each can share one PostgreSQL.
type Role string

const (
	roleAll    Role = "all"    // everything
	roleAPI    Role = "api"    // serves people and makes answers; stores jobs and leaves them to others
	roleWorker Role = "worker" // does jobs; nobody can reach it but its operator
)

// Serves reports whether people are answered.
func (r Role) Serves() bool { return r != roleWorker }

// Works reports whether jobs are done.
func (r Role) Works() bool { return r != roleAPI }

// readRedis reads where Redis is.
func (r *reader) readRedis(c *Config) {
	c.RedisURL = kyro.Secret(r.service("REDIS_URL", live.CheckURL, "redis", "rediss", "unix"))
	c.RedisPrefix = r.text("KYRO_REDIS_PREFIX", "kyro")
	c.RedisTimeout = r.duration("KYRO_REDIS_TIMEOUT", 250*time.Millisecond)
}

// checkNodes holds the role against what several processes need to share.
func (r *reader) checkNodes(c Config) {
	if c.Role != roleAll && c.DatabaseURL == "" {
		r.wrong("KYRO_ROLE", "is %s, which needs a database that several processes share: set DATABASE_URL, or use all", c.Role)
	}
	if c.Role == roleAPI && len(c.Secrets) == 0 && !c.Production { // in production it is missed in any case
		r.wrong("KYRO_SECRET", "is required of an api process, and the same for all that serve: tokens of one must be good at the others")
	}
}

// Warnings are what is to be said of settings that do not stop a start, and mostly are a mistake.
func (c Config) Warnings() []Remark {
	return slices.Concat(c.warningsOfNodes(), c.warningsOfMail())
}

// Warn tells the log so.
func (c Config) Warn(log *slog.Logger) {
	for _, each := range c.Warnings() {
		log.Warn(each.Says, "setting", each.Setting)
	}
}

// warningsOfNodes are what is right for one process and wrong, or less than could be, for several on one database.
func (c Config) warningsOfNodes() (words []Remark) {
	if c.DatabaseURL != "" && c.Role == roleAll && len(c.Secrets) == 0 {
		words = append(words, Remark{"KYRO_SECRET", "KYRO_SECRET is not set, so this process signs tokens with a secret of its own, made in its data folder: " +
			"set it where other processes serve from the same database, since they refuse these tokens"})
	}
	if c.Role != roleAll && c.RedisURL == "" {
		words = append(words, Remark{"REDIS_URL", "this process does a part of the work without Redis to hear from the others: " +
			"it sees what they do by looking at the database, within seconds"})
	}
	return words
}

// Recheck is how often a watcher of documents looks at their rows. Where workers are other processes, and there is no
// Redis, nothing else tells how far they are.
func (c Config) Recheck() time.Duration {
	if c.DatabaseURL != "" && c.RedisURL == "" {
		return 500 * time.Millisecond
	}
	return 3 * time.Second
}
