package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"

	"kyrochat/auth"
	"kyrochat/config"
	"kyrochat/host"
	"kyrochat/kyro"
)

const (
	fewBits     = 80 // of a secret, as estimated: fewer are within reach of whoever has a token to try them on
	manySecrets = 4  // in rotation: each is good for tokens
)

const makeSecret = "Make one, and set it, the same for all processes. Put the former one behind it, and nobody is signed out:\n" +
	"  echo \"KYRO_SECRET=$(openssl rand -base64 48),<the former one>\""

// lookAtSecret looks at what tokens are signed with.
func lookAtSecret(p *patient) []Finding {
	secrets, from := kyro.Plain(p.cfg.Secrets...), "KYRO_SECRET"
	var found []Finding
	switch {
	case p.cfg.SecretFile != "":
		from = p.cfg.SecretFile
	case len(secrets) > 0 && p.cfg.Production:
		found = append(found, note("KYRO_SECRET is in the environment, which is inherited by other programs, listed and logged more easily than a file is read, and cannot be changed without a restart.",
			"Keep it in a file that the server follows:\n  (umask 077; printenv KYRO_SECRET > kyrochat.secret)\n  KYRO_SECRET_FILE=/etc/kyrochat/kyrochat.secret"))
	case len(secrets) == 0 && p.cfg.Production:
		return nil // which the configuration tells
	case len(secrets) == 0:
		var err error
		from = p.cfg.SecretPath()
		if secrets, err = auth.ReadSecrets(from); errors.Is(err, fs.ErrNotExist) {
			return []Finding{ok("None is set: the first start makes one and keeps it in %s, mode 0600.", from)}
		} else if err != nil {
			what, todo := parted(err.Error())
			if _, mode, open := strings.Cut(what, "has the mode "); open && mode != "" {
				todo = "  chmod 600 " + quoted(from)
			}
			if todo == "" {
				todo = "A server that cannot read it does not start. See that it belongs to the user that the server runs as, or remove it, which signs everybody out."
			}
			return []Finding{fail("The secret in the data folder cannot be used: "+what, todo)}
		}
	}
	found = append(found, secretVerdict(secrets, p.cfg.Production)...)
	if worst(found) == Fine || worst(found) == Noted {
		found = append([]Finding{ok("%s from %s, each hard to guess; the first signs, all verify.", pick(len(secrets) == 1, "1 secret", fmt.Sprintf("%d secrets", len(secrets))), from)}, found...)
	}
	return found
}

// secretVerdict says how good secrets are. It shows none of them.
func secretVerdict(secrets []string, production bool) (found []Finding) {
	for i, secret := range secrets {
		which := pick(len(secrets) == 1, "The secret", fmt.Sprintf("Secret %d of %d", i+1, len(secrets)))
		if err := auth.CheckSecret(secret); err != nil {
			if production || len(secret) < auth.MinSecretBytes {
				continue // the configuration tells of it
			}
			found = append(found, warn(which+" is weak, and production would refuse it: "+err.Error()+".", makeSecret))
			continue
		}
		if bits := auth.SecretBits(secret); bits < fewBits {
			found = append(found, warn(fmt.Sprintf("%s is long enough, but made of words or patterns: it is worth some %d bits, and less than %d can be guessed by whoever has one token.", which, bits, fewBits), makeSecret))
		}
		if slices.Index(secrets, secret) < i {
			found = append(found, warn(which+" is one that stands before it, too.", "Leave it out the second time."))
		}
	}
	if len(secrets) >= manySecrets {
		found = append(found, note(fmt.Sprintf("%d secrets verify tokens: each former one that is not needed any more is one more that must not leak.", len(secrets)),
			"Take out those that stopped to sign more than 31 days ago."))
	}
	return found
}

// lookAtSecretFiles looks at who could change the files that settings are in. Modes that are too open are told as wrong
// settings.
func lookAtSecretFiles(p *patient) []Finding {
	var found []Finding
	files := 0
	for _, name := range config.SecretSettings {
		path := strings.TrimSpace(p.getenv(name + "_FILE"))
		if path == "" {
			continue
		}
		files++
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		if owner, foreign := host.ForeignFile(info); foreign {
			found = append(found, warn(fmt.Sprintf("%s_FILE names %s, which belongs to %s: who may write it is neither root nor the user of this process.", name, path, owner),
				"Give it to the user that the server runs as:\n  chown "+host.OwnName()+" "+quoted(path)))
		}
	}
	if files > 0 && len(found) == 0 {
		return []Finding{ok("%s in files that their owner alone may change.", pick(files == 1, "1 setting is", fmt.Sprintf("%d settings are", files)))}
	}
	return found
}

// scrub takes out whatever is a secret of the settings, though nothing should have told it.
func (p *patient) scrub(f Finding) Finding {
	for _, secret := range p.secrets() {
		f.Found = strings.ReplaceAll(f.Found, secret, "***")
		f.Mend = strings.ReplaceAll(f.Mend, secret, "***")
	}
	return f
}

// secrets are those of the settings, longest first; short ones would be found anywhere.
func (p *patient) secrets() (secrets []string) {
	c := p.cfg
	secrets = append(secrets, kyro.Plain(c.Secrets...)...)
	secrets = append(secrets, string(c.Providers.GeminiKey), string(c.Providers.PineconeKey), string(c.Storage.Bucket.SecretKey))
	for _, value := range c.Traces.Headers {
		secrets = append(secrets, string(value))
	}
	for _, name := range []string{"KYRO_SECRET", "GEMINI_API_KEY", "PINECONE_API_KEY", "KYRO_S3_SECRET_KEY"} {
		for each := range strings.SplitSeq(p.getenv(name), ",") {
			secrets = append(secrets, strings.TrimSpace(each))
		}
	}
	for _, address := range kyro.Plain(c.DatabaseURL, c.RedisURL, c.Mail.SMTPURL) {
		if u, err := url.Parse(address); err == nil && u.User != nil {
			password, _ := u.User.Password()
			secrets = append(secrets, password, url.QueryEscape(password), url.PathEscape(password))
		}
	}
	secrets = slices.DeleteFunc(secrets, func(s string) bool { return len(s) < 6 })
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(secrets)
}
