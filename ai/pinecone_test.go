package ai

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"kyrochat/internal/pinecone"
	"kyrochat/kyro"
)

func TestPineconeFindsWhatIsNear(t *testing.T) {
	inModes(t, func(t *testing.T, l *lab) {
		near := chunksOf(3, 1, 7, 2, 3)
		near[0].Vector, near[1].Vector, near[2].Vector = axis(1), axis(0), []float32{0.6, 0.8, 0}
		if err := l.Upsert(t.Context(), near); err != nil {
			t.Fatal(err)
		}
		l.fill(2, 8, 1, 2)
		hits, err := l.SearchVectors(t.Context(), kyro.BotID(1), axis(0), 2)
		if err != nil || len(hits) != 2 || hits[0].ChunkID != kyro.ChunkID(7001) || hits[1].ChunkID != kyro.ChunkID(7002) {
			t.Fatalf("found %+v, %v", hits, err)
		}
		if hits[0].Similarity < 0.999 || hits[1].Similarity < 0.599 || hits[1].Similarity > 0.601 {
			t.Errorf("similarities %+v", hits)
		}
		asked := l.at.Calls("Query")[0]
		if !asked.Metadata || asked.TopK != 2 || fmt.Sprint(asked.Filter["model"]) != "map[$eq:"+pineconeTestModel+"]" {
			t.Errorf("asked %+v", asked)
		}
		if _, err := l.SearchVectors(t.Context(), kyro.BotID(1), []float32{1}, 2); err == nil || len(l.at.Calls("Query")) != 1 {
			t.Errorf("a query of another dimension was asked: %v", err)
		}
		if hits, err := l.SearchVectors(t.Context(), kyro.BotID(1), axis(0), 0); hits != nil || err != nil {
			t.Errorf("none asked for: %v, %v", hits, err)
		}
		if err := l.Upsert(t.Context(), chunksOf(2, 1, 7, 2, 1)); err == nil || len(l.at.Calls("Upsert")) != 2 {
			t.Errorf("a vector of another dimension was put: %v", err)
		}
	})
}

// TestPineconeScheme pins where vectors are and what they carry: whoever runs it relies on that between releases.
func TestPineconeScheme(t *testing.T) {
	want := map[string]pinecone.Record{
		"namespaces": {Namespace: "inst_b_3", ID: "7#2#00001"},
		"shared":     {Namespace: "inst", ID: "3#7#2#00001"},
	}
	for name, shared := range modes {
		l := newLab(t, PineconeConfig{SharedNamespace: shared, Dims: 3})
		l.fill(3, 7, 2, 2)
		got := l.at.Records()[1]
		if got.Namespace != want[name].Namespace || got.ID != want[name].ID {
			t.Errorf("%s: it is at %s %s", name, got.Namespace, got.ID)
		}
		wantMetadata := map[string]any{"bot": "3", "doc": "7", "ver": 2.0, "seq": 1.0, "chunk": "7001", "model": pineconeTestModel}
		if fmt.Sprint(got.Metadata) != fmt.Sprint(wantMetadata) {
			t.Errorf("%s: it carries %v", name, got.Metadata)
		}
		if got := l.Name(); got != "pinecone "+strings.TrimPrefix(l.at.Host, "http://")+" inst "+name {
			t.Errorf("its name is %s", got)
		}
	}
}

func TestPineconeBatches(t *testing.T) {
	for dims, most := range map[int]int{3: 200, 768: 200, 3072: 145} {
		l := newLab(t, PineconeConfig{Dims: dims})
		v := l.fill(1, 7, 1, 450)
		calls := l.at.Calls("Upsert")
		batches := map[string]bool{} // by their first vectors: what takes too long is asked again, after a pause
		for _, c := range calls {
			batches[c.IDs[0]] = true
			if c.Bytes > pineconeBatchBytes || len(c.IDs) > most {
				t.Errorf("%d dimensions: %d vectors of %d bytes at once", dims, len(c.IDs), c.Bytes)
			}
		}
		if least := (450 + most - 1) / most; len(batches) > least+1 || len(calls) > len(batches)+len(l.pauses) {
			t.Errorf("%d dimensions: %d upserts of %d batches, with %d pauses", dims, len(calls), len(batches), len(l.pauses))
		}
		if n := len(l.at.Records()); n != 450 {
			t.Errorf("%d dimensions: %d vectors are there", dims, n)
		}
		if there, err := l.Visible(t.Context(), v); !there || err != nil {
			t.Errorf("%d dimensions: visible %t, %v", dims, there, err)
		}
	}
}

