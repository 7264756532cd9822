// Package config reads the settings from the environment, and from the files that it names, with all their bounds: nothing else
// reads a setting. What is wrong is told at once, all of it. docs/configuration.md says what each setting means, and a test holds that page
// against what is read.
package config

import (
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"kyrochat/account"
	"kyrochat/answer"
	"kyrochat/auth"
	"kyrochat/kyro"
	"kyrochat/store"
	"kyrochat/transport"
)

// Config is everything that can be set, read once at the start. docs/configuration.md says what each setting means.
type Config struct {
	Production bool
	Role       Role
	Addr       string
	AdminAddr  string
	PublicURL  string
	Origins    []string       // of browsers, scheme://host[:port]; empty: localhost on any port
	Proxies    []netip.Prefix // whose X-Forwarded-For counts
	DataDir    string
	Secrets    []kyro.Secret // the first signs, all verify; empty: one is kept in the data folder
	SecretFile string        // that they are from, and that is followed while the server runs; empty: none that is set
	SignUp     kyro.SignUpMode

	DatabaseURL kyro.Secret // empty: SQLite in the data folder

	RedisURL     kyro.Secret // empty: what nodes share is in this process, or looked up in the database
	RedisPrefix  string      // of every key
	RedisTimeout time.Duration

	CacheEntries int           // rows of a kind that are remembered
	CacheTTL     time.Duration // how old they may be; 0: none is remembered

	AccessTTL  time.Duration
	RefreshTTL time.Duration

	Rates Rates

	Prices kyro.Prices // of models

	Mail Mail

	Providers Providers
	Browser   Browser
	Storage   Storage
	Traces    Traces

	Fetch Fetch

	Queries        transport.DocumentOptions // which GraphQL documents are taken
	Carriers       Carriers
	HeaderTimeout  time.Duration // for the head of a request
	Limits         kyro.Limits
	AnswerRestart  bool // an answer that was lost after it wrote text is begun again, once
	IngestWorkers  int
	RefreshEvery   time.Duration // how often documents are looked for whose vectors are of another model or index
	ReconcileEvery time.Duration // how often the vector index is compared with the database
	OfflinePace    time.Duration // between two pieces of an offline answer
	GapSimilarity  float64       // the least, of a question to a gap; 0: as fits the embedding model
	VectorTimeout  time.Duration // for the embedding of a question and the search by it; then words alone do
	PassageTokens  int           // of one prompt, as estimated
	HistoryTokens  int           // of one prompt, as estimated

	LogLevel slog.Level
	LogJSON  bool
}

