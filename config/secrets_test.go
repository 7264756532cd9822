package config

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kyrochat/internal/envtest"
	"kyrochat/kyro"
)

func TestSettingsInFiles(t *testing.T) {
	t.Parallel()
	secrets := envtest.File(t, envtest.SecretOne+"\n# a former one\n"+envtest.SecretTwo+"\n", 0o600)
	c, err := Read(envtest.Of(map[string]string{
		"KYRO_SECRET_FILE":      secrets,
		"DATABASE_URL_FILE":     envtest.File(t, "postgres://kyro:pw@db.internal/kyro\n", 0o640),
		"REDIS_URL_FILE":        envtest.File(t, "redis://:pw@redis.internal:6379/0\n", 0o400),
		"GEMINI_API_KEY_FILE":   envtest.File(t, "gemini-key\n", 0o440),
		"PINECONE_API_KEY_FILE": envtest.File(t, " pinecone-key \r\n", 0o600),
		"KYRO_PINECONE_INDEX":   "kyro",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Secrets, []kyro.Secret{envtest.SecretOne, envtest.SecretTwo}) || c.SecretPath() != secrets ||
		c.DatabaseURL != "postgres://kyro:pw@db.internal/kyro" || c.RedisURL != "redis://:pw@redis.internal:6379/0" ||
		c.Providers.GeminiKey != "gemini-key" || c.Providers.PineconeKey != "pinecone-key" {
		t.Errorf("%+v", c)
	}
}

func TestSettingsInFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"both":          {map[string]string{"KYRO_SECRET": envtest.SecretOne, "KYRO_SECRET_FILE": envtest.File(t, envtest.SecretTwo, 0o600)}, "KYRO_SECRET_FILE is set, and so is KYRO_SECRET"},
		"others read":   {map[string]string{"GEMINI_API_KEY_FILE": envtest.File(t, "the-key", 0o644)}, "GEMINI_API_KEY_FILE cannot be used"},
		"group writes":  {map[string]string{"DATABASE_URL_FILE": envtest.File(t, "postgres://db/kyro", 0o660)}, "run chmod 600"},
		"not there":     {map[string]string{"REDIS_URL_FILE": "/nowhere/redis"}, "no such file"},
		"empty":         {map[string]string{"GEMINI_API_KEY_FILE": envtest.File(t, " \n", 0o600)}, "is empty"},
		"weak secret":   {map[string]string{"KYRO_SECRET_FILE": envtest.File(t, envtest.SecretOne+"\nsecret-of-mine", 0o600)}, "secret 2"},
		"mail in files": {map[string]string{"SMTP_URL_FILE": envtest.File(t, "smtp://user:hidden@mail.internal", 0o666)}, "SMTP_URL_FILE cannot be used"},
	} {
		_, err := Read(envtest.Of(c.env))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "the-key") || strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "secret-of-mine")) {
			t.Errorf("%s: the message holds the secret: %v", name, err)
		}
	}
}

