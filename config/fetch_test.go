package config

import (
	"strings"
	"testing"
	"time"

	"kyrochat/internal/envtest"
)

func TestFetchSettings(t *testing.T) {
	t.Parallel()
	c, err := Read(envtest.Of(map[string]string{"KYRO_FETCH_ALLOW": "127.0.0.0/8:8080, 10.0.0.0/8:80-90,[::1]:8080", "KYRO_FETCH_DNS": "127.0.0.1:5353", "KYRO_FETCH_DELAY": "0"}))
	if err != nil || len(c.Fetch.Allow) != 3 || c.Fetch.DNS != "127.0.0.1:5353" || c.Fetch.Delay != 0 || c.Fetch.Timeout != 30*time.Second || c.Fetch.MaxBytes != 5<<20 {
		t.Errorf("%+v, %v", c.Fetch, err)
	}
	for name, values := range map[string][]string{
		"KYRO_FETCH_ALLOW":   {"localhost:80", "10.0.0.0/33:80", "10.0.0.0/8:0", "all", "127.0.0.1:8080,nonsense"},
		"KYRO_FETCH_DNS":     {"127.0.0.1", "dns.example:53", "127.0.0.1:0", "on"},
		"KYRO_FETCH_TIMEOUT": {"0", "36s", "30"}, "KYRO_FETCH_MAX_BYTES": {"0", "5MiB"}, "KYRO_FETCH_DELAY": {"-1s", "soon"}, "KYRO_FETCH_AGENT": {"1.0", "Bot\r\nX: y", "Böt/1"},
	} {
		for _, value := range values {
			if _, err := Read(envtest.Of(map[string]string{name: value})); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s=%q: %v", name, value, err)
			}
		}
	}
}
