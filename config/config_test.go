package config

import (
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kyrochat/account"
	"kyrochat/internal/envtest"
	"kyrochat/kyro"
)

func TestNothingConfigured(t *testing.T) {
	t.Parallel()
	c, err := Read(envtest.Of(nil))
	if err != nil {
		t.Fatal(err)
	}
	if c.Production || c.Addr != "127.0.0.1:8080" || c.AdminAddr != "127.0.0.1:9090" || c.DataDir != "./data" || c.SignUp != kyro.SignUpOpen ||
		c.AccessTTL != 10*time.Minute || c.RefreshTTL != 336*time.Hour || c.Limits != kyro.DefaultLimits() || c.LogJSON || c.PublicURL != "http://127.0.0.1:8080" {
		t.Errorf("%+v", c)
	}
}

func TestCacheIsSwitchedOff(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{"": 5 * time.Second, "0": 0, "0s": 0, "1m": time.Minute} {
		if c, err := Read(envtest.Of(map[string]string{"KYRO_CACHE_TTL": value})); err != nil || c.CacheTTL != want || c.CacheEntries != 10_000 {
			t.Errorf("KYRO_CACHE_TTL=%s: %s, %v", value, c.CacheTTL, err)
		}
	}
}

func TestEveryMistakeIsToldAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Read(envtest.Of(map[string]string{
		"KYRO_ENV": "staging", "KYRO_ADDR": "8080", "KYRO_ACCESS_TOKEN_TTL": "10", "KYRO_MAX_UPLOAD_BYTES": "32MiB", "KYRO_SECRET": "short",
		"REDIS_URL": "localhost:6379", "GEMINI_API_KEY": "a key", "KYRO_EMBEDDING_DIMS": "7", "PINECONE_API_KEY": "key", "SMTP_URL": "smtp://x/y", "KYRO_ROLE": "boss",
		"KYRO_SIGNUP": "perhaps", "DATABASE_URL": "mysql://x/y", "KYRO_ALLOWED_ORIGINS": "example.com", "KYRO_TRUSTED_PROXIES": "all", "KYRO_RATE_SCALE": "-1",
		"KYRO_RATE_OPERATIONS": "0", "KYRO_RATE_WINDOW": "0", "KYRO_RATE_CONNECTS": "many",
		"KYRO_LOG_LEVEL": "loud", "KYRO_ANSWER_LEASE": "1s", "KYRO_CACHE_TTL": "1h", "KYRO_CACHE_ENTRIES": "0",
	}))
	if err == nil {
		t.Fatal("a wrong configuration was taken")
	}
	if _, err := Read(envtest.Of(map[string]string{"KYRO_ALLOWED_ORIGINS": "https://*.example.com"})); err == nil {
		t.Error("a wildcard was taken for an origin")
	}
	for _, name := range []string{
		"KYRO_ENV", "KYRO_ADDR", "KYRO_ACCESS_TOKEN_TTL", "KYRO_MAX_UPLOAD_BYTES", "KYRO_SECRET", "REDIS_URL", "GEMINI_API_KEY", "KYRO_EMBEDDING_DIMS", "KYRO_PINECONE_INDEX", "SMTP_URL",
		"KYRO_ROLE", "KYRO_SIGNUP", "DATABASE_URL", "KYRO_ALLOWED_ORIGINS", "KYRO_TRUSTED_PROXIES", "KYRO_RATE_SCALE", "KYRO_RATE_OPERATIONS", "KYRO_RATE_WINDOW", "KYRO_RATE_CONNECTS", "KYRO_LOG_LEVEL", "KYRO_ANSWER_HEARTBEAT",
		"KYRO_CACHE_TTL", "KYRO_CACHE_ENTRIES",
	} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not told in:\n%v", name, err)
		}
	}
	if strings.Contains(err.Error(), "short") && strings.Contains(err.Error(), `"short"`) {
		t.Error("the secret is shown")
	}
}