// TestSettingsDoNotShowSecrets: whoever prints or logs the settings, by accident or to look for a mistake, shows none.
func TestSettingsDoNotShowSecrets(t *testing.T) {
	t.Parallel()
	settings := map[string]string{
		"KYRO_SECRET": envtest.SecretOne + "," + envtest.SecretTwo, "KYRO_MAIL_FROM": "kyro@example.com", "KYRO_PINECONE_INDEX": "kyro", "KYRO_S3_ENDPOINT": "https://s3.example.com",
		"KYRO_S3_BUCKET": "kyro", "KYRO_S3_ACCESS_KEY": "access", "OTEL_EXPORTER_OTLP_ENDPOINT": "https://otel.example.com",
	}
	forms := map[string]string{
		"DATABASE_URL": "postgres://kyro:%s@db.internal/kyro", "REDIS_URL": "redis://:%s@redis.internal:6379/0", "SMTP_URL": "smtps://kyro:%s@mail.internal",
		"GEMINI_API_KEY": "%s", "PINECONE_API_KEY": "%s", "KYRO_S3_SECRET_KEY": "%s", "OTEL_EXPORTER_OTLP_HEADERS": "authorization=%s",
	}
	hidden := []string{envtest.SecretOne, envtest.SecretTwo}
	for _, name := range SecretSettings {
		if name == "KYRO_SECRET" {
			continue
		}
		secret := "canary" + strings.ToLower(strings.ReplaceAll(name, "_", ""))
		settings[name] = fmt.Sprintf(forms[name], secret)
		hidden = append(hidden, secret)
	}
	c, err := Read(envtest.Of(settings))
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		fmt.Fprintf(&said, verb+"\n", c)
	}
	slog.New(slog.NewTextHandler(&said, nil)).Info("settings", "all", c, "mail", c.Mail, "storage", c.Storage)
	for _, secret := range hidden {
		if strings.Contains(said.String(), secret) {
			t.Errorf("%s shows", secret)
		}
	}
	if !strings.Contains(said.String(), "kyro@example.com") {
		t.Error("nothing was said")
	}
}

// TestWhichSecretFileIsFollowed: secrets of the environment cannot change while the server runs.
func TestWhichSecretFileIsFollowed(t *testing.T) {
	t.Parallel()
	file := envtest.File(t, envtest.SecretOne, 0o600)
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"KYRO_DATA_DIR": "/srv/kyro"}, filepath.Join("/srv/kyro", "secret")},
		{map[string]string{"KYRO_DATA_DIR": "/srv/kyro", "KYRO_SECRET": envtest.SecretOne}, ""},
		{map[string]string{"KYRO_DATA_DIR": "/srv/kyro", "KYRO_SECRET_FILE": file}, file},
	} {
		cfg, err := Read(envtest.Of(c.env))
		if err != nil || cfg.SecretPath() != c.want {
			t.Errorf("%v: %q, %v", c.env, cfg.SecretPath(), err)
		}
	}
}

func TestCookiesNeedHTTPS(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{
		"": true, "http://localhost:3000": true, "http://127.0.0.1:8080": true, "https://chat.example.com": true,
		"http://chat.example.com": false, "http://localhost.example.com": false,
	} {
		_, err := Read(envtest.Of(map[string]string{"KYRO_COOKIES": "true", "KYRO_PUBLIC_URL": url}))
		if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "KYRO_COOKIES") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// TestCredentialsOfTheServiceManager reads the secrets that systemd gives a service by LoadCredential=.
func TestCredentialsOfTheServiceManager(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"kyrochat_KYRO_SECRET": envtest.SecretOne + "\n", "kyrochat_GEMINI_API_KEY": "gemini-key\n", "kyrochat_REDIS_URL": "redis://given:6379/0\n", "other": "x",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	settings := map[string]string{"CREDENTIALS_DIRECTORY": folder, "REDIS_URL_FILE": envtest.File(t, "redis://named:6379/0\n", 0o600)}
	c, err := Read(envtest.Of(settings))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(kyro.Plain(c.Secrets...), []string{envtest.SecretOne}) || c.SecretPath() != filepath.Join(folder, "kyrochat_KYRO_SECRET") {
		t.Errorf("the secrets are %d, followed in %q", len(c.Secrets), c.SecretPath())
	}
	if c.Providers.GeminiKey != "gemini-key" {
		t.Error("the key is not read")
	}
	if c.RedisURL != "redis://named:6379/0" {
		t.Errorf("a file that is named goes before, but Redis is %q", c.RedisURL)
	}
	settings["GEMINI_API_KEY"] = "another"
	if _, err := Read(envtest.Of(settings)); err == nil || !strings.Contains(err.Error(), "the credential kyrochat_GEMINI_API_KEY is set, and so is GEMINI_API_KEY") {
		t.Errorf("two keys: %v", err)
	}
}
