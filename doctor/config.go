package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"kyrochat/config"

	"github.com/agnivade/levenshtein"
)

// lookAtConfiguration tells what is wrong with the settings, and what is a mistake mostly.
func lookAtConfiguration(p *patient) []Finding {
	var found []Finding
	for _, each := range p.wrong {
		what, todo := parted(each.Says)
		if mend, special := p.mendOf(each); special {
			todo = mend
		} else if todo == "" {
			todo = "Set it right, or unset it, which gives its default: docs/configuration.md says what it takes."
		}
		found = append(found, fail(each.Setting+" "+strings.ToLower(what[:1])+what[1:], todo))
	}
	for _, each := range p.cfg.Warnings() {
		if slices.ContainsFunc(p.wrong, func(w config.Remark) bool { return w.Setting == each.Setting }) {
			continue
		}
		what, todo := parted(each.Says)
		if each.Setting == "REDIS_URL" {
			todo = "Give all processes the same Redis:\n  REDIS_URL=redis://redis.example.com:6379/0"
		}
		found = append(found, warn(what, todo))
	}
	found = append(found, exposed(p.cfg)...)
	if worst(found) == Fine {
		found = append([]Finding{ok("The settings can be used: %s, role %s.", pick(p.cfg.Production, "production", "development"), p.cfg.Role)}, found...)
	}
	return found
}

// mendOf is what to do about some settings, as it can be pasted.
func (p *patient) mendOf(wrong config.Remark) (mend string, special bool) {
	name := wrong.Setting
	_, path, _ := strings.Cut(wrong.Says, ": ")
	path, _, beyond := strings.Cut(path, " has the mode ")
	switch {
	case beyond && strings.HasSuffix(name, "_FILE"):
		return "Let its owner alone read it:\n  chmod 600 " + quoted(strings.TrimPrefix(path, "read the secret: ")), true
	case name == "KYRO_SECRET":
		return "Make one, and set it, the same for all processes:\n  echo \"KYRO_SECRET=$(openssl rand -base64 48)\"", true
	case name == "SMTP_URL" && strings.HasPrefix(wrong.Says, "is required"):
		return "Set who sends mails, or let no stranger in:\n  SMTP_URL=smtp://user:password@mail.example.com\n  KYRO_MAIL_FROM=\"KyroChat <kyrochat@example.com>\"\n" +
			"or\n  KYRO_SIGNUP=closed", true
	case name == "KYRO_MAIL_FROM":
		return "  KYRO_MAIL_FROM=\"KyroChat <kyrochat@example.com>\"", true
	case name == "KYRO_PUBLIC_URL":
		return "  KYRO_PUBLIC_URL=https://chat.example.com", true
	}
	return "", false
}

// quoted is a path as a shell takes it.
func quoted(path string) string {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// exposed tells what strangers could make use of.
func exposed(c config.Config) (found []Finding) {
	if c.Production && c.Rates.Scale == 0 {
		found = append(found, warn("KYRO_RATE_SCALE is 0, which switches off every limit of how often, also of guesses at passwords.", "  unset KYRO_RATE_SCALE"))
	}
	if c.Role.Serves() && c.Production && strings.HasPrefix(c.PublicURL, "http://") && !config.IsOwnMachine(c.PublicURL) && c.Mail.SMTPURL == "" {
		found = append(found, warn("KYRO_PUBLIC_URL is "+c.PublicURL+": over http, passwords and tokens can be read on their way.",
			"Put a proxy with TLS in front, such as Caddy or nginx, and tell the server where people reach it:\n  KYRO_PUBLIC_URL=https://chat.example.com"))
	}
	if c.Role.Serves() && c.Production && strings.HasPrefix(c.PublicURL, "https://") && len(c.Proxies) == 0 {
		found = append(found, warn("KYRO_PUBLIC_URL is https, which a proxy in front speaks, but KYRO_TRUSTED_PROXIES is not set: all people seem to have the address of the proxy, and share the limits of one.",
			"Name the proxy by its address or network, as the server sees it:\n  KYRO_TRUSTED_PROXIES=127.0.0.1"))
	}
	if c.Role.Serves() && !c.Production && !isOwnHost(c.Addr) {
		found = append(found, warn("KYRO_ENV is development, and KYRO_ADDR is "+c.Addr+", which other machines can reach: they can read the contract, the playground and the mails in the outbox.",
			"Listen on this machine only, or be strict:\n  KYRO_ADDR=127.0.0.1:8080\nor\n  KYRO_ENV=production"))
	}
	if !isOwnHost(c.AdminAddr) {
		const what = ": whoever reaches it reads figures, and may look into the memory of the process (/debug/pprof/)."
		if host, _, _ := net.SplitHostPort(c.AdminAddr); isInternal(host) {
			found = append(found, note("KYRO_ADMIN_ADDR is "+c.AdminAddr+what, "See that only your own network reaches it, by a firewall or by not publishing its port. Where nobody else asks for it:\n  KYRO_ADMIN_ADDR=127.0.0.1:9090"))
		} else {
			found = append(found, warn("KYRO_ADMIN_ADDR is "+c.AdminAddr+", an address of the internet"+what, "  KYRO_ADMIN_ADDR=127.0.0.1:9090"))
		}
	}
	return found
}

// isOwnHost reports whether what listens there is reached from this machine only.
func isOwnHost(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && config.IsLoopback(host)
}

// isInternal reports whether a host to listen on is of the operator's own network, as far as it can be told: all addresses
// of a machine may be, as those of a container mostly are.
func isInternal(host string) bool {
	address, err := netip.ParseAddr(host)
	return err != nil || address.IsUnspecified() || address.IsPrivate() || address.IsLinkLocalUnicast()
}

// ownNames begin settings that nobody else has.
const ownNames = "KYRO_"

// lookAtNames finds settings that nothing reads, since their names are misspelt.
func lookAtNames(p *patient) []Finding {
	found := misspelt(config.Names(), p.environ)
	if len(found) == 0 {
		return []Finding{ok("Every setting of the environment has a name that is read.")}
	}
	return found
}

// misspelt finds names in an environment that are nearly those of settings. Of names that are not the project's own only
// those that are very near one that is not set.
func misspelt(known, environ []string) (found []Finding) {
	set := map[string]bool{}
	for _, each := range environ {
		name, value, _ := strings.Cut(each, "=")
		set[name] = strings.TrimSpace(value) != ""
	}
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if slices.Contains(known, name) || strings.HasPrefix(name, "KYRO_TEST_") {
			continue
		}
		nearest, apart := nearestName(known, name)
		switch own := strings.HasPrefix(strings.ToUpper(name), ownNames); {
		case own && apart <= max(3, len(name)/3):
			found = append(found, warn(name+" is set, and nothing reads a setting of that name.",
				fmt.Sprintf("Did you mean %s? Then call it that:\n  %s=…", nearest, nearest)))
		case own:
			found = append(found, warn(name+" is set, and nothing reads a setting of that name.", "Take it out:\n  unset "+name))
		case len(name) > 7 && apart <= 2 && !set[nearest]:
			found = append(found, warn(name+" is set, and nothing reads a setting of that name; "+nearest+" is not set.",
				fmt.Sprintf("Did you mean %s? Then call it that:\n  %s=…", nearest, nearest)))
		}
	}
	return found
}

func nearestName(known []string, name string) (nearest string, apart int) {
	apart = len(name) + 100
	for _, each := range known {
		if d := levenshtein.ComputeDistance(each, strings.ToUpper(name)); d < apart {
			nearest, apart = each, d
		}
	}
	return nearest, apart
}