// TestOriginsAreAsBrowsersNameThem: any other writing of one would allow nobody, and look as if it did.
func TestOriginsAreAsBrowsersNameThem(t *testing.T) {
	t.Parallel()
	for origin, named := range map[string]string{
		"https://app.example.com": "", "http://localhost:3000": "", "https://[2001:db8::1]:8443": "", "https://APP.example.com": "", "https://127.0.0.1": "",
		"https://app.example.com:443": "https://app.example.com", "http://app.example.com:80": "http://app.example.com", "https://[2001:db8::1]:443": "https://[2001:db8::1]",
		"https://bücher.example": "https://xn--bcher-kva.example", "https://me@app.example.com": "https://app.example.com", "https://app.example.com#x": "https://app.example.com",
	} {
		_, err := Read(envtest.Of(map[string]string{"KYRO_ALLOWED_ORIGINS": origin}))
		if named == "" && err != nil || named != "" && (err == nil || !strings.Contains(err.Error(), "browsers call "+named+":")) {
			t.Errorf("%s: %v", origin, err)
		}
	}
	for url, origin := range map[string]string{"https://chat.example.com:443/x/": "https://chat.example.com", "https://bücher.example:8443": "https://xn--bcher-kva.example:8443"} {
		c, err := Read(envtest.Of(map[string]string{
			"KYRO_ENV": "production", "KYRO_SECRET": envtest.SecretOne, "KYRO_SIGNUP": "open", "KYRO_PUBLIC_URL": url,
		}))
		if err != nil || !slices.Equal(c.Origins, []string{origin}) {
			t.Errorf("%s: %v, %v", url, c.Origins, err)
		}
	}
	if _, err := Read(envtest.Of(map[string]string{"KYRO_PUBLIC_URL": "https://chat.example.com/?a=b"})); err == nil {
		t.Error("links in mails would go on behind a query")
	}
}

// TestCookiesAreForSafePages: what comes in the clear can be changed on its way, and could use the cookie then.
func TestCookiesAreForSafePages(t *testing.T) {
	t.Parallel()
	for origins, safe := range map[string]bool{
		"": true, "https://app.example.com": true, "http://localhost:3000,http://127.0.0.1:3000,http://[::1]:3000": true,
		"https://app.example.com,http://app.example.com": false, "http://192.168.1.7:3000": false,
	} {
		_, err := Read(envtest.Of(map[string]string{"KYRO_COOKIES": "true", "KYRO_ALLOWED_ORIGINS": origins}))
		if safe != (err == nil) || err != nil && !strings.Contains(err.Error(), "KYRO_COOKIES") {
			t.Errorf("%q: %v", origins, err)
		}
		if _, err := Read(envtest.Of(map[string]string{"KYRO_ALLOWED_ORIGINS": origins})); err != nil {
			t.Errorf("%q without cookies: %v", origins, err)
		}
	}
}

// TestProxiesAreIPv4OrIPv6, however they are written.
func TestProxiesAreIPv4OrIPv6(t *testing.T) {
	t.Parallel()
	c, err := Read(envtest.Of(map[string]string{"KYRO_TRUSTED_PROXIES": "10.0.0.0/8, ::ffff:192.0.2.7, ::ffff:10.1.0.0/112, 2001:db8::/32"}))
	if want := "[10.0.0.0/8 192.0.2.7/32 10.1.0.0/16 2001:db8::/32]"; err != nil || fmt.Sprint(c.Proxies) != want {
		t.Errorf("%v, %v", c.Proxies, err)
	}
}

