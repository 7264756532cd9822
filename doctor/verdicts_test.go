package doctor

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"kyrochat/ai"
	"kyrochat/config"
	"kyrochat/ingest/bucket"
	"kyrochat/internal/envtest"
	"kyrochat/kyro"
	"kyrochat/live"
	"kyrochat/mail"
	"kyrochat/store"
)

const production = "KYRO_ENV=production KYRO_SECRET=" + envtest.SecretOne + " KYRO_SIGNUP=closed KYRO_PUBLIC_URL=https://chat.example.com KYRO_TRUSTED_PROXIES=127.0.0.1"

// configured looks at settings alone.
func configured(t *testing.T, settings string) []Finding {
	t.Helper()
	env := map[string]string{}
	for each := range strings.FieldsSeq(settings) {
		name, value, _ := strings.Cut(each, "=")
		env[name] = value
	}
	return lookAtConfiguration(newPatient(t.Context(), Options{Getenv: envtest.Of(env), Now: time.Now}))
}

func TestWhatSettingsAreToldOf(t *testing.T) {
	t.Parallel()
	open := envtest.File(t, "the-key", 0o644)
	for _, c := range []struct {
		settings string
		status   Severity
		words    []string
	}{
		{"", Fine, []string{"development, role all"}},
		{production, Warned, []string{"outbox"}},
		{production + " SMTP_URL=smtp://mail.example.com KYRO_MAIL_FROM=kyro@example.com", Fine, []string{"production"}},
		{"KYRO_ENV=production", Failed, []string{"KYRO_SECRET is required", "openssl rand -base64 48", "SMTP_URL is required", "KYRO_SIGNUP=closed"}},
		{"KYRO_ENV=live", Failed, []string{`KYRO_ENV is "live".`, "Use one of development, production."}},
		{"KYRO_DRAIN_TIMEOUT=5 KYRO_CACHE_TTL=1h", Failed, []string{`KYRO_DRAIN_TIMEOUT is "5".`, "Use a duration such as 30s", "KYRO_CACHE_TTL must be at most"}},
		{"GEMINI_API_KEY_FILE=" + open, Failed, []string{"0644", "chmod 600 " + open}},
		{"SMTP_URL=smtp://mail.example.com", Failed, []string{"KYRO_MAIL_FROM is required", `KYRO_MAIL_FROM="KyroChat <kyrochat@example.com>"`}},
		{"PINECONE_API_KEY=k", Failed, []string{"GEMINI_API_KEY is not", "KYRO_PINECONE_INDEX is required"}},
		{"DATABASE_URL=postgres://localhost/kyro KYRO_ROLE=worker", Warned, []string{"without Redis", "REDIS_URL=redis://"}},
		{"DATABASE_URL=postgres://localhost/kyro", Warned, []string{"a secret of its own"}},
		{production + " KYRO_RATE_SCALE=0", Warned, []string{"guesses at passwords", "unset KYRO_RATE_SCALE"}},
		{production + " KYRO_PUBLIC_URL=http://chat.example.com", Warned, []string{"over http", "KYRO_PUBLIC_URL=https://"}},
		{production + " KYRO_TRUSTED_PROXIES=", Warned, []string{"KYRO_TRUSTED_PROXIES=127.0.0.1"}},
		{"KYRO_ADDR=0.0.0.0:8080", Warned, []string{"which other machines can reach", "KYRO_ENV=production"}},
		{"KYRO_ADDR=:8080", Warned, []string{"which other machines can reach"}},
		{"KYRO_ADDR=[::1]:8080", Fine, nil},
		{"KYRO_ADMIN_ADDR=0.0.0.0:9090", Noted, []string{"/debug/pprof/"}},
		{"KYRO_ADMIN_ADDR=10.1.2.3:9090", Noted, nil},
		{"KYRO_ADMIN_ADDR=203.0.113.7:9090", Warned, []string{"an address of the internet"}},
	} {
		wantVerdict(t, "configuration", c.settings, configured(t, c.settings), c.status, c.words...)
	}
	for _, f := range configured(t, "KYRO_ENV=production") {
		if f.Status == Warned {
			t.Errorf("what is missing is told twice: %s", f.Found)
		}
	}
}

