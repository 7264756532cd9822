package program

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kyrochat/doctor"
	"kyrochat/internal/envtest"
	"kyrochat/internal/gemini"
	"kyrochat/internal/pinecone"
	"kyrochat/internal/postgres"
	"kyrochat/internal/required"
	"kyrochat/internal/s3"
	"kyrochat/internal/smtp"
	"kyrochat/internal/testdb"
	"kyrochat/store"
)

// services are all that can be set, in good health.
type services struct {
	settings map[string]string
	gemini   *gemini.Emulator
	pinecone *pinecone.Emulator
	mails    *smtp.Emulator
	files    *s3.Emulator
	redis    interface {
		Stop() error
		Freeze() error
		Thaw() error
		Restart(ctx context.Context) error
	}
}

const canaryS3, canaryTraces = "s3Canary7Vw8qLr3ZtYb6", "tracesCanary8Vw8qLr3ZtYb6"

func startServices(t *testing.T) *services {
	t.Helper()
	s := &services{
		gemini: gemini.Start(t, gemini.Options{Key: canaryGemini}), mails: smtp.Start(t, smtp.Options{User: "kyro", Password: canarySMTP}),
		files: s3.Start(t, s3.Options{SecretKey: canaryS3}),
	}
	var err error
	if s.pinecone, err = pinecone.Start(pinecone.Options{APIKey: canaryPinecone}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.pinecone.Close() })
	redis := testdb.Redis(t)
	withPassword(t, strings.TrimPrefix(redis.URL, "redis://"), canaryRedis)
	s.redis = redis
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/traces" || r.Header.Get("X-Key") != canaryTraces {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(collector.Close)
	database, err := url.Parse(testdb.PostgresURL(t))
	if err != nil {
		t.Fatal(err)
	}
	database.User = url.UserPassword(database.User.Username(), canaryDatabase)
	s.settings = map[string]string{
		"KYRO_DATA_DIR": filepath.Join(t.TempDir(), "data"), "KYRO_ADDR": freeAddress(t), "KYRO_ADMIN_ADDR": freeAddress(t),
		"KYRO_ENV": "production", "KYRO_SIGNUP": "verified", "KYRO_PUBLIC_URL": "https://chat.example.com", "KYRO_TRUSTED_PROXIES": "127.0.0.1",
		"KYRO_SECRET": canarySecret + "," + canaryFormer, "DATABASE_URL": database.String(),
		"REDIS_URL": strings.Replace(redis.URL, "redis://", "redis://:"+canaryRedis+"@", 1), "SMTP_URL": s.mails.URL(), "KYRO_MAIL_FROM": "kyro@example.com",
		"GEMINI_API_KEY": s.gemini.Key, "KYRO_GEMINI_URL": s.gemini.URL, "PINECONE_API_KEY": s.pinecone.APIKey, "KYRO_PINECONE_INDEX": s.pinecone.Index,
		"KYRO_PINECONE_CONTROL_URL": s.pinecone.ControlURL, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL, "OTEL_EXPORTER_OTLP_HEADERS": "x-key=" + canaryTraces,
	}
	maps.Copy(s.settings, s.files.Env())
	return s
}

// with is the settings with some of them changed.
func (s *services) with(changes ...string) map[string]string {
	settings := maps.Clone(s.settings)
	for _, each := range changes {
		name, value, _ := strings.Cut(each, "=")
		settings[name] = value
	}
	return settings
}

// wantNoSecret sees that nothing that is printed has one of the secrets that were planted.
func wantNoSecret(t *testing.T, printed string) {
	t.Helper()
	for _, secret := range []string{
		canaryGemini, canaryPinecone, canarySMTP, canaryRedis, canaryDatabase, canarySecret, canaryFormer, canaryS3, canaryTraces, "wrongCanary9",
	} {
		if i := strings.Index(printed, secret); i >= 0 {
			t.Errorf("a secret is printed: …%s…", printed[max(0, i-80):min(len(printed), i+80)])
		}
	}
}

