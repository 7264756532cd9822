package program

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"kyrochat/internal/envtest"
)

func TestThePlaygroundIsForDevelopment(t *testing.T) {
	t.Parallel()
	development := startServer(t, nil)
	production := startServer(t, map[string]string{
		"KYRO_ENV": "production", "KYRO_SECRET": envtest.SecretOne, "KYRO_SIGNUP": "open", "KYRO_PUBLIC_URL": "https://chat.example.com",
	})
	for _, c := range []struct {
		server *testServer
		method string
		path   string
		status int
		policy string
	}{
		{development, http.MethodGet, "/", http.StatusOK, "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
		{development, http.MethodHead, "/", http.StatusOK, "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
		{development, http.MethodPost, "/", http.StatusMethodNotAllowed, "default-src 'none'; frame-ancestors 'none'"},
		{development, http.MethodGet, "/playground/nothing.js", http.StatusNotFound, "default-src 'none'; frame-ancestors 'none'"},
		{production, http.MethodGet, "/", http.StatusNotFound, "default-src 'none'; frame-ancestors 'none'"},
		{production, http.MethodGet, "/playground/", http.StatusNotFound, "default-src 'none'; frame-ancestors 'none'"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, c.server.url+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if policy := res.Header.Get("Content-Security-Policy"); res.StatusCode != c.status || !strings.HasSuffix(policy, c.policy) ||
			res.Header.Get("X-Content-Type-Options") != "nosniff" || res.Header.Get("Cross-Origin-Opener-Policy") != "same-origin" {
			t.Errorf("%s %s%s: %d %v", c.method, c.server.app.info.Environment, c.path, res.StatusCode, res.Header)
		}
	}
}

// TestTheWelcomeWorks runs the playground's worked examples from top to bottom, with the values they begin with: on a
// new server all of them fit.
func TestTheWelcomeWorks(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		document, err := os.ReadFile("web/playground/src/welcome.graphql")
		if err != nil {
			t.Fatal(err)
		}
		values, err := os.ReadFile("web/playground/src/welcome.json")
		if err != nil {
			t.Fatal(err)
		}
		variables := vars{}
		if err := json.Unmarshal(values, &variables); err != nil {
			t.Fatal(err)
		}
		operations := regexp.MustCompile(`(?ms)^(query|mutation|subscription) (\w+).*?^}`).FindAllSubmatch(document, -1)
		if len(operations) < 10 {
			t.Fatalf("only %d operations were found", len(operations))
		}
		p := &person{t: t, s: s}
		for _, operation := range operations {
			kind, name := string(operation[1]), string(operation[2])
			if kind == "subscription" {
				events := 0
				if err := p.follow(string(operation[0]), variables, func(*reply) bool { events++; return true }); err != nil || events == 0 {
					t.Errorf("%s: %d events, %v", name, events, err)
				}
				continue
			}
			// As GraphiQL does: the whole document, every variable, and the name of what is to run.
			body, err := json.Marshal(map[string]any{"query": string(document), "operationName": name, "variables": variables})
			if err != nil {
				t.Fatal(err)
			}
			r := p.request(bytes.NewReader(body), "application/json")
			if r.tree["errors"] != nil || bytes.Contains(r.body, []byte(`"errors":[{`)) {
				t.Fatalf("%s: %s", name, r.body)
			}
			for _, payload := range r.at("data").(map[string]any) {
				session, ok := payload.(map[string]any)
				if ok && session["accessToken"] != nil {
					p.token = session["accessToken"].(string)
					variables["refreshToken"] = session["refreshToken"]
				}
			}
		}
	})
}
