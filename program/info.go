package program

import (
	"log/slog"
	"strings"

	"kyrochat/ingest/extract"
	"kyrochat/kyro"
	"kyrochat/web"
)

func (a *app) serverInfo() kyro.ServerInfo {
	limits := a.cfg.Limits
	answers, embeddings, vectors := a.providers.Info(a.cfg.Providers)
	environment, database, shared := "development", "sqlite", "in-process"
	if a.cfg.Production {
		environment = "production"
	}
	if a.pools.Postgres() {
		database = "postgresql"
	}
	if a.nodes.redis != nil {
		shared = "redis"
	}
	return kyro.ServerInfo{
		Version: version(), Environment: environment, SignUp: a.cfg.SignUp,
		Answers: answers, Embeddings: embeddings, Vectors: vectors,
		Database: database, Live: shared,
		Limits: kyro.ServerLimits{
			MaxUploadBytes: int(limits.MaxUploadBytes), MaxTextChars: limits.MaxTextChars, MaxMessageChars: limits.MaxMessageChars,
			MaxPageSize: kyro.MaxPageSize, AcceptedTypes: extract.Accepted(),
			MaxDocuments: unlessZero(limits.MaxDocuments), MaxStorageBytes: unlessZero(float64(limits.MaxStorageBytes)),
			MaxSockets: a.cfg.Carriers.Sockets.MaxSockets, MaxEventStreams: a.cfg.Carriers.Events.MaxStreams,
			MaxOperationsOnSocket: a.cfg.Carriers.Sockets.MaxOperations,
		},
	}
}

// unlessZero is a limit as clients are told of it: nil for none.
func unlessZero[N int | float64](limit N) *N {
	if limit == 0 {
		return nil
	}
	return &limit
}

func (a *app) logReady(log *slog.Logger) {
	if !a.cfg.Role.Serves() {
		log.Info("ready", "admin", "http://"+a.adminListener.Addr().String(), "role", a.cfg.Role,
			"database", a.info.Database, "live", a.info.Live, "embeddings", a.info.Embeddings.Model, "vectors", a.info.Vectors)
		return
	}
	embedded := a.providers.Embedded()
	if a.nodes.redis == nil {
		embedded = append([]string{"streams in process"}, embedded...)
	}
	if !a.pools.Postgres() {
		embedded = append([]string{"SQLite in " + a.cfg.DataDir}, embedded...)
	}
	if a.post.Outbox() != nil {
		embedded = append(embedded, "mails in the outbox")
	}
	if len(embedded) == 0 {
		embedded = []string{"nothing"}
	}
	facts := []any{
		"graphql", a.baseURL() + "/graphql", "admin", "http://" + a.adminListener.Addr().String(), "role", a.cfg.Role,
		"database", a.info.Database, "live", a.info.Live, "answers", a.info.Answers.Model, "embeddings", a.info.Embeddings.Model,
		"vectors", a.info.Vectors, "embedded", strings.Join(embedded, ", "),
	}
	if a.outbox() != nil {
		facts = append(facts, "outbox", a.baseURL()+web.OutboxPath)
	}
	log.Info("ready", facts...)
}
