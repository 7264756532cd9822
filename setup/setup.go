// Package setup makes of the settings what a server and the operator's commands have in common: the log, the queue, the bucket, who writes
// answers and makes embeddings; and it has the names by which processes know each other.
package setup

import (
	"fmt"
	"os"
	"time"

	"kyrochat/jobs"
	"kyrochat/store"
)

// SignalEnded tells all servers that a session or an API key has ended, by its id.
const SignalEnded = "session"

// NodeName tells this process from every other one, also from an earlier one with the same number.
func NodeName() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s-%d-%d", host, os.Getpid(), time.Now().UnixNano())
}

// NewQueue makes the queue on the connections of the database.
func NewQueue(pools *store.Pools, cfg jobs.Config) (*jobs.Queue, error) {
	if pools.Postgres() {
		return jobs.NewPostgres(pools.Pgx, cfg)
	}
	return jobs.NewSQLite(pools.SQLite, cfg)
}