func TestMisspeltSettings(t *testing.T) {
	t.Parallel()
	known := config.Names()
	for environ, want := range map[string]string{
		"KYRO_SECRETT=x": "KYRO_SECRET=…", "KYRO_DATADIR=x": "KYRO_DATA_DIR=…", "kyro_addr=x": "KYRO_ADDR=…", "GEMINI_APIKEY=x": "GEMINI_API_KEY=…", "DATABASEURL=x": "DATABASE_URL=…",
		"KYRO_SOMETHING_ELSE_ENTIRELY=x": "unset KYRO_SOMETHING_ELSE_ENTIRELY",
		"KYRO_SECRET=x":                  "", "DATABASE_URL_FILE=x": "", "HOME=/root": "", "SMTP_HOST=x": "", "KYRO_TEST_REQUIRE=postgres": "", "OTEL_TRACES_EXPORTER=otlp": "", "REDIS_URLS=x REDIS_URL=y": "",
	} {
		found := misspelt(known, strings.Fields(environ))
		switch {
		case want == "" && len(found) > 0:
			t.Errorf("%s: %+v", environ, found)
		case want != "":
			wantVerdict(t, "misspelt-settings", environ, found, Warned, want)
		}
	}
}

func TestVerdictsOnSecrets(t *testing.T) {
	t.Parallel()
	const words = "qwertyuiopasdfghjklzxcvbnmqwertyuiop1"
	for name, c := range map[string]struct {
		secrets []string
		prod    bool
		status  Severity
		word    string
	}{
		"one that is good": {[]string{envtest.SecretOne}, true, Fine, ""},
		"hexadecimal":      {[]string{"4f1e9b07c2d85a36e0b7194dfc62a835"}, true, Fine, ""},
		"the keyboard":     {[]string{words}, true, Warned, "words or patterns"},
		"a sample":         {[]string{envtest.SecretOne, "changeme-" + envtest.SecretTwo}, false, Warned, "Secret 2 of 2 is weak"},
		"the same twice":   {[]string{envtest.SecretOne, envtest.SecretTwo, envtest.SecretOne}, true, Warned, "Secret 3 of 3"},
		"many":             {[]string{envtest.SecretOne, envtest.SecretTwo, envtest.SecretOne[3:] + "abc", envtest.SecretTwo[3:] + "def"}, true, Noted, "4 secrets"},
	} {
		found := secretVerdict(c.secrets, c.prod)
		if c.status == Fine {
			if len(found) > 0 {
				t.Errorf("%s: %+v", name, found)
			}
			continue
		}
		wantVerdict(t, "secret", name, found, c.status, c.word)
		for _, f := range found {
			for _, secret := range c.secrets {
				if strings.Contains(f.Found+f.Mend, secret) {
					t.Errorf("%s: the secret is shown", name)
				}
			}
		}
	}
}