// Read reads the settings from the environment. It gives every mistake at once, in one error.
func Read(getenv func(string) string) (Config, error) {
	r := &reader{getenv: getenv}
	r.readFiles()
	d := kyro.DefaultLimits()
	c := Config{
		Production: r.choice("KYRO_ENV", "development", "development", "production") == "production",
		Role:       Role(r.choice("KYRO_ROLE", string(roleAll), string(roleAll), string(roleAPI), string(roleWorker))),
		Addr:       r.addr("KYRO_ADDR", "127.0.0.1:8080"),
		AdminAddr:  r.addr("KYRO_ADMIN_ADDR", defaultAdminAddr),
		Proxies:    r.prefixes("KYRO_TRUSTED_PROXIES"),
		DataDir:    r.text("KYRO_DATA_DIR", "./data"),
		Secrets:    r.secrets("KYRO_SECRET"),
		SecretFile: r.text("KYRO_SECRET_FILE", ""),

		DatabaseURL: kyro.Secret(r.service("DATABASE_URL", store.CheckURL, "postgres", "postgresql")),

		AccessTTL:  r.duration("KYRO_ACCESS_TOKEN_TTL", auth.DefaultAccessTTL),
		RefreshTTL: r.duration("KYRO_REFRESH_TOKEN_TTL", account.DefaultRefreshTTL),

		Limits: kyro.Limits{
			MaxUploadBytes:    int64(r.integer("KYRO_MAX_UPLOAD_BYTES", int(d.MaxUploadBytes), 1, 1<<31-1)),
			MaxExtractedText:  r.integer("KYRO_MAX_EXTRACTED_BYTES", d.MaxExtractedText, 1, 1<<30),
			MaxChunks:         r.integer("KYRO_MAX_CHUNKS", d.MaxChunks, 1, 1_000_000),
			MaxPages:          r.integer("KYRO_MAX_PDF_PAGES", d.MaxPages, 1, 100_000),
			MaxTextChars:      r.integer("KYRO_MAX_TEXT_CHARS", d.MaxTextChars, 1, 1<<30),
			MaxMessageChars:   r.integer("KYRO_MAX_MESSAGE_CHARS", d.MaxMessageChars, 1, 1_000_000),
			MaxWaiting:        r.integer("KYRO_MAX_WAITING_MESSAGES", d.MaxWaiting, 0, 1000),
			MaxRunning:        r.integer("KYRO_MAX_RUNNING_ANSWERS", d.MaxRunning, 1, 100_000),
			MaxQueued:         r.integer("KYRO_MAX_QUEUED_CONVERSATIONS", d.MaxQueued, 1, 1_000_000),
			MaxDocuments:      r.integer("KYRO_USER_MAX_DOCUMENTS", d.MaxDocuments, 0, 1_000_000),
			MaxStorageBytes:   int64(r.integer("KYRO_USER_MAX_BYTES", int(d.MaxStorageBytes), 0, 1<<50)),
			MaxUnfinished:     r.integer("KYRO_MAX_UNFINISHED_DOCUMENTS", d.MaxUnfinished, 0, 10_000_000),
			UserDailyMessages: r.integer("KYRO_USER_DAILY_MESSAGES", 0, 0, kyro.MaxBudget),
			UserDailyTokens:   r.integer("KYRO_USER_DAILY_TOKENS", 0, 0, kyro.MaxBudget),
			IngestWindow:      r.integer("KYRO_INGEST_WINDOW", d.IngestWindow, 1, 10_000),
			AnswerLease:       r.duration("KYRO_ANSWER_LEASE", d.AnswerLease),
			AnswerHeartbeat:   r.duration("KYRO_ANSWER_HEARTBEAT", d.AnswerHeartbeat),
			AnswerSweep:       r.duration("KYRO_ANSWER_SWEEP", d.AnswerSweep),
			AnswerTotal:       r.duration("KYRO_ANSWER_TIMEOUT", d.AnswerTotal),
			AnswerFirstByte:   r.duration("KYRO_ANSWER_FIRST_BYTE_TIMEOUT", d.AnswerFirstByte),
			AnswerIdle:        r.duration("KYRO_ANSWER_IDLE_TIMEOUT", d.AnswerIdle),
			DrainTimeout:      r.duration("KYRO_DRAIN_TIMEOUT", d.DrainTimeout),
			ExtractTimeout:    r.duration("KYRO_EXTRACT_TIMEOUT", d.ExtractTimeout),
		},
		AnswerRestart:  r.choice("KYRO_ANSWER_RESTART", "false", "true", "false") == "true",
		HeaderTimeout:  r.duration("KYRO_HTTP_HEADER_TIMEOUT", 5*time.Second),
		CacheEntries:   r.integer("KYRO_CACHE_ENTRIES", 10_000, 1, 10_000_000),
		CacheTTL:       r.durationOrZero("KYRO_CACHE_TTL", 5*time.Second),
		IngestWorkers:  r.integer("KYRO_INGEST_WORKERS", 4, 1, 256),
		RefreshEvery:   r.duration("KYRO_REFRESH_EVERY", time.Minute),
		ReconcileEvery: r.duration("KYRO_RECONCILE_EVERY", time.Hour),
		OfflinePace:    r.durationOrZero("KYRO_OFFLINE_PACE", 0),
		GapSimilarity:  r.float("KYRO_GAP_SIMILARITY", 0, 0, 1),
		VectorTimeout:  r.duration("KYRO_VECTOR_TIMEOUT", answer.DefaultVectorTimeout),
		PassageTokens:  r.integer("KYRO_PROMPT_PASSAGE_TOKENS", answer.DefaultPassageTokens, 100, 200_000),
		HistoryTokens:  r.integer("KYRO_PROMPT_HISTORY_TOKENS", answer.DefaultHistoryTokens, 1, 200_000),

		LogLevel: r.level("KYRO_LOG_LEVEL"),
	}
	c.LogJSON = r.choice("KYRO_LOG_FORMAT", pick(c.Production, "json", "text"), "text", "json") == "json"
	r.readPrices(&c)
	r.readFetch(&c)
	r.readQueries(&c)
	r.readCarriers(&c)
	c.PublicURL = strings.TrimSuffix(r.url("KYRO_PUBLIC_URL", "http", "https"), "/")
	if strings.ContainsAny(c.PublicURL, "?#") {
		r.wrong("KYRO_PUBLIC_URL", "has a query or a fragment: links in mails go on behind it, so end it with the host or a path")
	}
	if c.PublicURL == "" {
		c.PublicURL = "http://" + c.Addr
	}
	c.Origins = r.origins("KYRO_ALLOWED_ORIGINS")
	if c.Production && len(c.Origins) == 0 {
		c.Origins = []string{originOf(c.PublicURL)}
	}
	signUp := strings.ToUpper(r.choice("KYRO_SIGNUP", pick(c.Production, "verified", "open"), "open", "verified", "closed"))
	c.SignUp = kyro.SignUpMode(signUp)
	r.readRates(&c)
	r.readMail(&c)
	r.readRedis(&c)
	r.readProviders(&c)
	r.readBrowser(&c)
	r.readStorage(&c)
	r.readTraces(&c)
	r.check(c)
	r.checkNodes(c)
	return c, r.err()
}