func TestPineconeReadsBack(t *testing.T) {
	inModes(t, func(t *testing.T, l *lab) {
		visible := func(v kyro.IndexedVersion) bool {
			t.Helper()
			there, err := l.Visible(t.Context(), v)
			if l.say(err) != nil {
				t.Fatal(err)
			}
			return there
		}
		l.script(pinecone.Script{UpsertLag: pinecone.Lag{Reads: 2}})
		v := l.fill(1, 7, 1, 5)
		if got := []bool{visible(v), visible(v), visible(v)}; !slices.Equal(got, []bool{false, false, true}) {
			t.Errorf("visible %v, want so at the third look", got)
		}
		if ids := l.at.Calls("Fetch")[0].IDs; len(ids) != 3 || !strings.HasSuffix(ids[0], "7#1#00000") ||
			!strings.HasSuffix(ids[1], "7#1#00002") || !strings.HasSuffix(ids[2], "7#1#00004") {
			t.Errorf("it looks at %v", ids)
		}
		l.at.Behave()
		if one := l.fill(1, 8, 1, 1); !visible(one) || len(l.at.Calls("Fetch")[3].IDs) != 1 {
			t.Error("a version of one chunk is not visible")
		}
		if !visible(versionOf(1, 9, 1, 0)) {
			t.Error("a version without chunks is not visible")
		}
		for what, other := range map[string]kyro.IndexedVersion{
			"another version": versionOf(1, 7, 2, 5), "a longer one": versionOf(1, 7, 1, 6), "another bot's": versionOf(2, 7, 1, 5),
		} {
			if visible(other) {
				t.Errorf("%s is visible", what)
			}
		}
		l.model = "another@3"
		if visible(v) {
			t.Error("a version of another model is visible")
		}
		l.model = pineconeTestModel
		l.script(pinecone.Script{NoMetadata: true})
		if visible(v) {
			t.Error("vectors without metadata are taken for the version")
		}
	})
}