func TestVerdictsOnTheDataFolder(t *testing.T) {
	t.Parallel()
	room := disk{free: 50 << 30, size: 100 << 30, files: 1 << 20, inode: 1 << 21}
	on := func(kind string) disk { d := room; d.kind = kind; return d }
	denied := &os.PathError{Op: "open", Path: "/data/x", Err: syscall.EACCES}
	for name, c := range map[string]struct {
		f      dataFolder
		status Severity
		words  []string
	}{
		"all is well":            {dataFolder{mode: 0o700, disk: room}, Fine, []string{"50 GiB are free"}},
		"in use":                 {dataFolder{mode: 0o700, disk: room, used: true}, Fine, []string{"a running server has it"}},
		"not there yet":          {dataFolder{parent: "/var", disk: room}, Fine, []string{"made by the first start"}},
		"cannot be made":         {dataFolder{parent: "/var", problem: denied, disk: room}, Failed, []string{"cannot be made in /var: permission denied", "install -d -m 700"}},
		"cannot be written":      {dataFolder{problem: denied, disk: room}, Failed, []string{"permission denied"}},
		"mounted read-only":      {dataFolder{problem: syscall.EROFS, disk: disk{readOnly: true}}, Failed, []string{"mounted read-only", "leave KYRO_DATA_DIR out of kyrochat.env"}},
		"root in another's":      {dataFolder{root: true, owner: "kyro", mode: 0o700, disk: room}, Warned, []string{"kyrochat-run doctor", "sudo -u kyro"}},
		"files of others":        {dataFolder{strangers: []string{"kyro.db", "secret"}, mode: 0o700, disk: room}, Failed, []string{"kyro.db, secret belong", "chown -R"}},
		"others may write":       {dataFolder{mode: 0o770, disk: room}, Warned, []string{"mode 0770", "chmod 700 /data"}},
		"a volume of a pod":      {dataFolder{mode: 0o777, pod: true, owner: "root", disk: room}, Noted, []string{"mode 0777", "Kubernetes"}},
		"others may look":        {dataFolder{mode: 0o755, disk: room}, Noted, []string{"chmod 700 /data"}},
		"nearly full":            {dataFolder{mode: 0o700, disk: disk{free: 500 << 20, size: 100 << 30}}, Warned, []string{"500 MiB are free"}},
		"little of a large disk": {dataFolder{mode: 0o700, disk: disk{free: 5 << 30, size: 1 << 40}}, Warned, []string{"5 GiB"}},
		"full":                   {dataFolder{mode: 0o700, disk: disk{free: 5 << 20, size: 100 << 30}}, Failed, []string{"nothing more can be kept", "mount that in its place:\n  /data"}},
		"no more files":          {dataFolder{mode: 0o700, disk: disk{free: 50 << 30, size: 100 << 30, files: 12, inode: 1 << 20}}, Warned, []string{"12 more files", "df -i"}},
		"SQLite on NFS":          {dataFolder{mode: 0o700, embedded: true, disk: on("nfs")}, Failed, []string{"nfs", "DATABASE_URL=postgres://"}},
		"PostgreSQL, and NFS":    {dataFolder{mode: 0o700, disk: on("nfs")}, Fine, nil},
		"SQLite on FUSE":         {dataFolder{mode: 0o700, embedded: true, disk: on("fuse")}, Warned, nil},
		"in memory":              {dataFolder{mode: 0o700, embedded: true, disk: on("tmpfs")}, Noted, []string{"-v kyrochat:/data"}},
		"in memory, production":  {dataFolder{mode: 0o700, embedded: true, prod: true, disk: on("tmpfs")}, Warned, nil},
		"in the container":       {dataFolder{mode: 0o700, embedded: true, prod: true, disk: on("overlay")}, Warned, []string{"gone with the container"}},
		"nothing in it lasts":    {dataFolder{mode: 0o700, prod: true, disk: on("overlay")}, Noted, nil},
	} {
		c.f.path, c.f.diskKnown = "/data", true
		wantVerdict(t, "data-folder", name, c.f.verdict(), c.status, c.words...)
	}
}

