package ai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"kyrochat/internal/pinecone"
	"kyrochat/internal/port"
	"kyrochat/kyro"
)

// TestPineconeStops says with which indexes the server does not start, and that it is told why.
func TestPineconeStops(t *testing.T) {
	l := newLab(t, PineconeConfig{Dims: 3})
	nowhere := freePort(t)
	pods := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"name":"kyrochat","dimension":3,"metric":"cosine","host":"x","vector_type":"dense",
			"spec":{"pod":{"environment":"e","pod_type":"p1.x1","pods":1,"replicas":1,"shards":1}},"status":{"ready":true,"state":"Ready"}}`)
	}))
	defer pods.Close()
	for name, test := range map[string]struct {
		change func(c *PineconeConfig)
		script pinecone.Script
		says   []string
	}{
		"no key":         {change: func(c *PineconeConfig) { c.APIKey = "" }, says: []string{"PINECONE_API_KEY"}},
		"a key of words": {change: func(c *PineconeConfig) { c.APIKey = "pcsk_Secret_4711\n" }, says: []string{"PINECONE_API_KEY"}},
		"no model":       {change: func(c *PineconeConfig) { c.Model = "" }, says: []string{"GEMINI_API_KEY"}},
		"no index":       {change: func(c *PineconeConfig) { c.Index = "" }, says: []string{"KYRO_PINECONE_INDEX", "curl", `"dimension":3`}},
		"another index": {change: func(c *PineconeConfig) { c.Index = "elsewhere" },
			says: []string{"KYRO_PINECONE_INDEX", `"elsewhere"`, "curl", `"dimension":3`, `"metric":"cosine"`}},
		"a wrong key":              {change: func(c *PineconeConfig) { c.APIKey = "wrong" }, says: []string{"refuses PINECONE_API_KEY"}},
		"a wrong key, with a host": {change: func(c *PineconeConfig) { c.APIKey, c.Host = "wrong", l.at.Host }, says: []string{"refuses PINECONE_API_KEY"}},
		"another dimension": {script: pinecone.Script{Dimension: 1536},
			says: []string{"KYRO_PINECONE_INDEX", "1536", "KYRO_EMBEDDING_DIMS is 3", "curl"}},
		"another dimension, with a host": {script: pinecone.Script{Dimension: 1536}, change: func(c *PineconeConfig) { c.Host = l.at.Host },
			says: []string{"KYRO_PINECONE_INDEX", "1536", "KYRO_EMBEDDING_DIMS is 3"}},
		"another metric": {script: pinecone.Script{Metric: "euclidean"}, says: []string{"KYRO_PINECONE_INDEX", "euclidean", "cosine or dotproduct"}},
		"another metric, with a host": {script: pinecone.Script{Metric: "euclidean"}, change: func(c *PineconeConfig) { c.Host = l.at.Host },
			says: []string{"KYRO_PINECONE_INDEX", "euclidean", "cosine or dotproduct"}},
		"away, without a host":            {script: pinecone.Script{Away: true}, says: []string{"cannot be looked up now", "KYRO_PINECONE_HOST"}},
		"no control plane":                {change: func(c *PineconeConfig) { c.ControlURL = nowhere }, says: []string{"cannot be looked up now", "KYRO_PINECONE_HOST"}},
		"a control plane that is no host": {change: func(c *PineconeConfig) { c.ControlURL = "ftp://x" }, says: []string{"KYRO_PINECONE_CONTROL_URL"}},
		"a control plane that fails": {script: pinecone.Script{Faults: []pinecone.Fault{{Method: "DescribeIndex", Code: "Internal", Message: "key " + pineconeTestKey}}},
			says: []string{"cannot be looked up now"}},
		"an index of pods": {change: func(c *PineconeConfig) { c.ControlURL = pods.URL }, says: []string{"KYRO_PINECONE_INDEX", "pods", "serverless"}},
		"a host that is no index": {change: func(c *PineconeConfig) { c.Host = l.at.Host },
			script: pinecone.Script{Faults: []pinecone.Fault{{Method: "DescribeIndexStats", Code: "Unimplemented"}}}, says: []string{"KYRO_PINECONE_HOST"}},
	} {
		c := PineconeConfig{Installation: "inst", APIKey: pineconeTestKey, Index: l.at.Index, ControlURL: l.at.ControlURL, Model: pineconeTestModel, Dims: 3}
		if test.change != nil {
			test.change(&c)
		}
		l.script(test.script)
		p, err := l.open(c)
		if err == nil {
			p.Close()
			t.Errorf("%s: it starts", name)
			continue
		}
		for _, says := range test.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: says %q, want %q in it", name, err, says)
			}
		}
		l.at.Behave()
	}
	if misfit := l.misfit(0, "dotproduct"); !strings.Contains(misfit, "sparse") || l.misfit(3, "dotproduct") != "" || l.misfit(3, "") != "" {
		t.Errorf("an index of sparse vectors: %q", misfit)
	}
	ctx, leave := context.WithCancel(t.Context())
	leave()
	_, err := newPinecone(ctx, PineconeConfig{Installation: "inst", APIKey: pineconeTestKey, Host: l.at.Host, Model: "m", Dims: 3, Log: l.Pinecone.log}, pineconePause)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a start that was given up: %v", err)
	}
}

func TestPineconeHosts(t *testing.T) {
	for host, want := range map[string]string{
		"kyrochat-a1b2c3d.svc.aped-4627-b74a.pinecone.io":          "https://kyrochat-a1b2c3d.svc.aped-4627-b74a.pinecone.io",
		"https://kyrochat-a1b2c3d.svc.aped-4627-b74a.pinecone.io/": "https://kyrochat-a1b2c3d.svc.aped-4627-b74a.pinecone.io",
		"kyrochat.svc.pinecone.io:443":                             "https://kyrochat.svc.pinecone.io:443",
		"http://127.0.0.1:5081":                                    "http://127.0.0.1:5081",
		"http://[::1]:5081":                                        "http://[::1]:5081",
		"localhost:5081":                                           "https://localhost:5081",
	} {
		if got, err := pineconeURL("X", host); got != want || err != nil {
			t.Errorf("%s is %s, %v; want %s", host, got, err, want)
		}
	}
	for _, host := range []string{
		"http://", "://x", "ftp://x", "dns:///x", "unix:///tmp/x", "a b", "x:99999", "x:0", "x:", "https://key@x", "x/path", "x?y", "x#z", "http://%zz",
		"-x", "x\n", "[::1", "passthrough:///x", "xds:///x",
	} {
		if got, err := pineconeURL("KYRO_PINECONE_HOST", host); err == nil || !strings.Contains(err.Error(), "KYRO_PINECONE_HOST must be") {
			t.Errorf("%q is %s, %v", host, got, err)
		}
	}
}

// TestPineconeStartsWithoutTheIndex starts while the index cannot be reached: it is looked at before it is used.
func TestPineconeStartsWithoutTheIndex(t *testing.T) {
	l := newLab(t, PineconeConfig{Dims: 3})
	c := PineconeConfig{Installation: "inst", APIKey: pineconeTestKey, Index: l.at.Index, Host: l.at.Host, ControlURL: freePort(t), Model: pineconeTestModel, Dims: 3}
	start := func() {
		t.Helper()
		l.Close()
		l.script(pinecone.Script{Away: true})
		p, err := l.open(c)
		if err != nil {
			t.Fatal(err)
		}
		l.Pinecone = p
		if _, err := l.query(1); kyro.ErrorCode(err) != kyro.CodeUpstreamFailed {
			t.Errorf("a query of what is away: %v", err)
		}
		if err := l.Away(); err != nil {
			t.Errorf("it is given up: %v", err)
		}
	}
	start()
	if !strings.Contains(l.log.text(), "cannot be reached now") {
		t.Errorf("the operator is not told: %s", l.log.text())
	}
	l.at.Behave()
	l.await("it is used", func() bool {
		l.writes.breaker = newBreaker("fresh", "vector index", l.Pinecone.log)
		return l.Upsert(t.Context(), chunksOf(3, 1, 7, 1, 2)) == nil
	})
	if got, err := l.query(1); fmt.Sprint(got) != "[7000 7001]" || err != nil {
		t.Errorf("found %v, %v", got, err)
	}
	if n := len(l.at.Calls("DescribeIndexStats")); n != 1 {
		t.Errorf("it is looked at %d times, want once", n)
	}

	start()
	l.at.Forget()
	l.script(pinecone.Script{Dimension: 5})
	l.await("it is found not to fit", func() bool {
		_, _ = l.query(1)
		l.queries.breaker = newBreaker("fresh", "vector index", l.Pinecone.log)
		return l.Away() != nil
	})
	var typed *kyro.Error
	for range 20 {
		_, err := l.query(1)
		if !errors.As(err, &typed) || typed.Code != kyro.CodeUpstreamFailed || typed.RetryAfter != 0 {
			t.Fatalf("a query of an index that does not fit: %v", err)
		}
		if err := l.say(l.Upsert(t.Context(), chunksOf(3, 1, 7, 1, 1))); kyro.ErrorCode(err) != kyro.CodeUpstreamFailed {
			t.Fatalf("an upsert to an index that does not fit: %v", err)
		}
	}
	if strings.Contains(typed.Message, "KYRO_") || len(l.at.Calls("Query", "Upsert")) != 0 {
		t.Errorf("it says %q, and asks %v", typed.Message, l.at.Calls())
	}
	if n := strings.Count(l.log.text(), "level=ERROR"); n != 1 || !strings.Contains(l.log.text(), "KYRO_EMBEDDING_DIMS is 3") {
		t.Errorf("%d errors in the log: %s", n, l.log.text())
	}
}

// freePort is an address where nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	address, leave, err := port.Keep()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(leave)
	return "http://" + address
}
