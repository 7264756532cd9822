package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestEmulateServesWhatItPrints(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-gemini", "127.0.0.1:0", "-pace", "0s"}, in) }()
	settings := map[string]string{}
	lines := bufio.NewScanner(out)
	for len(settings) < 2 && lines.Scan() {
		if name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "="); ok {
			settings[name] = value
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, settings["KYRO_GEMINI_URL"]+"/v1beta/models/gemini-3.8-flash", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("x-goog-api-key", settings["GEMINI_API_KEY"])
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("asked with %v it says %s", settings, response.Status)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestEmulateRefusesToServeNothing(t *testing.T) {
	t.Parallel()
	if err := run(t.Context(), []string{"-gemini", ""}, io.Discard); err == nil {
		t.Error("it served nothing")
	}
}