func TestPineconeRemoves(t *testing.T) {
	inModes(t, func(t *testing.T, l *lab) {
		old, kept, others := l.fill(1, 7, 1, 2_500), l.fill(1, 7, 2, 3), l.fill(2, 8, 1, 3)
		for range 2 { // again, there is nothing
			if err := l.say(l.Remove(t.Context(), old)); err != nil {
				t.Fatal(err)
			}
		}
		sizes := []int{}
		for _, c := range l.at.Calls("Delete") {
			sizes = append(sizes, len(c.IDs))
		}
		if !slices.Equal(sizes, []int{1000, 1000, 500, 1000, 1000, 500}) || len(l.at.Records()) != kept.Chunks+others.Chunks {
			t.Errorf("deletes of %v ids left %d vectors", sizes, len(l.at.Records()))
		}
		for range 2 {
			if err := l.say(l.RemoveBot(t.Context(), kyro.BotID(1))); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.say(l.RemoveBot(t.Context(), kyro.BotID(99))); err != nil {
			t.Errorf("remove a bot that has none: %v", err)
		}
		if got, err := l.query(1); len(got) != 0 || err != nil {
			t.Errorf("the removed bot finds %v, %v", got, err)
		}
		if got, err := l.query(2); len(got) != 3 || err != nil {
			t.Errorf("the other bot finds %v, %v", got, err)
		}
		if err := l.say(l.Remove(t.Context(), versionOf(5, 5, 5, 0))); err != nil {
			t.Errorf("remove a version without chunks: %v", err)
		}
	})
}

func TestPineconeWalks(t *testing.T) {
	inModes(t, func(t *testing.T, l *lab) {
		if err := l.Walk(t.Context(), func([]kyro.VectorPlace) error { return errors.New("visited") }); err != nil {
			t.Errorf("an empty index: %v", err)
		}
		want := make(map[kyro.VectorPlace]bool)
		for bot := range int64(120) { // more namespaces than a page has
			for _, v := range chunksOf(3, bot+1, 1000+bot, 1, 1) {
				want[v.VectorPlace] = true
			}
			l.fill(bot+1, 1000+bot, 1, 1)
		}
		l.fill(1, 7, 3, 250) // more vectors than a page has
		for _, v := range chunksOf(3, 1, 7, 3, 250) {
			want[v.VectorPlace] = true
		}
		foreign := []pinecone.Record{
			{Namespace: "inst_b_1", ID: "of somebody else"}, {Namespace: "inst_b_1", ID: "7#3#1"}, {Namespace: "inst_b_1", ID: "07#3#00001"},
			{Namespace: "inst_b_1", ID: "7#-3#00001"}, {Namespace: "inst_b_x", ID: "7#3#00001"}, {Namespace: "inst_b_01", ID: "7#3#00001"},
			{Namespace: "bots", ID: "7#3#00001"}, {Namespace: "other_b_1", ID: "7#3#00001"}, {Namespace: "b_1", ID: "7#3#00001"}, {Namespace: "other", ID: "1#7#3#00001"}, {Namespace: "inst", ID: "x#7#3#00001"}, {Namespace: "inst", ID: "1#7#3"},
		}
		for i := range foreign {
			foreign[i].Values = axis(0)
		}
		if err := l.at.Put(foreign...); err != nil {
			t.Fatal(err)
		}
		walk := func() map[kyro.VectorPlace]bool {
			got := make(map[kyro.VectorPlace]bool)
			err := l.Walk(t.Context(), func(places []kyro.VectorPlace) error {
				if len(places) == 0 || len(places) > 100 {
					t.Errorf("a page of %d", len(places))
				}
				for _, at := range places {
					if got[at] {
						t.Errorf("%v is visited twice", at)
					}
					got[at] = true
				}
				return nil
			})
			if l.say(err) != nil {
				t.Fatal(err)
			}
			return got
		}
		got := walk()
		if len(got) != len(want) {
			t.Fatalf("%d vectors are visited, want %d", len(got), len(want))
		}
		var all []kyro.VectorPlace
		for at := range got {
			if !want[at] {
				t.Errorf("%v is visited", at)
			}
			all = append(all, at)
		}
		if err := l.say(l.RemovePlaces(t.Context(), all)); err != nil {
			t.Fatal(err)
		}
		if left := walk(); len(left) != 0 {
			t.Errorf("%d vectors are left", len(left))
		}
		if n := len(l.at.Records()); n != len(foreign) {
			t.Errorf("%d vectors of others are left, want %d", n, len(foreign))
		}
		l.fill(1, 7, 1, 1)
		enough := errors.New("enough")
		if err := l.Walk(t.Context(), func([]kyro.VectorPlace) error { return enough }); err != enough {
			t.Errorf("the visit's error comes back as %v", err)
		}
	})
}

// TestPineconeLetsNothingForeignThrough asks an index that ignores namespaces and filters, and that holds everything that
// could be mistaken for a bot's own.
func TestPineconeLetsNothingForeignThrough(t *testing.T) {
	inModes(t, func(t *testing.T, l *lab) {
		for bot := range int64(5) {
			l.fill(bot+1, 10+bot, 1, 20)
		}
		metadata := func(changes map[string]any) map[string]any {
			m := map[string]any{"bot": "1", "doc": "10", "ver": 1, "seq": 50, "chunk": "66", "model": pineconeTestModel}
			for name, value := range changes {
				if m[name] = value; value == nil {
					delete(m, name)
				}
			}
			return m
		}
		at := l.placing.id(kyro.VectorPlace{BotID: kyro.BotID(1), DocumentID: kyro.DocumentID(10), Version: 1, Index: 50})
		space := l.placing.namespace(kyro.BotID(1))
		bad := []pinecone.Record{{Namespace: space, ID: "junk", Metadata: metadata(nil)}, {Namespace: space, ID: at}}
		for i, changes := range []map[string]any{
			{"bot": "99"}, {"bot": 1}, {"bot": nil}, {"doc": "11"}, {"ver": 2}, {"ver": "1"}, {"seq": 51}, {"seq": 50.5}, {"chunk": nil},
			{"chunk": "0"}, {"chunk": "-3"}, {"chunk": 66}, {"chunk": "066"}, {"model": nil}, {"model": "another@3"}, {"bot": "01"},
		} {
			// Put into namespaces of their own, since they all have one id: the index ignores namespaces.
			bad = append(bad, pinecone.Record{Namespace: fmt.Sprintf("bad%d", i), ID: at, Metadata: metadata(changes)})
		}
		for i := range bad {
			bad[i].Values = axis(0)
		}
		if err := l.at.Put(bad...); err != nil {
			t.Fatal(err)
		}
		l.script(pinecone.Script{IgnoreNamespaces: true, IgnoreFilters: true})
		for range 60 {
			bot := 1 + rand.Int64N(5)
			got, err := l.query(bot)
			if err != nil {
				t.Fatal(err)
			}
			for _, chunk := range got {
				if chunk/1000 != 9+bot {
					t.Fatalf("bot %d is given chunk %d", bot, chunk)
				}
			}
		}
		hits, err := l.SearchVectors(t.Context(), kyro.BotID(1), axis(0), 10_000)
		if err != nil || len(hits) != 20 {
			t.Errorf("bot 1 is given %d of its 20 chunks, %v", len(hits), err)
		}
		if !strings.Contains(l.log.text(), "vectors that were not asked for") {
			t.Error("the operator does not hear of it")
		}
		l.script(pinecone.Script{NoMetadata: true})
		if got, err := l.query(1); len(got) != 0 || err != nil {
			t.Errorf("matches without metadata are given: %v, %v", got, err)
		}
	})
}