// TestDoctorOnServices looks at all services in good health, and then at each in another kind of bad health. Nothing that
// it prints has a secret.
func TestDoctorOnServices(t *testing.T) {
	t.Parallel()
	s := startServices(t)
	well, status := doctored(t, s.settings)
	wantNoSecret(t, well)
	r, _ := diagnosed(t, s.settings, "-mail", "ada@example.com")
	r.wantFine(t, "secret", "data-folder", "database-settings")
	r.want(t, "secret", doctor.Noted, "KYRO_SECRET_FILE=")
	r.want(t, "secret", doctor.Fine, "2 secrets from KYRO_SECRET")
	r.want(t, "gemini", doctor.Fine, "768 dimensions")
	r.want(t, "pinecone", doctor.Fine, "metric cosine")
	if found := r.of(t, "redis"); found[0].Status == doctor.Failed {
		t.Errorf("%+v", found)
	}
	r.want(t, "mail", doctor.Fine, "lets us sign in")
	r.want(t, "mail", doctor.Fine, "A test mail to ada@example.com")
	r.want(t, "storage", doctor.Fine, "put, read and removed")
	r.want(t, "traces", doctor.Fine, "takes what is sent")
	r.want(t, "clock", doctor.Fine, "PostgreSQL, Redis")
	if status > 1 || s.files.Count(s3.Put) == 0 || len(s.files.Keys()) > 0 {
		t.Errorf("status %d; in the bucket are %v", status, s.files.Keys())
	}
	s.mails.MustWait(t, smtp.To("ada@example.com", "A test"))
	if n := len(s.mails.Mails()); n != 1 {
		t.Errorf("%d mails", n)
	}

	const wrong = "wrongCanary9Vw8qLr3ZtYb6xGf2Hm9Kd"
	for _, c := range []struct {
		name    string
		changes []string
		trouble func()
		check   string
		status  doctor.Severity
		words   []string
	}{
		{"Gemini, a wrong key", []string{"GEMINI_API_KEY=" + wrong}, nil, "gemini", doctor.Failed, []string{"refuses GEMINI_API_KEY"}},
		{"Gemini, no model", []string{"KYRO_GEMINI_MODEL=gemini-none"}, nil, "gemini", doctor.Failed, []string{"does not know the model gemini-none"}},
		{"Gemini, a model for embeddings", []string{"KYRO_GEMINI_MODEL=gemini-embedding-001"}, nil, "gemini", doctor.Failed, []string{"cannot write answers"}},
		{"Gemini, another dimension", nil, func() { s.gemini.Script(gemini.Script{Kind: gemini.KindEmbed, Dims: 3072}) }, "gemini", doctor.Failed, []string{"KYRO_EMBEDDING_DIMS=3072"}},
		{"Gemini, quota", nil, func() { s.gemini.Script(gemini.Script{Kind: gemini.KindEmbed, Status: 429}) }, "gemini", doctor.Warned, []string{"used up"}},
		{"Gemini, nobody there", []string{"KYRO_GEMINI_URL=http://" + freeAddress(t)}, nil, "gemini", doctor.Failed, []string{"connection refused"}},
		{"Pinecone, a wrong key", []string{"PINECONE_API_KEY=" + wrong}, nil, "pinecone", doctor.Failed, []string{"refuses PINECONE_API_KEY"}},
		{"Pinecone, no index", []string{"KYRO_PINECONE_INDEX=none"}, nil, "pinecone", doctor.Failed, []string{`no index "none"`, "curl https://api.pinecone.io/indexes"}},
		{"Pinecone, another dimension", nil, func() { _ = s.pinecone.Script(pinecone.Script{Dimension: 1536}) }, "pinecone", doctor.Failed, []string{"1536 dimensions", "KYRO_EMBEDDING_DIMS"}},
		{"Pinecone, dotproduct", nil, func() { _ = s.pinecone.Script(pinecone.Script{Metric: "dotproduct"}) }, "pinecone", doctor.Noted, []string{"the same as cosine"}},
		{"Pinecone, euclidean", nil, func() { _ = s.pinecone.Script(pinecone.Script{Metric: "euclidean"}) }, "pinecone", doctor.Failed, []string{"euclidean"}},
		{"Pinecone, nobody there", nil, func() { _ = s.pinecone.Script(pinecone.Script{Away: true}) }, "pinecone", doctor.Failed, nil},
		{"SMTP, a wrong password", []string{"SMTP_URL=" + strings.Replace(s.mails.URL(), canarySMTP, wrong, 1)}, nil, "mail", doctor.Failed, []string{"user or the password"}},
		{"SMTP, nobody there", []string{"SMTP_URL=smtp://" + freeAddress(t)}, nil, "mail", doctor.Failed, []string{"cannot be reached", "nc -vz 127."}},
		{"SMTP, busy", nil, func() { s.mails.Script(smtp.Script{At: smtp.StepConnect, Code: 421}) }, "mail", doctor.Failed, []string{"421"}},
		{"S3, a wrong key", []string{"KYRO_S3_SECRET_KEY=" + wrong}, nil, "storage", doctor.Failed, []string{"s3:PutObject"}},
		{"S3, no bucket", []string{"KYRO_S3_BUCKET=another-one"}, nil, "storage", doctor.Failed, []string{"s3 mb s3://another-one"}},
		{"S3, read only", nil, func() { s.files.Script(s3.Script{Kind: s3.Put, Status: 403}) }, "storage", doctor.Failed, []string{"AccessDenied", "s3:PutObject"}},
		{"traces, a wrong header", []string{"OTEL_EXPORTER_OTLP_HEADERS=x-key=" + wrong}, nil, "traces", doctor.Warned, []string{"401"}},
		{"traces, nobody there", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + freeAddress(t)}, nil, "traces", doctor.Warned, []string{"connection refused"}},
		{"no name server", []string{"KYRO_FETCH_DNS=" + freeAddress(t)}, nil, "fetch-dns", doctor.Failed, []string{"unset KYRO_FETCH_DNS"}},
		{"Redis, a wrong password", []string{"REDIS_URL=" + strings.Replace(s.settings["REDIS_URL"], canaryRedis, wrong, 1)}, nil, "redis", doctor.Failed, []string{"WRONGPASS"}},
		{"PostgreSQL, no database", []string{"DATABASE_URL=" + onDatabase(t, s.settings["DATABASE_URL"], "kyro_is_not_here", "")}, nil, "database", doctor.Failed, []string{"3D000", "createdb"}},
		{"PostgreSQL, set wrong", []string{"DATABASE_URL=" + onDatabase(t, s.settings["DATABASE_URL"], "", "statement_timeout=2000&synchronous_commit=off")}, nil, "database-settings", doctor.Warned, []string{"synchronous_commit is off"}},
		{"PostgreSQL, read only", []string{"DATABASE_URL=" + onDatabase(t, s.settings["DATABASE_URL"], "", "default_transaction_read_only=on")}, nil, "database-settings", doctor.Failed, []string{"takes no writes"}},
		{"PostgreSQL, a large pool", []string{"DATABASE_URL=" + onDatabase(t, s.settings["DATABASE_URL"], "", "pool_max_conns=5000")}, nil, "database-connections", doctor.Failed, []string{"one process may open 5001"}},
		{"a setting is wrong", []string{"SMTP_URL=smtp://user:" + wrong + "@host/path"}, nil, "mail", doctor.Noted, []string{"Not looked at: SMTP_URL is wrong"}},
		{"a weak secret", []string{"KYRO_SECRET=changeme-" + wrong}, nil, "configuration", doctor.Failed, []string{"looks like a sample"}},
	} {
		if c.trouble != nil {
			c.trouble()
		}
		settings := s.with(c.changes...)
		r, _ := diagnosed(t, settings)
		t.Log(c.name)
		r.want(t, c.check, c.status, c.words...)
		for _, f := range r.Findings {
			wantNoSecret(t, f.Found+f.Mend)
		}
		s.gemini.Reset()
		s.pinecone.Behave()
		s.mails.Reset()
		s.files.Reset()
	}
}

