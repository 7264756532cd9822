package pinecone_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/pinecone-io/go-pinecone/v5/pinecone"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"kyrochat/internal/pinecone"
)

// patience bounds what must come; no test waits that long unless it fails.
const patience = 20 * time.Second

// start starts an emulator of three dimensions and the SDK's connection to it.
func start(t *testing.T, o pinecone.Options) (*pinecone.Emulator, *sdk.Client, *sdk.IndexConnection) {
	t.Helper()
	if o.Dimension == 0 {
		o.Dimension = 3
	}
	e, err := pinecone.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	client := clientOf(t, e, e.APIKey)
	return e, client, connect(t, client, e.Host)
}

func clientOf(t *testing.T, e *pinecone.Emulator, key string) *sdk.Client {
	t.Helper()
	client, err := sdk.NewClient(sdk.NewClientParams{ApiKey: key, Host: e.ControlURL})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func connect(t *testing.T, client *sdk.Client, host string) *sdk.IndexConnection {
	t.Helper()
	conn, err := client.Index(sdk.NewIndexConnParams{Host: host, Namespace: "b_1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func vector(id string, metadata map[string]any, values ...float32) *sdk.Vector {
	m, err := structpb.NewStruct(metadata)
	if err != nil {
		panic(err)
	}
	return &sdk.Vector{Id: id, Values: &values, Metadata: m}
}

func upsert(t *testing.T, conn *sdk.IndexConnection, vectors ...*sdk.Vector) {
	t.Helper()
	if n, err := conn.UpsertVectors(t.Context(), vectors); err != nil || int(n) != len(vectors) {
		t.Fatalf("upserted %d of %d: %v", n, len(vectors), err)
	}
}

// nearest gives the ids and scores of a query with metadata.
func nearest(t *testing.T, conn *sdk.IndexConnection, filter map[string]any, values ...float32) []string {
	t.Helper()
	var f *sdk.MetadataFilter
	if filter != nil {
		var err error
		if f, err = structpb.NewStruct(filter); err != nil {
			t.Fatal(err)
		}
	}
	found, err := conn.QueryByVectorValues(t.Context(), &sdk.QueryByVectorValuesRequest{
		Vector: values, TopK: 10, MetadataFilter: f, IncludeMetadata: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, m := range found.Matches {
		got = append(got, fmt.Sprintf("%s %.2f", m.Vector.Id, m.Score))
	}
	return got
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestControlPlane(t *testing.T) {
	e, client, _ := start(t, pinecone.Options{})
	x, err := client.DescribeIndex(t.Context(), e.Index)
	if err != nil {
		t.Fatal(err)
	}
	if x.Host != e.Host || *x.Dimension != 3 || x.Metric != sdk.Cosine || !x.Status.Ready || x.Spec.Serverless == nil {
		t.Errorf("DescribeIndex: %+v", x)
	}
	dims, metric := int32(2), sdk.Dotproduct
	made, err := client.CreateServerlessIndex(t.Context(), &sdk.CreateServerlessIndexRequest{
		Name: "other", Dimension: &dims, Metric: &metric, Cloud: sdk.Aws, Region: "us-east-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	other := connect(t, client, made.Host)
	upsert(t, other, vector("a", nil, 3, 4))
	want(t, "dotproduct", nearest(t, other, nil, 2, 1), "a 10.00")
	all, err := client.ListIndexes(t.Context())
	if err != nil || len(all) != 2 {
		t.Errorf("ListIndexes: %v, %v", all, err)
	}
	var refused *sdk.PineconeError
	if _, err := client.DescribeIndex(t.Context(), "nowhere"); !errors.As(err, &refused) || refused.Code != http.StatusNotFound {
		t.Errorf("an index that is not there: %v", err)
	}
	if _, err := clientOf(t, e, "wrong").DescribeIndex(t.Context(), e.Index); !errors.As(err, &refused) || refused.Code != 401 {
		t.Errorf("a wrong key: %v", err)
	}
	if _, err := connect(t, clientOf(t, e, "wrong"), e.Host).DescribeIndexStats(t.Context()); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a wrong key on the data plane: %v", err)
	}
}

func TestVectorsComeAndGo(t *testing.T) {
	e, _, conn := start(t, pinecone.Options{})
	upsert(t, conn,
		vector("7#1#00000", map[string]any{"bot": "1", "n": 1, "tags": []any{"x", "y"}}, 1, 0, 0),
		vector("7#1#00001", map[string]any{"bot": "1", "n": 2}, 1, 1, 0),
		vector("8#1#00000", map[string]any{"bot": "2", "n": 3}, 0, 0, 2))
	upsert(t, conn.WithNamespace("b_2"), vector("9", nil, 1, 0, 0))
	want(t, "by cosine", nearest(t, conn, nil, 1, 0, 0), "7#1#00000 1.00", "7#1#00001 0.71", "8#1#00000 0.00")
	for _, filter := range []map[string]any{
		{"bot": "1", "n": map[string]any{"$gte": 2}},
		{"bot": map[string]any{"$eq": "1"}, "n": map[string]any{"$ne": 1}},
		{"$and": []any{map[string]any{"bot": map[string]any{"$in": []any{"1", "5"}}}, map[string]any{"tags": map[string]any{"$exists": false}}}},
		{"$or": []any{map[string]any{"n": 2}}, "bot": map[string]any{"$nin": []any{"2"}}},
	} {
		want(t, fmt.Sprint(filter), nearest(t, conn, filter, 1, 0, 0), "7#1#00001 0.71")
	}
	want(t, "a list that holds the value", nearest(t, conn, map[string]any{"tags": "y"}, 1, 0, 0), "7#1#00000 1.00")

	got, err := conn.FetchVectors(t.Context(), []string{"7#1#00001", "none"})
	if err != nil || len(got.Vectors) != 1 || got.Vectors["7#1#00001"].Metadata.AsMap()["n"] != 2.0 {
		t.Errorf("FetchVectors: %v, %v", got, err)
	}
	err = conn.UpdateVector(t.Context(), &sdk.UpdateVectorRequest{Id: "8#1#00000", Metadata: vector("", map[string]any{"n": 9}).Metadata})
	if err != nil {
		t.Error(err)
	}
	want(t, "after an update", nearest(t, conn, map[string]any{"n": 9, "bot": "2"}, 0, 0, 1), "8#1#00000 1.00")
	if err := conn.DeleteVectorsById(t.Context(), []string{"7#1#00000", "none"}); err != nil {
		t.Error(err)
	}
	if err := conn.DeleteVectorsByFilter(t.Context(), vector("", map[string]any{"bot": "2"}).Metadata); err != nil {
		t.Error(err)
	}
	want(t, "after deletes", nearest(t, conn, nil, 1, 0, 0), "7#1#00001 0.71")
	if err := conn.DeleteAllVectorsInNamespace(t.Context()); err != nil {
		t.Error(err)
	}
	want(t, "after delete all", nearest(t, conn, nil, 1, 0, 0))
	if err := conn.WithNamespace("never").DeleteAllVectorsInNamespace(t.Context()); status.Code(err) != codes.NotFound {
		t.Errorf("delete all of a namespace that is not there: %v", err)
	}
	if err := conn.DeleteNamespace(t.Context(), "b_1"); err != nil {
		t.Error(err)
	}
	spaces, err := conn.ListNamespaces(t.Context(), &sdk.ListNamespacesParams{})
	if err != nil || len(spaces.Namespaces) != 1 || spaces.Namespaces[0].Name != "b_2" || spaces.Namespaces[0].RecordCount != 1 {
		t.Errorf("ListNamespaces: %+v, %v", spaces, err)
	}
	stats, err := conn.DescribeIndexStats(t.Context())
	if err != nil || stats.TotalVectorCount != 1 || *stats.Dimension != 3 {
		t.Errorf("DescribeIndexStats: %+v, %v", stats, err)
	}
	if n := len(e.Calls("Query")); n != 9 {
		t.Errorf("%d queries are remembered, want 9", n)
	}
	if c := e.Calls("Delete")[0]; !slices.Equal(c.IDs, []string{"7#1#00000", "none"}) || c.Namespace != "b_1" {
		t.Errorf("the first delete is remembered as %+v", c)
	}
}

func TestListsByPrefixPageByPage(t *testing.T) {
	_, _, conn := start(t, pinecone.Options{})
	var vectors []*sdk.Vector
	for i := range 230 {
		vectors = append(vectors, vector(fmt.Sprintf("7#1#%05d", i), nil, 1, 2, 3))
	}
	upsert(t, conn, append(vectors, vector("70#1#00000", nil, 1, 2, 3))...)
	prefix, token := "7#", (*string)(nil)
	var seen, pages []string
	for {
		page, err := conn.ListVectors(t.Context(), &sdk.ListVectorsRequest{Prefix: &prefix, PaginationToken: token})
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, fmt.Sprint(len(page.VectorIds)))
		for _, id := range page.VectorIds {
			seen = append(seen, *id)
		}
		if token = page.NextPaginationToken; token == nil {
			break
		}
	}
	want(t, "pages", pages, "100", "100", "30")
	if len(seen) != 230 || !slices.IsSorted(seen) || seen[229] != "7#1#00229" {
		t.Errorf("%d ids, the last %s", len(seen), seen[len(seen)-1])
	}
}

func TestLimits(t *testing.T) {
	_, _, conn := start(t, pinecone.Options{})
	many := make([]*sdk.Vector, 1001)
	ids := make([]string, 1001)
	for i := range many {
		ids[i] = fmt.Sprint(i)
		many[i] = vector(ids[i], nil, 1, 0, 0)
	}
	long := strings.Repeat("x", 39<<10)
	var heavy []*sdk.Vector
	for i := range 60 {
		heavy = append(heavy, vector(ids[i], map[string]any{"text": long}, 1, 0, 0))
	}
	do := func(vectors ...*sdk.Vector) error { _, err := conn.UpsertVectors(t.Context(), vectors); return err }
	fetch := func(ids []string) error { _, err := conn.FetchVectors(t.Context(), ids); return err }
	query := func(topK uint32, values ...float32) error {
		_, err := conn.QueryByVectorValues(t.Context(), &sdk.QueryByVectorValuesRequest{Vector: values, TopK: topK})
		return err
	}
	for what, test := range map[string]struct {
		err  error
		code codes.Code
	}{
		"1,001 vectors":        {do(many...), codes.InvalidArgument},
		"more than 2 MB":       {do(heavy...), codes.OutOfRange},
		"41 KB of metadata":    {do(vector("a", map[string]any{"text": long + long[:2<<10]}, 1, 0, 0)), codes.InvalidArgument},
		"null":                 {do(vector("a", map[string]any{"text": nil}, 1, 0, 0)), codes.InvalidArgument},
		"nested metadata":      {do(vector("a", map[string]any{"text": map[string]any{"a": 1}}, 1, 0, 0)), codes.InvalidArgument},
		"zeros":                {do(vector("a", nil, 0, 0, 0)), codes.InvalidArgument},
		"not a number":         {do(vector("a", nil, float32(math.NaN()), 0, 0)), codes.InvalidArgument},
		"another dimension":    {do(vector("a", nil, 1, 0)), codes.InvalidArgument},
		"no id":                {do(vector("", nil, 1, 0, 0)), codes.InvalidArgument},
		"fetch of 1,001":       {fetch(ids), codes.InvalidArgument},
		"fetch of 1,000":       {fetch(ids[:1000]), codes.OK},
		"delete of 1,001":      {conn.DeleteVectorsById(t.Context(), ids), codes.InvalidArgument},
		"top 10,001":           {query(10_001, 1, 0, 0), codes.InvalidArgument},
		"top 10,000":           {query(10_000, 1, 0, 0), codes.OK},
		"query of 2 of 3":      {query(1, 1, 0), codes.InvalidArgument},
		"query of zeros":       {query(1, 0, 0, 0), codes.InvalidArgument},
		"1,000 vectors":        {do(many[:1000]...), codes.OK},
		"an unknown operator":  {conn.DeleteVectorsByFilter(t.Context(), vector("", map[string]any{"a": map[string]any{"$like": "b"}}).Metadata), codes.InvalidArgument},
		"39 KB of metadata":    {do(heavy[0]), codes.OK},
		"a wrong kind of list": {do(vector("a", map[string]any{"l": []any{1}}, 1, 0, 0)), codes.InvalidArgument},
	} {
		if status.Code(test.err) != test.code {
			t.Errorf("%s: %v, want %s", what, test.err, test.code)
		}
	}
}
