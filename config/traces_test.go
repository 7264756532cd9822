package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kyrochat/internal/envtest"
	"kyrochat/kyro"
)

func TestSettingsOfTraces(t *testing.T) {
	t.Parallel()
	const secret = "canary8Vw8qLr3ZtYb6"
	c, err := Read(envtest.Of(map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example.com/otlp", "OTEL_EXPORTER_OTLP_HEADERS": " authorization = Bearer%20" + secret + " , x-team=a%2Cb",
		"OTEL_SERVICE_NAME": "chat", "KYRO_TRACE_RATIO": "0.05", "KYRO_TRACE_CLIENTS": "follow",
	}))
	if err != nil || c.Traces.Service != "chat" || c.Traces.Ratio != 0.05 || !c.Traces.Follow ||
		len(c.Traces.Headers) != 2 || c.Traces.Headers["authorization"] != kyro.Secret("Bearer "+secret) || c.Traces.Headers["x-team"] != "a,b" {
		t.Errorf("%+v, %v", c.Traces, err)
	}
	file := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(file, []byte("x-key="+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err = Read(envtest.Of(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_HEADERS_FILE": file}))
	if err != nil || c.Traces.Headers["x-key"] != secret {
		t.Errorf("%+v, %v", c.Traces, err)
	}
	for name, wrong := range map[string]map[string]string{
		"no URL":           {"OTEL_EXPORTER_OTLP_ENDPOINT": "127.0.0.1:4318"},
		"a password":       {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:" + secret + "@127.0.0.1:4318"},
		"a query":          {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318?key=" + secret},
		"no collector":     {"OTEL_EXPORTER_OTLP_HEADERS": "x-key=" + secret},
		"no header":        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_HEADERS": secret},
		"no name":          {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_HEADERS": "x key=" + secret},
		"another line":     {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_HEADERS": "x-key=" + secret + "%0d%0aX-Other: 1"},
		"more than all":    {"KYRO_TRACE_RATIO": "1.5"},
		"no ratio":         {"KYRO_TRACE_RATIO": "half"},
		"no way to follow": {"KYRO_TRACE_CLIENTS": "true"},
	} {
		if _, err := Read(envtest.Of(wrong)); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