// Names are those of all settings, sorted.
func Names() []string {
	read := map[string]bool{}
	_, _ = Read(func(name string) string { read[name] = true; return "" })
	return slices.Sorted(maps.Keys(read))
}

// ReadAdminAddr reads where a server with these settings tells how it is, and heeds no other setting.
func ReadAdminAddr(getenv func(string) string) (string, error) {
	r := &reader{getenv: getenv}
	return r.addr("KYRO_ADMIN_ADDR", defaultAdminAddr), r.err()
}

const defaultAdminAddr = "127.0.0.1:9090"

const maxCacheTTL = 10 * time.Minute

// check holds what several settings say against each other.
func (r *reader) check(c Config) {
	for _, secret := range c.Secrets {
		if err := auth.CheckSecret(string(secret)); err != nil && (c.Production || len(secret) < auth.MinSecretBytes) {
			r.wrong("KYRO_SECRET", "is refused: %v", err)
		}
	}
	if c.Production && len(c.Secrets) == 0 {
		r.wrong("KYRO_SECRET", "is required in production, also of workers, which send mails: at least 32 random bytes, such as `openssl rand -base64 48` prints")
	}
	if c.Limits.AnswerHeartbeat*2 > c.Limits.AnswerLease {
		r.wrong("KYRO_ANSWER_HEARTBEAT", "must be at most half of KYRO_ANSWER_LEASE (%s)", c.Limits.AnswerLease)
	}
	if c.CacheTTL > maxCacheTTL {
		r.wrong("KYRO_CACHE_TTL", "must be at most %s: other processes would show what was deleted for as long", maxCacheTTL)
	}
	if c.Limits.ExtractTimeout > 35*time.Second {
		r.wrong("KYRO_EXTRACT_TIMEOUT", "must be at most 35s: a job's turn ends after 45s, and what was read has to be stored in it")
	}
}