func TestVerdictsOnPostgreSQL(t *testing.T) {
	t.Parallel()
	good := store.ExaminedPostgres{VersionNumber: 150004, Encoding: "UTF8", CanMake: true, CanUse: true, CanChange: true, User: "kyro", Owner: "kyro", Most: 97, Open: 3, Pool: 17,
		SynchronousCommit: "on", FullPageWrites: "on", Fsync: "on"}
	with := func(change func(*store.ExaminedPostgres)) store.ExaminedPostgres { pg := good; change(&pg); return pg }
	reached := func(pg store.ExaminedPostgres) []Finding {
		return postgresVerdict(examinedDatabase{Examined: store.Examined{Where: "db:5432, database kyro", Version: "15.4", Took: time.Millisecond, Postgres: &pg}})
	}
	refused := func(text string) []Finding {
		return postgresVerdict(examinedDatabase{store.Examined{Where: "db:5432, database kyro"}, errors.New(text)})
	}
	slow := postgresVerdict(examinedDatabase{Examined: store.Examined{Took: 80 * time.Millisecond, Postgres: &good}})
	wantVerdict(t, "database", "good", reached(good), Fine, "PostgreSQL 15.4 at db:5432, database kyro")
	wantVerdict(t, "database", "old", reached(with(func(p *store.ExaminedPostgres) { p.VersionNumber = 140010 })), Failed, "15 or newer")
	wantVerdict(t, "database", "Latin 1", reached(with(func(p *store.ExaminedPostgres) { p.Encoding = "LATIN1" })), Failed, "createdb --encoding=UTF8")
	wantVerdict(t, "database", "far away", slow, Warned, "80ms")
	wantVerdict(t, "database", "refused", refused("dial tcp: connection refused"), Failed, "pg_isready")
	wantVerdict(t, "database", "a wrong password", refused("password authentication failed (SQLSTATE 28P01)"), Failed, "ALTER ROLE kyro PASSWORD")
	wantVerdict(t, "database", "no database", refused("database \"kyro\" does not exist (SQLSTATE 3D000)"), Failed, "createdb")
	wantVerdict(t, "database", "no connection left", refused("sorry, too many clients already (SQLSTATE 53300)"), Failed, "max_connections")
	wantVerdict(t, "database", "silent", refused("read tcp: context deadline exceeded"), Failed, "does not answer in time")

	settings := func(change func(*store.ExaminedPostgres)) []Finding {
		return databaseSettingsVerdict(with(change), store.SchemaCurrent)
	}
	wantVerdict(t, "database-settings", "good", databaseSettingsVerdict(good, store.SchemaNone), Fine)
	wantVerdict(t, "database-settings", "a replica", settings(func(p *store.ExaminedPostgres) { p.ReadOnly = true }), Failed, "primary")
	wantVerdict(t, "database-settings", "no new tables", settings(func(p *store.ExaminedPostgres) { p.CanMake = false }), Warned, `GRANT CREATE, USAGE ON SCHEMA public TO "kyro"`)
	wantVerdict(t, "database-settings", "no tables at all", databaseSettingsVerdict(with(func(p *store.ExaminedPostgres) { p.CanMake = false }), store.SchemaNone), Failed)
	another := func(p *store.ExaminedPostgres) { p.CanMake, p.CanChange, p.Owner = false, false, "root" }
	wantVerdict(t, "database-settings", "tables of another", settings(another), Noted, "migrations need root", "kyrochat migrate")
	wantVerdict(t, "database-settings", "tables of another, to be changed", databaseSettingsVerdict(with(another), store.SchemaOlder), Failed, `GRANT "root" TO "kyro"`)
	wantVerdict(t, "database-settings", "rows of another", settings(func(p *store.ExaminedPostgres) { another(p); p.CanUse = false }), Failed, `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "kyro"`)
	wantVerdict(t, "database-settings", "asynchronous", settings(func(p *store.ExaminedPostgres) { p.SynchronousCommit = "off" }), Warned, "SET synchronous_commit = on")
	wantVerdict(t, "database-settings", "behind a pooler", settings(func(p *store.ExaminedPostgres) { p.Shared = true }), Warned, "pool_mode = session")
	wantVerdict(t, "database-settings", "no fsync", settings(func(p *store.ExaminedPostgres) { p.Fsync = "off" }), Warned, "fsync = on")
	wantVerdict(t, "database-settings", "short", settings(func(p *store.ExaminedPostgres) { p.StatementTimeout = 2 * time.Second }), Warned, "statement_timeout is 2s")
	wantVerdict(t, "database-settings", "long", settings(func(p *store.ExaminedPostgres) { p.StatementTimeout = time.Minute }), Noted)

	wantVerdict(t, "database-connections", "good", connectionsVerdict(good, 0), Fine, "97 connections", "5 processes of up to 17")
	wantVerdict(t, "database-connections", "as many nodes as fit", connectionsVerdict(good, 5), Fine, "5 are there now")
	wantVerdict(t, "database-connections", "too many nodes", connectionsVerdict(good, 6), Warned, "6 are there now", "max_connections = 139", "pool_max_conns=12")
	wantVerdict(t, "database-connections", "too few for one", connectionsVerdict(with(func(p *store.ExaminedPostgres) { p.Most = 10 }), 0), Failed, "one process may open 17")
	wantVerdict(t, "database-connections", "taken by others", connectionsVerdict(with(func(p *store.ExaminedPostgres) { p.Open = 95 }), 0), Warned, "95 are open")
}