// onDatabase is the URL of another database on the same server, or with other parameters.
func onDatabase(t *testing.T, address, name, parameters string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if name != "" {
		u.Path = "/" + name
	}
	if parameters != "" {
		u.RawQuery += pick(u.RawQuery == "", "", "&") + parameters
	}
	return u.String()
}

// TestDoctorWaitsForNobody: everything that can hang hangs, and still all is told, of each what it is.
func TestDoctorWaitsForNobody(t *testing.T) {
	t.Parallel()
	s := startServices(t)
	if err := s.redis.Freeze(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.redis.Thaw() }()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // which never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	at := silent.Addr().String()
	s.files.Script(s3.Script{Trouble: s3.Hang})
	s.mails.Script(smtp.Script{At: smtp.StepHello, Then: smtp.Hang})
	r, status := diagnosed(t, s.with("DATABASE_URL=postgres://kyro:"+canaryDatabase+"@"+at+"/kyro", "KYRO_GEMINI_URL=http://"+at, "KYRO_PINECONE_CONTROL_URL=http://"+at,
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://"+at, "KYRO_FETCH_DNS="+at))
	for _, check := range []string{"database", "redis", "gemini", "pinecone", "mail", "storage", "fetch-dns"} {
		r.want(t, check, doctor.Failed)
	}
	r.want(t, "traces", doctor.Warned)
	if status != 2 {
		t.Errorf("status %d", status)
	}
	var names []string
	for _, f := range r.Findings {
		names = append(names, f.Check)
		wantNoSecret(t, f.Found+f.Mend)
	}
	if !slices.IsSortedFunc(names, func(a, b string) int { return placeOf(a) - placeOf(b) }) {
		t.Errorf("not in their order: %v", names)
	}
}

func placeOf(name string) int {
	return slices.IndexFunc(doctorsManual(), func(row string) bool { return strings.HasPrefix(row, name+" ") })
}

// TestDoctorAfterRedisIsBack: what was away is found again.
func TestDoctorAfterRedisIsBack(t *testing.T) {
	t.Parallel()
	redis := testdb.Redis(t)
	settings := map[string]string{"REDIS_URL": redis.URL, "KYRO_DATA_DIR": filepath.Join(t.TempDir(), "data")}
	if err := redis.Stop(); err != nil {
		t.Fatal(err)
	}
	r, _ := diagnosed(t, settings)
	r.want(t, "redis", doctor.Failed, "connection refused", "redis-cli")
	if err := redis.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, _ = diagnosed(t, settings)
	r.wantFine(t, "addresses")
}

// TestDoctorOnAPostgreSQLOfItsOwn: one that dies and is back and a user without rights.
func TestDoctorOnAPostgreSQLOfItsOwn(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	server, err := postgres.Start(ctx)
	if err != nil {
		required.Missing(t, "postgres", err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	settings := map[string]string{"DATABASE_URL": server.URL, "KYRO_DATA_DIR": filepath.Join(t.TempDir(), "data"), "KYRO_SECRET": envtest.SecretOne}
	r, _ := diagnosed(t, settings)
	r.wantFine(t, "addresses", "database-settings")
	r.want(t, "database-schema", doctor.Fine, "the first start makes the schema")
	if err := run(ctx, []string{"migrate"}, envtest.Of(settings), nil, strings.NewReader(""), io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	r, _ = diagnosed(t, settings)
	r.want(t, "database-schema", doctor.Fine, "that of this program")
	pools, err := store.Open(ctx, store.Config{DatabaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = pools.Pgx.Exec(ctx, "CREATE ROLE weak LOGIN CONNECTION LIMIT 5")
	if err := errors.Join(err, pools.Close()); err != nil {
		t.Fatal(err)
	}
	weak, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	weak.User = url.User("weak")
	r, status := diagnosed(t, map[string]string{"DATABASE_URL": weak.String(), "KYRO_DATA_DIR": settings["KYRO_DATA_DIR"]})
	r.want(t, "database-settings", doctor.Failed, `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "weak"`)
	r.want(t, "database-schema", doctor.Failed, "permission denied")
	r.want(t, "database-connections", doctor.Failed, "lets 5 connections in")
	if status != 2 {
		t.Errorf("status %d", status)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	r, _ = diagnosed(t, settings)
	r.want(t, "database", doctor.Failed, "pg_isready")
	if err := server.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	r, _ = diagnosed(t, settings)
	r.want(t, "database-schema", doctor.Fine, "that of this program")
}
