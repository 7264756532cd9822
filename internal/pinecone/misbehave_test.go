package pinecone_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	sdk "github.com/pinecone-io/go-pinecone/v5/pinecone"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"kyrochat/internal/pinecone"
)

func TestReadsSeeWritesLate(t *testing.T) {
	e, _, conn := start(t, pinecone.Options{})
	script := func(s pinecone.Script) {
		t.Helper()
		if err := e.Script(s); err != nil {
			t.Fatal(err)
		}
	}
	script(pinecone.Script{UpsertLag: pinecone.Lag{Reads: 2}, DeleteLag: pinecone.Lag{Reads: 1}})
	upsert(t, conn, vector("a", nil, 1, 0, 0))
	want(t, "the first read", nearest(t, conn, nil, 1, 0, 0))
	want(t, "the second read", nearest(t, conn, nil, 1, 0, 0))
	want(t, "the third read", nearest(t, conn, nil, 1, 0, 0), "a 1.00")
	if err := conn.DeleteVectorsById(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	want(t, "the first read after the delete", nearest(t, conn, nil, 1, 0, 0), "a 1.00")
	want(t, "the second read after the delete", nearest(t, conn, nil, 1, 0, 0))

	script(pinecone.Script{UpsertLag: pinecone.Lag{MS: 50}})
	upsert(t, conn, vector("b", nil, 1, 0, 0))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for len(nearest(t, conn, nil, 1, 0, 0)) == 0 {
		if ctx.Err() != nil {
			t.Fatal("the write is never seen")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestMisbehaves(t *testing.T) {
	e, client, conn := start(t, pinecone.Options{})
	upsert(t, conn, vector("a", nil, 1, 0, 0))
	upsert(t, conn.WithNamespace("b_2"), vector("foreign", nil, 1, 0, 0))
	ask := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := conn.QueryByVectorValues(ctx, &sdk.QueryByVectorValuesRequest{Vector: []float32{1, 0, 0}, TopK: 1})
		return err
	}
	e.Misbehave(pinecone.Fault{Method: "Query", Calls: 2, Code: "ResourceExhausted", RetryMS: 1500}, pinecone.Fault{Code: "INTERNAL"})
	for i, code := range []codes.Code{codes.ResourceExhausted, codes.ResourceExhausted, codes.Internal} {
		if err := ask(); status.Code(err) != code {
			t.Errorf("call %d: %v, want %s", i+1, err, code)
		}
	}
	e.Misbehave(pinecone.Fault{Cut: true})
	if err := ask(); status.Code(err) != codes.Unavailable {
		t.Errorf("cut: %v", err)
	}
	e.Misbehave(pinecone.Fault{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	if _, err := conn.FetchVectors(ctx, []string{"a"}); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("hang: %v", err)
	}
	cancel()
	e.Misbehave(pinecone.Fault{Method: "Upsert", Partial: 0.5})
	if n, err := conn.UpsertVectors(t.Context(), []*sdk.Vector{vector("c", nil, 1, 0, 0), vector("d", nil, 1, 0, 0)}); n != 1 || err != nil {
		t.Errorf("a partial upsert says %d, %v", n, err)
	}
	e.Misbehave(pinecone.Fault{Method: "Delete", Calls: 1, Code: "Unavailable", After: true})
	if err := conn.DeleteVectorsById(t.Context(), []string{"c"}); status.Code(err) != codes.Unavailable {
		t.Errorf("an error after the effect: %v", err)
	}
	want(t, "what is left", nearest(t, conn, nil, 1, 0, 0), "a 1.00")

	if err := e.Script(pinecone.Script{Faults: []pinecone.Fault{{Share: 0.3, Code: "Unavailable"}}, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for range 200 {
		if ask() != nil {
			failed++
		}
	}
	if failed < 40 || failed > 80 {
		t.Errorf("%d of 200 calls failed, want about 60", failed)
	}
	if err := e.Script(pinecone.Script{IgnoreNamespaces: true, IgnoreFilters: true}); err != nil {
		t.Fatal(err)
	}
	want(t, "all namespaces", nearest(t, conn, map[string]any{"x": 1}, 1, 0, 0), "a 1.00", "foreign 1.00")
	if err := e.Script(pinecone.Script{Dimension: 5, Metric: "euclidean"}); err != nil {
		t.Fatal(err)
	}
	if x, err := client.DescribeIndex(t.Context(), e.Index); err != nil || *x.Dimension != 5 || x.Metric != sdk.Euclidean {
		t.Errorf("another dimension: %+v, %v", x, err)
	}
	if err := e.Script(pinecone.Script{Away: true}); err != nil {
		t.Fatal(err)
	}
	if err := ask(); status.Code(err) != codes.Unavailable {
		t.Errorf("away: %v", err)
	}
	if _, err := client.DescribeIndex(t.Context(), e.Index); err == nil {
		t.Error("the control plane answers while it is away")
	}
	e.Behave()
	back := connect(t, client, e.Host)
	want(t, "back", nearest(t, back, nil, 1, 0, 0), "a 1.00")
}

func TestIsScriptedOverHTTP(t *testing.T) {
	e, _, conn := start(t, pinecone.Options{})
	post := func(body string) int {
		t.Helper()
		res, err := http.Post(e.ControlURL+"/_emulator/script", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	if code := post(`{"faults":[{"method":"Fetch","code":"ABORTED","message":"by hand"}]}`); code != http.StatusNoContent {
		t.Fatalf("status %d", code)
	}
	if _, err := conn.FetchVectors(t.Context(), []string{"a"}); status.Code(err) != codes.Aborted {
		t.Errorf("Fetch: %v", err)
	}
	for _, wrong := range []string{`{"faults":[{"code":"ODD"}]}`, `{"fautls":[]}`, `no`} {
		if code := post(wrong); code != http.StatusBadRequest {
			t.Errorf("%s: status %d", wrong, code)
		}
	}
	if code := post(`{"away":true}`); code != http.StatusNoContent {
		t.Fatalf("status %d", code)
	}
	if code := post(`{}`); code != http.StatusNoContent {
		t.Fatalf("back: status %d", code)
	}
	res, err := http.Get(e.ControlURL + "/_emulator/calls?method=Fetch")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var calls []pinecone.Call
	if err := json.NewDecoder(res.Body).Decode(&calls); err != nil || len(calls) != 1 || calls[0].IDs[0] != "a" {
		t.Errorf("calls: %+v, %v", calls, err)
	}
}