func TestVerdictsOnTheSchema(t *testing.T) {
	t.Parallel()
	of := func(x store.Examined, inUse bool) []Finding {
		return schemaVerdict(examinedDatabase{Examined: x}, inUse)
	}
	wantVerdict(t, "database-schema", "current", of(store.Examined{}, false), Fine)
	wantVerdict(t, "database-schema", "none", of(store.Examined{Schema: store.SchemaNone}, false), Fine)
	wantVerdict(t, "database-schema", "older", of(store.Examined{Schema: store.SchemaOlder, Lacks: 3}, false), Noted, "3 migrations are", "kyrochat migrate")
	wantVerdict(t, "database-schema", "below a server", of(store.Examined{Schema: store.SchemaOlder, Lacks: 1}, true), Noted, "1 migration is", "Restart the server")
	wantVerdict(t, "database-schema", "newer", of(store.Examined{SchemaErr: fmt.Errorf("%w: 2030", store.ErrNewer)}, false), Failed, "newer version")
	wantVerdict(t, "database-schema", "hidden", of(store.Examined{SchemaErr: errors.New("permission denied")}, false), Failed, "permission denied")

	file := func(f store.ExaminedFile, err error) []Finding {
		f.Path = "/data/kyro.db"
		return fileVerdict(examinedDatabase{store.Examined{Where: f.Path, Version: "3.50.4", File: &f}, err})
	}
	wantVerdict(t, "database", "good", file(store.ExaminedFile{WAL: true, Bytes: 3 << 20}, nil), Fine, "3 MiB, without damage")
	wantVerdict(t, "database", "none", file(store.ExaminedFile{None: true}, nil), Fine, "first start")
	wantVerdict(t, "database", "unreadable", file(store.ExaminedFile{}, os.ErrPermission), Failed, "ls -l /data/kyro.db")
	wantVerdict(t, "database", "damaged", file(store.ExaminedFile{WAL: true, Damage: []string{"row 7 missing from index"}}, nil), Failed, "row 7", "go back to a backup")
	wantVerdict(t, "database", "large", file(store.ExaminedFile{WAL: true, Unchecked: true, Bytes: 90 << 30}, nil), Noted, "90 GiB", "PRAGMA quick_check")
	wantVerdict(t, "database", "no log", file(store.ExaminedFile{}, nil), Noted, "WAL")
	wantVerdict(t, "database", "a log without an end", file(store.ExaminedFile{WAL: true, Log: 1 << 30}, nil), Warned, "1 GiB", "fuser")
}

