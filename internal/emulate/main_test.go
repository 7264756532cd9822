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
	go func() { ended <- run(ctx, []string{"-gemini", "127.0.0.1:0", "-pinecone", "127.0.0.1:0", "-pace", "0s"}, in) }()
	settings := map[string]string{}
	lines := bufio.NewScanner(out)
	for len(settings) < 5 && lines.Scan() {
		if name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "="); ok {
			settings[name] = value
		}
	}
	for _, asked := range []struct{ url, header, key string }{
		{settings["KYRO_GEMINI_URL"] + "/v1beta/models/gemini-3.8-flash", "x-goog-api-key", settings["GEMINI_API_KEY"]},
		{settings["KYRO_PINECONE_CONTROL_URL"] + "/indexes/" + settings["KYRO_PINECONE_INDEX"], "Api-Key", settings["PINECONE_API_KEY"]},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, asked.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(asked.header, asked.key)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("%s says %s to what it is to be asked with", asked.url, response.Status)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestEmulateRefusesToServeNothing(t *testing.T) {
	t.Parallel()
	if err := run(t.Context(), []string{"-gemini", "", "-pinecone", ""}, io.Discard); err == nil {
		t.Error("it served nothing")
	}
}
