package config

import (
	"net/url"
	"strings"

	"kyrochat/kyro"
)

// Traces is where traces go, and how many.
type Traces struct {
	Endpoint string // empty: nothing is traced
	Headers  map[string]kyro.Secret
	Service  string
	Ratio    float64
	Follow   bool // clients' traces
}

// readTraces reads where traces go. The names that begin with OTEL are those of every program that sends traces.
func (r *reader) readTraces(c *Config) {
	t := &c.Traces
	t.Endpoint = r.url("OTEL_EXPORTER_OTLP_ENDPOINT", "http", "https")
	if u, err := url.Parse(t.Endpoint); err == nil && (u.RawQuery != "" || u.User != nil || u.Fragment != "") {
		r.wrong("OTEL_EXPORTER_OTLP_ENDPOINT", "must be a scheme, a host and a path at the most: what a collector wants to know of who sends belongs into OTEL_EXPORTER_OTLP_HEADERS")
	}
	t.Headers = r.headers("OTEL_EXPORTER_OTLP_HEADERS")
	t.Service = r.text("OTEL_SERVICE_NAME", "kyrochat")
	t.Ratio = r.float("KYRO_TRACE_RATIO", 1, 0, 1)
	t.Follow = r.choice("KYRO_TRACE_CLIENTS", "link", "link", "follow") == "follow"
	if t.Endpoint == "" && len(t.Headers) > 0 {
		r.wrong("OTEL_EXPORTER_OTLP_HEADERS", "is set, but OTEL_EXPORTER_OTLP_ENDPOINT is not: set it, such as http://127.0.0.1:4318, or unset this")
	}
}

// headers reads a list of "name=value", the values as in URLs. What is wrong with it is told without what it says.
func (r *reader) headers(name string) map[string]kyro.Secret {
	list := r.list(name)
	if len(list) == 0 {
		return nil
	}
	headers := make(map[string]kyro.Secret, len(list))
	for _, each := range list {
		key, value, found := strings.Cut(each, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		key = strings.TrimSpace(key)
		if !found || err != nil || !isToken(key) || strings.ContainsAny(value, "\r\n\x00") {
			r.wrong(name, "is no list of headers: use name=value, separated by commas, with values written as in URLs")
			return nil
		}
		headers[key] = kyro.Secret(value)
	}
	return headers
}

// isToken reports whether a text can be the name of a header.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}
