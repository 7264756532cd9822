package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/smtp"
	"strings"
	"testing"
)

func TestEmulateServesWhatItPrints(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-gemini", "127.0.0.1:0", "-pinecone", "127.0.0.1:0", "-smtp", "127.0.0.1:0", "-smtp-control", "127.0.0.1:0", "-website", "127.0.0.1:0", "-pace", "0s"}, in)
		in.CloseWithError(err)
		ended <- err
	}()
	settings := map[string]string{}
	lines := bufio.NewScanner(out)
	for len(settings) < 8 && lines.Scan() {
		if name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "="); ok {
			settings[name] = value
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ url, header, key string }{
		{settings["KYRO_GEMINI_URL"] + "/v1beta/models/gemini-3.8-flash", "x-goog-api-key", settings["GEMINI_API_KEY"]},
		{"http://" + settings["KYRO_FETCH_ALLOW"] + "/help/returns", "Accept", "text/html"},
		{settings["KYRO_PINECONE_CONTROL_URL"] + "/indexes/" + settings["KYRO_PINECONE_INDEX"], "Api-Key", settings["PINECONE_API_KEY"]},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(c.header, c.key)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("asked with %v, %s says %s", settings, c.url, response.Status)
		}
	}
	conn, err := smtp.Dial(strings.TrimPrefix(settings["SMTP_URL"], "smtp://"))
	if err != nil {
		t.Fatalf("%s: %v", settings["SMTP_URL"], err)
	}
	if err := conn.Mail(settings["KYRO_MAIL_FROM"]); err != nil {
		t.Errorf("the mail server says %v", err)
	}
	_ = conn.Close()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestEmulateRefusesToServeNothing(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), []string{"-gemini", "", "-pinecone", "", "-smtp", "", "-website", ""}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "nothing to serve") {
		t.Errorf("it says %v", err)
	}
}
