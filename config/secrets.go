package config

import (
	"os"
	"path/filepath"
	"strings"

	"kyrochat/auth"
	"kyrochat/kyro"
)

// SecretSettings are those that may be in a file, which NAME_FILE names: environments are inherited, listed and logged
// more easily than files are read.
var SecretSettings = []string{"KYRO_SECRET", "DATABASE_URL", "REDIS_URL", "SMTP_URL", "GEMINI_API_KEY", "PINECONE_API_KEY", "KYRO_S3_SECRET_KEY", "OTEL_EXPORTER_OTLP_HEADERS"}

// readFiles reads the settings that are in files, and gives them to whoever asks for the settings. It is called first.
func (r *reader) readFiles() {
	inFiles := map[string]string{}
	for _, name := range SecretSettings {
		set, path := name+"_FILE", r.text(name+"_FILE", "")
		if path == "" {
			if path = Credential(r.getenv, name); path == "" {
				continue
			}
			inFiles[set] = path
			set = "the credential " + credentialPrefix + name
		}
		if r.text(name, "") != "" {
			r.wrong(set, "is set, and so is %s: unset one of them", name)
			continue
		}
		text, err := auth.ReadPrivateFile(path)
		if name == "KYRO_SECRET" {
			var secrets []string
			secrets, err = auth.ReadSecrets(path)
			text = strings.Join(secrets, ",")
		}
		switch {
		case err != nil:
			r.wrong(set, "cannot be used: %v", err)
		case text == "":
			r.wrong(set, "names a file that is empty: %s", path)
		}
		inFiles[name] = text
	}
	getenv := r.getenv
	r.getenv = func(name string) string {
		if text, found := inFiles[name]; found {
			return text
		}
		return getenv(name)
	}
}

// secrets reads a list of them.
func (r *reader) secrets(name string) []kyro.Secret {
	var list []kyro.Secret
	for _, each := range r.list(name) {
		list = append(list, kyro.Secret(each))
	}
	return list
}

// PlainSecrets are the secrets that are set, as tokens are made from them; those of the file in the data folder where none
// is, which is made where there is no such file.
func (c Config) PlainSecrets() ([]string, error) {
	if len(c.Secrets) == 0 {
		return auth.LoadOrCreateSecrets(c.SecretPath())
	}
	return kyro.Plain(c.Secrets...), nil
}

// credentialPrefix is what the names of credentials begin with, so that a unit can give all files of a folder.
const credentialPrefix = "kyrochat_"

// Credential is the file in which the service manager gives a secret (LoadCredential= of systemd); "" where it gives none.
func Credential(getenv func(string) string, name string) string {
	folder := strings.TrimSpace(getenv("CREDENTIALS_DIRECTORY"))
	if folder == "" {
		return ""
	}
	path := filepath.Join(folder, credentialPrefix+name)
	if _, err := os.Stat(path); err != nil {
		return "" // it gives those that there are
	}
	return path
}

// SecretPath is the file of secrets that a server follows while it runs; "" where they are in the environment, and
// cannot change.
func (c Config) SecretPath() string {
	switch {
	case c.SecretFile != "":
		return c.SecretFile
	case len(c.Secrets) > 0:
		return ""
	default:
		return filepath.Join(c.DataDir, "secret")
	}
}