func TestVerdictsOnRedis(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		x      live.Examined
		err    error
		status Severity
		words  []string
	}{
		"good":             {live.Examined{Version: "7.0.15"}, nil, Fine, []string{"Redis 7.0.15"}},
		"refused":          {live.Examined{}, errors.New("dial tcp: connection refused"), Failed, []string{"redis-cli"}},
		"a wrong password": {live.Examined{}, errors.New("WRONGPASS invalid username-password pair"), Failed, []string{"REDIS_URL=redis://user:password@"}},
		"a cluster":        {live.Examined{Version: "7.0.0", Cluster: true}, nil, Failed, []string{"Cluster"}},
		"a replica":        {live.Examined{Version: "7.0.0", Replica: true, Refused: errors.New("READONLY")}, nil, Failed, []string{"primary"}},
		"full":             {live.Examined{Version: "7.0.0", Refused: errors.New("OOM command not allowed")}, nil, Failed, []string{"maxmemory 512mb"}},
		"no disk":          {live.Examined{Version: "7.0.0", Refused: errors.New("MISCONF cannot save")}, nil, Failed, []string{"config set save"}},
		"few rights":       {live.Examined{Version: "7.0.0", Refused: errors.New("NOPERM no permissions to run eval")}, nil, Failed, []string{"ACL SETUSER"}},
		"old":              {live.Examined{Version: "6.0.16"}, nil, Failed, []string{"6.2 or newer"}},
		"evicts":           {live.Examined{Version: "7.0.0", MaxMemory: 1 << 30, Policy: "allkeys-lru"}, nil, Warned, []string{"maxmemory-policy noeviction", "in its parameters"}},
		"evicts nothing":   {live.Examined{Version: "7.0.0", Policy: "allkeys-lru"}, nil, Fine, nil},
		"told of nothing":  {live.Examined{MaxMemory: 1 << 30}, nil, Fine, []string{"may not see"}},
		"nearly full":      {live.Examined{Version: "7.0.0", MaxMemory: 1 << 30, Used: 1<<30 - 1, Policy: "noeviction"}, nil, Warned, []string{"config set maxmemory 2048mb"}},
		"slow":             {live.Examined{Version: "7.0.0", Took: 400 * time.Millisecond}, nil, Warned, []string{"KYRO_REDIS_TIMEOUT=800ms"}},
	} {
		wantVerdict(t, "redis", name, redisVerdict(examinedRedis{c.x, c.err}, 250*time.Millisecond), c.status, c.words...)
	}
}

func TestVerdictsOnProviders(t *testing.T) {
	t.Parallel()
	gemini := func(answers, embeddings ai.Examined) []Finding {
		answers.Model, embeddings.Model = "gemini-x", "embedding-x"
		return geminiVerdict(examinedModels{answers: answers, embeddings: embeddings}, 768)
	}
	well := ai.Examined{Dims: 768}
	of := func(trouble ai.Trouble) ai.Examined {
		return ai.Examined{Trouble: trouble, Cause: errors.New("a cause")}
	}
	wantVerdict(t, "gemini", "good", gemini(ai.Examined{}, well), Fine, "gemini-x can write", "768 dimensions")
	wantVerdict(t, "gemini", "another dimension", gemini(ai.Examined{}, ai.Examined{Dims: 3072}), Failed, "KYRO_EMBEDDING_DIMS=3072")
	wantVerdict(t, "gemini", "no model", gemini(of(ai.TroubleModel), well), Failed, "gemini-x", "KYRO_GEMINI_MODEL="+ai.DefaultGeminiModel)
	wantVerdict(t, "gemini", "a gateway that tells of no models", gemini(of(ai.TroubleUntold), well), Warned, "gemini-x", "/v1beta/models")
	wantVerdict(t, "gemini", "no embedding model", gemini(ai.Examined{}, of(ai.TroubleModel)), Failed, "embedding-x", "KYRO_EMBEDDING_MODEL="+ai.DefaultEmbeddingModel)
	wantVerdict(t, "gemini", "another use", gemini(of(ai.TroubleUse), well), Failed, "cannot write answers")
	wantVerdict(t, "gemini", "quota", gemini(of(ai.TroubleQuota), well), Warned, "used up")
	wantVerdict(t, "gemini", "refused", gemini(of(ai.TroubleRefused), well), Failed, "KYRO_GEMINI_URL")
	if twice := gemini(of(ai.TroubleKey), of(ai.TroubleKey)); len(twice) != 1 {
		t.Errorf("one key is told of %d times", len(twice))
	}
	wantVerdict(t, "gemini", "the key", gemini(of(ai.TroubleKey), of(ai.TroubleKey)), Failed, "GEMINI_API_KEY=…", "(a cause)")
	wantVerdict(t, "gemini", "away", gemini(of(ai.TroubleAway), of(ai.TroubleAway)), Failed, "does not answer")

	c := config.Providers{PineconeIndex: "kyro", EmbeddingDims: 768}
	at := ai.ExaminedIndex{Host: "https://kyro.example.com", Ready: true, Dims: 768, Metric: "cosine", Vectors: 12}
	wantVerdict(t, "pinecone", "good", pineconeVerdict(at, nil, c), Fine, "kyro", "768 dimensions and metric cosine", "12 vectors")
	byProduct, starting := at, at
	byProduct.Metric, starting.Ready, starting.State = "dotproduct", false, "Initializing"
	wantVerdict(t, "pinecone", "dotproduct", pineconeVerdict(byProduct, nil, c), Noted, "the same as cosine")
	wantVerdict(t, "pinecone", "starting", pineconeVerdict(starting, nil, c), Warned, "Initializing")
}