func TestURLsOfServicesAreReadBeforeTheStart(t *testing.T) {
	t.Parallel()
	for name, urls := range map[string]struct{ good, bad []string }{
		"REDIS_URL": {
			[]string{"redis://localhost", "redis://user:password@host:6379/0", "rediss://host:6380/", "unix:///run/redis.sock", "unix:///run/redis.sock?db=2"},
			[]string{
				"localhost:6379", "redis://", "redis://user:hunter2@host/zero", "redis://user:hunter2@host:6379/0?colour=red", "unix://", "http://host",
				"redis://:hun/ter2@host", "redis://user/hunter2@host", "redis://user:hunter2%zz@host",
			},
		},
		"DATABASE_URL": {
			[]string{"postgres://user:password@host:5432/kyro", "postgresql://host/kyro?pool_max_conns=20", "postgres:///kyro?host=/run/postgresql"},
			[]string{
				"mysql://host/kyro", "postgres://", "postgres://user:hunter2@host/kyro?pool_max_conns=many", "postgres://user:hunter2@host/kyro?pool_max_conns=1",
				"postgres://user:hunter2@host/kyro?sslmode=perhaps", "postgres://user:hunter2%zz@host/kyro",
			},
		},
	} {
		for _, url := range urls.good {
			if _, err := Read(envtest.Of(map[string]string{name: url})); err != nil {
				t.Errorf("%s=%s: %v", name, url, err)
			}
		}
		for _, url := range urls.bad {
			_, err := Read(envtest.Of(map[string]string{name: url, "KYRO_LOG_LEVEL": "loud"}))
			if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "KYRO_LOG_LEVEL") {
				t.Errorf("%s=%s: %v", name, url, err)
			} else if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "ter2") {
				t.Errorf("%s=%s: the password is shown: %v", name, url, err)
			}
		}
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	const secret, database = envtest.SecretOne, "postgres://localhost/kyro"
	for _, c := range []struct {
		name     string
		settings map[string]string
		refused  string // what the message has to name; empty: it starts
		warned   []string
	}{
		{"one process", map[string]string{}, "", nil},
		{"an api process on SQLite", map[string]string{"KYRO_ROLE": "api", "KYRO_SECRET": secret}, "DATABASE_URL", nil},
		{"a worker on SQLite", map[string]string{"KYRO_ROLE": "worker"}, "DATABASE_URL", nil},
		{"an api process with a secret of its own", map[string]string{"KYRO_ROLE": "api", "DATABASE_URL": database}, "KYRO_SECRET", nil},
		{"an api process", map[string]string{"KYRO_ROLE": "api", "DATABASE_URL": database, "KYRO_SECRET": secret}, "", []string{"Redis"}},
		{"a worker", map[string]string{"KYRO_ROLE": "worker", "DATABASE_URL": database}, "", []string{"Redis"}},
		{"a worker in production", map[string]string{"KYRO_ENV": "production", "KYRO_ROLE": "worker", "DATABASE_URL": database, "KYRO_SIGNUP": "closed", "KYRO_SECRET": secret}, "", []string{"Redis", "SMTP_URL"}},
		{"a worker in production that would make links of its own", map[string]string{"KYRO_ENV": "production", "KYRO_ROLE": "worker", "DATABASE_URL": database, "KYRO_SIGNUP": "closed"}, "KYRO_SECRET", nil},
		{"a worker with Redis", map[string]string{"KYRO_ROLE": "worker", "DATABASE_URL": database, "REDIS_URL": "redis://localhost"}, "", nil},
		{"everything on a database that others may share", map[string]string{"DATABASE_URL": database}, "", []string{"KYRO_SECRET"}},
		{"the same with a shared secret", map[string]string{"DATABASE_URL": database, "KYRO_SECRET": secret}, "", nil},
	} {
		cfg, err := Read(envtest.Of(c.settings))
		if c.refused != "" {
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var told strings.Builder
		cfg.Warn(slog.New(slog.NewTextHandler(&told, nil)))
		if strings.Count(told.String(), "\n") != len(c.warned) {
			t.Errorf("%s: %s", c.name, told.String())
		}
		for _, word := range c.warned {
			if !strings.Contains(told.String(), word) {
				t.Errorf("%s: %s is not spoken of in %s", c.name, word, told.String())
			}
		}
	}
}

