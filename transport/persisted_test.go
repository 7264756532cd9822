package transport_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"kyrochat/transport"
)

func hashOf(document string) string {
	sum := sha256.Sum256([]byte(document))
	return hex.EncodeToString(sum[:])
}

// hashed is a request that names a document by its hash; with a text, one that sends it too.
func hashed(text, hash string) string {
	request := map[string]any{"extensions": map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": hash}}}
	if text != "" {
		request["query"] = text
	}
	body, _ := json.Marshal(request)
	return string(body)
}

func TestAutomaticPersistedQueries(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	post := func(body string) reply { return s.send(t, s.request(t, "POST", "", body)) }
	const hello = "{hello}"
	if got := post(hashed("", hashOf(hello))); got.code() != "PERSISTED_QUERY_NOT_FOUND" || got.Errors[0].Message != "PersistedQueryNotFound" {
		t.Errorf("before it was sent: %s", got.text)
	}
	if got := post(hashed(hello, hashOf(hello))); got.code() != "" {
		t.Errorf("sent: %s", got.text)
	}
	if got := post(hashed("", strings.ToUpper(hashOf(hello)))); got.code() != "" {
		t.Errorf("after it was sent: %s", got.text)
	}
	extensions := url.QueryEscape(`{"persistedQuery":{"version":1,"sha256Hash":"` + hashOf(hello) + `"}}`)
	if got := s.send(t, s.request(t, "GET", "?extensions="+extensions, "")); got.code() != "" {
		t.Errorf("by GET: %s", got.text)
	}
	p := s.open(t)
	p.send(`{"type":"subscribe","id":"a","payload":` + hashed("", hashOf(hello)) + `}`)
	p.expect(`{"type":"next","id":"a","payload":{"data":{"hello":"hello \u003cnil\u003e"}}}`, `{"type":"complete","id":"a"}`)
	p.send(`{"type":"subscribe","id":"b","payload":` + hashed("", hashOf("x")) + `}`)
	if got := p.receive(); !strings.Contains(got, `"type":"error"`) || !strings.Contains(got, "PERSISTED_QUERY_NOT_FOUND") {
		t.Errorf("over a websocket: %s", got)
	}

	// What is no good is not remembered.
	post(hashed("{nope}", hashOf("{nope}")))
	if got := post(hashed("", hashOf("{nope}"))); got.code() != "PERSISTED_QUERY_NOT_FOUND" {
		t.Errorf("a document that does not validate was kept: %s", got.text)
	}
	for name, body := range map[string]string{
		"another's hash": hashed(hello, hashOf("{many}")), "no hash": hashed("", "abc"), "a number": `{"extensions":{"persistedQuery":1}}`,
		"another version": `{"extensions":{"persistedQuery":{"version":2,"sha256Hash":"` + hashOf(hello) + `"}}}`,
	} {
		if got := post(body); got.code() != "BAD_REQUEST" {
			t.Errorf("%s: %s", name, got.text)
		}
	}
}

func TestTrustedDocuments(t *testing.T) {
	t.Parallel()
	const hello = "{hello}"
	for name, text := range map[string]string{
		"by hash":  `{"` + hashOf(hello) + `":"{hello}"}`,
		"Apollo's": `{"format":"apollo-persisted-query-manifest","version":1,"operations":[{"id":"` + hashOf(hello) + `","name":"","type":"query","body":"{hello}"}]}`,
	} {
		manifest, err := transport.ReadManifest([]byte(text))
		if err != nil || len(manifest) != 1 {
			t.Fatalf("%s: %v", name, err)
		}
		s := startTrusting(t, manifest)
		for body, code := range map[string]string{
			hashed("", hashOf(hello)):          "",
			hashed(hello, hashOf(hello)):       "",
			`{"query":"{hello}"}`:              "",
			`{"query":"{hello }"}`:             "DOCUMENT_NOT_TRUSTED",
			hashed("{many}", hashOf("{many}")): "DOCUMENT_NOT_TRUSTED",
			hashed("", hashOf("{many}")):       "DOCUMENT_NOT_TRUSTED",
			hashed("{many}", hashOf(hello)):    "BAD_REQUEST",
		} {
			if got := s.send(t, s.request(t, "POST", "", body)); got.code() != code {
				t.Errorf("%s: %s: %s", name, body, got.text)
			}
		}
	}
	for name, text := range map[string]string{"a list": `[]`, "another hash": `{"` + hashOf("x") + `":"{hello}"}`, "rubbish": `{`} {
		if _, err := transport.ReadManifest([]byte(text)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}