func TestVerdictsOnServices(t *testing.T) {
	t.Parallel()
	mailed := func(message string) []Finding {
		return mailVerdict(mail.Examined{Address: "mail.example.com:587"}, kyro.Errorf(kyro.CodeUpstreamFailed, "%s", message), config.Mail{})
	}
	wantVerdict(t, "mail", "good", mailVerdict(mail.Examined{Address: "m:587", Encrypted: "TLS 1.3", SignedIn: true}, nil, config.Mail{From: "kyro@example.com"}), Fine, "encrypted by TLS 1.3", "kyro@example.com")
	for message, mend := range map[string]string{
		"The mail server cannot be reached.":                                        "nc -vz mail.example.com 587",
		"The mail server refuses the user or the password of SMTP_URL.":             "SMTP_URL=smtp://user:password@host",
		"The mail server's certificate is not good for the host of SMTP_URL.":       "SSL_CERT_FILE",
		"The mail server does not encrypt the connection, which SMTP_URL requires.": "smtps://",
		"The mail server does not speak TLS where SMTP_URL asks for it.":            "encrypted from the start (465)",
		"The mail server took too long.":                                            "Many networks",
	} {
		wantVerdict(t, "mail", message, mailed(message), Failed, mend)
	}
	o := bucket.Options{Endpoint: "https://s3.example.com", Bucket: "files"}
	wantVerdict(t, "storage", "good", storageVerdict(o, nil), Fine)
	wantVerdict(t, "storage", "no bucket", storageVerdict(o, errors.New("there is no bucket files: make it first")), Failed, "s3 mb s3://files")
	wantVerdict(t, "storage", "refused", storageVerdict(o, errors.New("look for the bucket files: AccessDenied (HTTP 403)")), Failed, "s3:PutObject")
	wantVerdict(t, "storage", "away", storageVerdict(o, errors.New("dial tcp: connection refused")), Failed, "curl")

	wantVerdict(t, "traces", "good", tracesVerdict("http://c:4318", 200, nil), Fine)
	wantVerdict(t, "traces", "refused", tracesVerdict("http://c:4318", 401, nil), Warned, "OTEL_EXPORTER_OTLP_HEADERS")
	wantVerdict(t, "traces", "another program", tracesVerdict("http://c:80", 404, nil), Warned, "4318")
	wantVerdict(t, "traces", "away", tracesVerdict("http://c:4318", 0, errors.New("connection refused")), Warned, "connection refused")
}

