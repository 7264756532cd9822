package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Severity is how much a finding matters.
type Severity string

// The severities, from the least.
const (
	Fine   Severity = "OK"
	Noted  Severity = "NOTE" // to be known; nothing is wrong
	Warned Severity = "WARN" // a server works here, but less well or less safely than it should
	Failed Severity = "FAIL" // a server does not start here, or what is set cannot be used
)

var severities = []Severity{Fine, Noted, Warned, Failed}

// Finding is one thing that was found. None holds a secret.
type Finding struct {
	Check  string   `json:"check"`
	Status Severity `json:"status"`
	Found  string   `json:"found"` // a sentence
	Mend   string   `json:"mend"`  // what to do: commands and settings to be pasted, a line each, and words; "" where nothing is wrong
	Took   int64    `json:"took"`  // milliseconds
}

func ok(format string, args ...any) Finding {
	return Finding{Status: Fine, Found: fmt.Sprintf(format, args...)}
}
func note(found, mend string) Finding { return Finding{Status: Noted, Found: found, Mend: mend} }
func warn(found, mend string) Finding { return Finding{Status: Warned, Found: found, Mend: mend} }
func fail(found, mend string) Finding { return Finding{Status: Failed, Found: found, Mend: mend} }

// check is one thing that is looked at. It finds nothing where there is no such thing in this installation.
type check struct {
	name     string   // as JSON and docs/doctor.md have it; it stays
	settings []string // that must not be wrong, or it makes no sense
	within   time.Duration
	silent   Severity   // where nothing comes within that time
	unheard  string     // what to do then
	may      []Severity // what it finds, besides that all is well
	look     func(*patient) []Finding
}

const (
	quick = 3 * time.Second
	slow  = 10 * time.Second // for what is asked over the internet, with all of its tries
)

const seeStorage = "See whether the disk answers (dmesg), and the network, where the folder is on one."

// checks are all of them, in the order in which they are told.
var checks = []check{
	{"configuration", nil, quick, Warned, seeStorage, []Severity{Noted, Warned, Failed}, lookAtConfiguration},
	{"misspelt-settings", nil, quick, Warned, "", []Severity{Warned}, lookAtNames},
	{"secret", []string{"KYRO_SECRET"}, quick, Warned, seeStorage, []Severity{Noted, Warned, Failed}, lookAtSecret},
	{"secret-files", nil, quick, Warned, seeStorage, []Severity{Warned}, lookAtSecretFiles},
	{"data-folder", nil, quick, Failed, seeStorage, []Severity{Noted, Warned, Failed}, lookAtFolder},
	{"database", []string{"DATABASE_URL"}, databaseTime, Failed, "See whether the database answers at all, and the network.", []Severity{Noted, Warned, Failed}, lookAtDatabase},
	{"database-schema", []string{"DATABASE_URL"}, databaseTime, Failed, "See whether the database answers at all, and the network.", []Severity{Noted, Failed}, lookAtSchema},
	{"database-connections", []string{"DATABASE_URL"}, databaseTime, Warned, "See whether the database answers at all, and the network.", []Severity{Warned, Failed}, lookAtConnections},
	{"database-settings", []string{"DATABASE_URL"}, databaseTime, Warned, "See whether the database answers at all, and the network.", []Severity{Noted, Warned, Failed}, lookAtDatabaseSettings},
	{"redis", []string{"REDIS_URL"}, redisTime + databaseTime, Failed, "See whether Redis answers at all, and the network.", []Severity{Warned, Failed}, lookAtRedis},
	{"gemini", []string{"GEMINI_API_KEY", "KYRO_GEMINI_URL", "KYRO_GEMINI_MODEL", "KYRO_EMBEDDING_MODEL", "KYRO_EMBEDDING_DIMS"}, slow, Failed, "See whether this machine reaches the internet.", []Severity{Warned, Failed}, lookAtGemini},
	{"pinecone", []string{"PINECONE_API_KEY", "KYRO_PINECONE_INDEX", "KYRO_PINECONE_HOST", "KYRO_PINECONE_CONTROL_URL", "KYRO_EMBEDDING_DIMS"}, slow, Failed, "See whether this machine reaches the internet.", []Severity{Noted, Warned, Failed}, lookAtPinecone},
	{"mail", []string{"SMTP_URL", "KYRO_MAIL_FROM"}, slow, Failed, "See whether this machine reaches the mail server: many networks let nobody out to ports 25, 465 and 587.", []Severity{Failed}, lookAtMail},
	{"storage", []string{"KYRO_S3_ENDPOINT", "KYRO_S3_BUCKET", "KYRO_S3_ACCESS_KEY", "KYRO_S3_SECRET_KEY"}, slow, Failed, "See whether this machine reaches the storage.", []Severity{Failed}, lookAtStorage},
	{"fetch-dns", []string{"KYRO_FETCH_DNS"}, quick + time.Second, Noted, "See whether this machine reaches a name server.", []Severity{Noted, Failed}, lookAtNameServer},
	{"traces", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"}, quick + time.Second, Warned, "See whether this machine reaches the collector.", []Severity{Warned}, lookAtTraces},
	{"clock", nil, databaseTime + redisTime, Warned, "", []Severity{Warned, Failed}, lookAtClock},
	{"open-files", nil, quick, Warned, "", []Severity{Warned, Failed}, lookAtOpenFiles},
	{"memory", nil, quick, Warned, "", []Severity{Noted, Warned}, lookAtMemory},
	{"processors", nil, quick, Noted, "", []Severity{Noted}, lookAtProcessors},
	{"user", nil, quick, Warned, "", []Severity{Warned}, lookAtUser},
	{"temporary-folder", nil, quick, Failed, seeStorage, []Severity{Failed}, lookAtTemporary},
	{"extraction", nil, slow, Failed, "See whether the machine is too busy to start a process.", []Severity{Warned, Failed}, lookAtExtraction},
	{"addresses", []string{"KYRO_ADDR", "KYRO_ADMIN_ADDR"}, quick + time.Second, Failed, "", []Severity{Noted, Warned, Failed}, lookAtAddresses},
}

// advice is what the messages of this house have where they turn from what is wrong to what to do.
var advice = []string{"set", "use", "unset", "take", "name", "start", "make", "run", "leave", "write", "start again", "stop", "give"}

// parted makes two of a message: what is wrong, and what to do about it. The second is empty where it is not told.
func parted(message string) (found, mend string) {
	at, after := -1, 0
	for _, verb := range advice {
		for _, sign := range []string{": ", ". ", "; "} {
			for _, each := range []string{verb, strings.ToUpper(verb[:1]) + verb[1:]} {
				if i := strings.Index(message, sign+each+" "); i >= 0 && (at < 0 || i < at) {
					at, after = i, i+len(sign)
				}
			}
		}
	}
	if at < 0 {
		return sentence(message), ""
	}
	return sentence(message[:at]), sentence(message[after:])
}

// sentence begins with a capital letter and ends with a full stop, unless it begins with a name or ends with a command.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	if first, _, _ := strings.Cut(s, " "); strings.ToLower(first) == first && !strings.ContainsAny(first, "/_.\"'") {
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "'") && strings.Contains(s, "curl ") {
		return s
	}
	return s + "."
}

// worst is the most severe of them.
func worst(findings []Finding) Severity {
	most := 0
	for _, f := range findings {
		most = max(most, slices.Index(severities, f.Status))
	}
	return severities[most]
}