// TestHowLargeExportsAre: the API tells the size of a file in 32 bits.
func TestHowLargeExportsAre(t *testing.T) {
	t.Parallel()
	if c, err := Read(envtest.Of(map[string]string{"KYRO_EXPORT_MAX_BYTES": "2147483647"})); err != nil || c.Storage.MaxExportBytes != 1<<31-1 {
		t.Errorf("%d, %v", c.Storage.MaxExportBytes, err)
	}
	for _, value := range []string{"2147483648", "0", "1GiB"} {
		_, err := Read(envtest.Of(map[string]string{"KYRO_EXPORT_MAX_BYTES": value}))
		if err == nil || !strings.Contains(err.Error(), "KYRO_EXPORT_MAX_BYTES") || !strings.Contains(err.Error(), "2147483647") {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestHowAnswersAreMade(t *testing.T) {
	t.Parallel()
	c, err := Read(envtest.Of(map[string]string{
		"KYRO_ANSWER_RESTART": "true", "KYRO_MAX_RUNNING_ANSWERS": "7", "KYRO_MAX_QUEUED_CONVERSATIONS": "9",
	}))
	if err != nil || !c.AnswerRestart || c.Limits.MaxRunning != 7 || c.Limits.MaxQueued != 9 {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := Read(envtest.Of(nil)); err != nil || c.AnswerRestart {
		t.Errorf("nothing configured: %+v, %v", c, err)
	}
	for name, value := range map[string]string{
		"KYRO_ANSWER_RESTART": "maybe", "KYRO_MAX_RUNNING_ANSWERS": "0", "KYRO_MAX_QUEUED_CONVERSATIONS": "many",
	} {
		if _, err := Read(envtest.Of(map[string]string{name: value})); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}

func TestWhoAnswers(t *testing.T) {
	t.Parallel()
	c, err := Read(envtest.Of(map[string]string{
		"GEMINI_API_KEY": "g", "KYRO_GEMINI_URL": "http://127.0.0.1:8471/", "KYRO_EMBEDDING_DIMS": "1536",
		"PINECONE_API_KEY": "p", "KYRO_PINECONE_HOST": "kyro-abc.svc.pinecone.io", "KYRO_PINECONE_NAMESPACE": "shared", "KYRO_OFFLINE_FALLBACK": "true",
	}))
	want := Providers{
		GeminiKey: "g", GeminiURL: "http://127.0.0.1:8471", GeminiModel: "gemini-3.8-flash", EmbeddingModel: "gemini-embedding-001",
		EmbeddingDims: 1536, OfflineFallback: true, PineconeKey: "p", PineconeHost: "kyro-abc.svc.pinecone.io", PineconeShared: true,
	}
	if err != nil || c.Providers != want || want.Identity() != "gemini-embedding-001@1536" {
		t.Errorf("%+v, %v", c.Providers, err)
	}
	for name, settings := range map[string]map[string]string{
		"GEMINI_API_KEY":      {"PINECONE_API_KEY": "p", "KYRO_PINECONE_INDEX": "kyro"},
		"KYRO_PINECONE_INDEX": {"PINECONE_API_KEY": "p", "GEMINI_API_KEY": "g"},
		"KYRO_GEMINI_URL":     {"GEMINI_API_KEY": "g", "KYRO_GEMINI_URL": "http://user:secret@host"},
		"KYRO_GEMINI_MODEL":   {"GEMINI_API_KEY": "g", "KYRO_GEMINI_MODEL": "a b"},
		"PINECONE_API_KEY":    {"GEMINI_API_KEY": "g", "PINECONE_API_KEY": "sec ret", "KYRO_PINECONE_INDEX": "kyro"},
	} {
		if _, err := Read(envtest.Of(settings)); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "sec") {
			t.Errorf("%v: %v", settings, err)
		}
	}
}

func TestRatesOfSingleThings(t *testing.T) {
	t.Parallel()
	c, err := Read(envtest.Of(nil))
	if err != nil || c.Rates.Accounts != account.DefaultRates() || c.Rates.Messages != (kyro.Rate{Count: 20, Per: time.Minute}) ||
		c.Rates.Documents != (kyro.Rate{Count: 10, Per: time.Minute}) || c.Rates.Scale != 1 {
		t.Errorf("%+v, %v", c.Rates, err)
	}
	set := map[string]string{"KYRO_RATE_SCALE": "2", "KYRO_RATE_MAIL_PAUSE": "5s"}
	for i, name := range []string{"SIGN_UPS", "REFRESHES", "MAILS_TO", "MAILS_FROM", "LINKS", "API_KEYS", "EMAIL_CHANGES", "MESSAGES", "DOCUMENTS"} {
		set["KYRO_RATE_"+name] = strconv.Itoa(i + 1)
	}
	if c, err = Read(envtest.Of(set)); err != nil {
		t.Fatal(err)
	}
	a := c.Rates.Accounts
	got := []int{a.SignUps.Count, a.Refreshes.Count, a.Mails.Count, a.MailsFrom.Count, a.Links.Count, a.APIKeys.Count, a.EmailChanges.Count, c.Rates.Messages.Count, c.Rates.Documents.Count}
	if !slices.Equal(got, []int{2, 4, 6, 8, 10, 12, 14, 16, 18}) || a.MailPause != (kyro.Rate{Count: 2, Per: 5 * time.Second}) {
		t.Errorf("%v, %+v", got, a.MailPause)
	}
}

func TestRatesAreScaled(t *testing.T) {
	t.Parallel()
	for scale, want := range map[string][2]kyro.Rate{
		"":     {{Count: 300, Per: 10 * time.Second}, {Count: 600, Per: time.Minute}},
		"2.5":  {{Count: 750, Per: 10 * time.Second}, {Count: 1500, Per: time.Minute}},
		"0.01": {{Count: 3, Per: 10 * time.Second}, {Count: 6, Per: time.Minute}},
		"0":    {},
	} {
		c, err := Read(envtest.Of(map[string]string{"KYRO_RATE_SCALE": scale}))
		if (c.Rates.Scale == 0) != (scale == "0") || c.Rates.Messages.Unlimited() != (scale == "0") || c.Rates.Accounts.MailPause.Unlimited() != (scale == "0") {
			t.Errorf("by %q: %+v", scale, c.Rates)
		}
		if err != nil || c.Rates.Operations != want[0] || c.Rates.Connects != want[1] {
			t.Errorf("by %q: %+v, %+v, %v", scale, c.Rates.Operations, c.Rates.Connects, err)
		}
	}
	strict, err := Read(envtest.Of(map[string]string{"KYRO_ENV": "production", "KYRO_SECRET": "kb7Yv0pQm2Zx9LtR4wNs8JdHc1GfUe6A", "KYRO_SIGNUP": "closed"}))
	if want := (kyro.Rate{Count: 30, Per: time.Minute}); err != nil || strict.Rates.Connects != want {
		t.Errorf("in production: %+v, %v", strict.Rates.Connects, err)
	}
	if _, err := Read(envtest.Of(map[string]string{"KYRO_RATE_SCALE": "NaN"})); err == nil {
		t.Error("NaN was taken for a scale")
	}
}

func TestProductionIsStrict(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"all", "api", "worker"} {
		_, err := Read(envtest.Of(map[string]string{"KYRO_ENV": "production", "KYRO_ROLE": role, "DATABASE_URL": "postgres://localhost/kyro"}))
		if err == nil || !strings.Contains(err.Error(), "KYRO_SECRET") || !strings.Contains(err.Error(), "SMTP_URL") {
			t.Errorf("production without a secret, as %s: %v", role, err)
		}
	}
	weak := strings.Repeat("changeme", 5)
	if _, err := Read(envtest.Of(map[string]string{"KYRO_ENV": "production", "KYRO_SECRET": weak, "KYRO_SIGNUP": "closed"})); err == nil || strings.Contains(err.Error(), weak) {
		t.Errorf("production with a sample for a secret: %v", err)
	}
	if _, err := Read(envtest.Of(map[string]string{"KYRO_SECRET": weak})); err != nil {
		t.Errorf("development with a sample for a secret: %v", err)
	}
	c, err := Read(envtest.Of(map[string]string{"KYRO_ENV": "production", "KYRO_SECRET": envtest.SecretOne + "," + envtest.SecretTwo, "KYRO_SIGNUP": "open", "KYRO_PUBLIC_URL": "https://chat.example.com/help/"}))
	if err != nil || !c.LogJSON || len(c.Secrets) != 2 || !slices.Equal(c.Origins, []string{"https://chat.example.com"}) {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestDefaultsAreDocumented sets every setting to what the manual calls its default, which must change nothing. What is
// zero in the configuration has its default where it is used.
func TestDefaultsAreDocumented(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := Read(envtest.Of(nil))
	if err != nil {
		t.Fatal(err)
	}
	want.Carriers = Carriers{}
	rows := regexp.MustCompile("(?m)^\\| `([A-Z0-9_]+)` \\| `([^`]+)`(?:, in production `[^`]+`)? \\|").FindAllStringSubmatch(string(manual), -1)
	if len(rows) < 60 {
		t.Fatalf("only %d defaults are found in docs/configuration.md", len(rows))
	}
	for _, row := range rows {
		got, err := Read(envtest.Of(map[string]string{row[1]: row[2]}))
		got.Carriers = Carriers{}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is not %s by default: %v", row[1], row[2], err)
		}
	}
}

// TestEverySettingIsDocumented keeps the manual complete, and free of settings that do not exist.
func TestEverySettingIsDocumented(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, name := range regexp.MustCompile("`([A-Z]+_[A-Z0-9_]+)`").FindAllStringSubmatch(string(manual), -1) {
		documented[name[1]] = true
	}
	for _, name := range Names() {
		if !documented[name] {
			t.Errorf("%s is not in docs/configuration.md", name)
		}
	}
	for name := range documented {
		if !slices.Contains(Names(), name) && name != "KYRO_TEST_REQUIRE" {
			t.Errorf("docs/configuration.md speaks of %s, which nothing reads", name)
		}
	}
}