func TestVerdictsOnTheMachine(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	wantVerdict(t, "clock", "alone", clockVerdict(nil, now), Fine, "no other clock")
	wantVerdict(t, "clock", "agreeing", clockVerdict([]datedAnswer{{"Redis", time.Second, 0}, {"Gemini", -2500 * time.Millisecond, time.Second}}, now), Fine, "as by Redis, Gemini")
	wantVerdict(t, "clock", "behind", clockVerdict([]datedAnswer{{"PostgreSQL", 5 * time.Second, 0}}, now), Warned, "5s behind that of PostgreSQL", "set-ntp true")
	wantVerdict(t, "clock", "far before", clockVerdict([]datedAnswer{{"Redis", -2 * time.Hour, 0}}, now), Failed, "before that of Redis")
	wantVerdict(t, "clock", "never set", clockVerdict(nil, time.Unix(0, 0)), Failed, "1970")

	wantVerdict(t, "open-files", "many", openFilesVerdict(65_536, 10_200), Fine)
	wantVerdict(t, "open-files", "a shell's", openFilesVerdict(1024, 10_200), Warned, "LimitNOFILE=65536", "KYRO_MAX_CONNECTIONS=824")
	wantVerdict(t, "open-files", "hardly any", openFilesVerdict(64, 10_200), Failed)

	const mib = 1 << 20
	wantVerdict(t, "memory", "much", memoryVerdict(8192*mib, 6000*mib, 0, 4, 448*mib), Fine)
	wantVerdict(t, "memory", "little", memoryVerdict(2048*mib, 1500*mib, 0, 4, 448*mib), Noted)
	wantVerdict(t, "memory", "a small container", memoryVerdict(8192*mib, 6000*mib, 256*mib, 4, 448*mib), Warned, "control group allows 256 MiB", "MemoryMax=2128M")
	wantVerdict(t, "memory", "an api process", memoryVerdict(8192*mib, 6000*mib, 256*mib, 0, 448*mib), Fine)
	wantVerdict(t, "processors", "one", processorsVerdict(1), Noted)
	wantVerdict(t, "processors", "two", processorsVerdict(2), Fine)
	wantVerdict(t, "temporary-folder", "none", temporaryVerdict("/tmp", os.ErrNotExist), Failed, "--tmpfs /tmp")
	wantVerdict(t, "extraction", "dead", extractionVerdict(errors.New("fork/exec: operation not permitted"), ""), Failed, "noexec")
	wantVerdict(t, "extraction", "open", extractionVerdict(nil, "opening files (no Landlock)"), Warned, "landlock")
	wantVerdict(t, "extraction", "good", extractionVerdict(nil, ""), Fine)

	for name, c := range map[string]struct {
		a      address
		status Severity
		word   string
	}{
		"free":               {address{}, Fine, "is free"},
		"a server":           {address{taken: true, ours: true, says: "ready"}, Fine, "says that it is ready"},
		"a server without":   {address{taken: true, ours: true, says: "ready, without Redis, which does not answer"}, Warned, "without Redis"},
		"a server in need":   {address{taken: true, ours: true, says: "the database does not answer"}, Failed, "journalctl"},
		"somebody else":      {address{taken: true}, Failed, "ss -ltnp 'sport = :8080'"},
		"somebody silent":    {address{problem: syscall.EADDRINUSE}, Failed, "does not answer"},
		"a low port":         {address{problem: syscall.EACCES}, Failed, "CAP_NET_BIND_SERVICE"},
		"no address of ours": {address{problem: syscall.EADDRNOTAVAIL}, Failed, "cannot listen"},
	} {
		c.a.setting, c.a.addr = "KYRO_ADDR", "127.0.0.1:8080"
		wantVerdict(t, "addresses", name, []Finding{c.a.verdict()}, c.status, c.word)
	}
}
