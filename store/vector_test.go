package store_test

import (
	"errors"
	"fmt"
	"testing"

	"kyrochat/kyro"
)

// vectorsOf reads the bot's vectors as "chunk: vector", in order.
func (k *knowledge) vectorsOf(t *testing.T, model string, dims int) []string {
	t.Helper()
	got := []string{}
	last := int64(0)
	err := k.store.BotVectors(t.Context(), k.bot, model, dims, func(v kyro.ChunkVector) error {
		if v.ChunkID.Key <= last {
			t.Errorf("%s comes after chunk_%d", v.ChunkID, last)
		}
		last = v.ChunkID.Key
		chunks, err := k.store.Chunks(t.Context(), k.owner, []kyro.ID{v.ChunkID})
		check(t, err)
		got = append(got, fmt.Sprint(chunks[0].Text, ": ", v.Vector))
		return nil
	})
	check(t, err)
	return got
}

func TestVectorsOfLiveChunks(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		d := k.add(t, "one")
		k.prepare(t, d, "a", "b", "c", "a")
		missing := func(dims int) int {
			n, err := k.store.CountUnembedded(ctx, versionOf(d), "m", dims)
			check(t, err)
			return n
		}
		chunks, err := k.store.Unembedded(ctx, versionOf(d), "m", 2, -1, 2)
		check(t, err)
		expect(t, "missing", [3]any{missing(2), chunks[0].Text, chunks[1].Index}, [3]any{4, "a", 1})
		chunks, err = k.store.Unembedded(ctx, versionOf(d), "m", 2, 1, 9)
		check(t, err)
		expect(t, "after the second", [2]any{len(chunks), chunks[0].Text}, [2]any{2, "c"})

		check(t, k.store.SaveEmbeddings(ctx, "m", 2, map[string][]float32{sha("a"): {1, 0}, sha("b"): {-0.5, 1e-20}}))
		check(t, k.store.SaveEmbeddings(ctx, "m", 2, map[string][]float32{sha("a"): {9, 9}}))
		check(t, k.store.SaveEmbeddings(ctx, "m", 2, nil))
		if err := k.store.SaveEmbeddings(ctx, "m", 2, map[string][]float32{sha("c"): {1}}); err == nil {
			t.Error("a vector of other dimensions was stored")
		}
		chunks, err = k.store.Unembedded(ctx, versionOf(d), "m", 2, -1, 9)
		check(t, err)
		expect(t, "then missing", [2]any{missing(2), chunks[0].Text}, [2]any{1, "c"})
		expect(t, "missing of other dimensions", missing(3), 4)

		expect(t, "before the activation", k.vectorsOf(t, "m", 2), []string{})
		k.activate(t, d)
		want := []string{"a: [1 0]", "b: [-0.5 1e-20]", "a: [1 0]"}
		expect(t, "vectors", k.vectorsOf(t, "m", 2), want)
		expect(t, "of another model", k.vectorsOf(t, "n", 2), []string{})
		other := k.other(t)
		expect(t, "of another bot", other.vectorsOf(t, "m", 2), []string{})
		k.exec(t, "UPDATE chunks SET enabled = FALSE WHERE text = 'b'")
		expect(t, "without a disabled chunk", k.vectorsOf(t, "m", 2), []string{want[0], want[2]})

		stop := errors.New("enough")
		if err := k.store.BotVectors(ctx, k.bot, "m", 2, func(kyro.ChunkVector) error { return stop }); err != stop {
			t.Errorf("got %v, want the visitor's own error", err)
		}
		_, err = k.store.DeleteDocument(ctx, k.owner, d.ID, k.tick())
		check(t, err)
		expect(t, "of a deleted document", k.vectorsOf(t, "m", 2), []string{})
	})
}

func TestBotKnowledge(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		last := k.generation(t)
		grows := func(what string, want bool) {
			t.Helper()
			now := k.generation(t)
			if (now > last) != want {
				t.Errorf("%s: from %d to %d", what, last, now)
			}
			last = now
		}
		d := k.add(t, "one")
		k.prepare(t, d, "text")
		grows("a prepared version", false)
		k.activate(t, d)
		grows("an activation", true)
		_, err := k.store.DeleteDocument(t.Context(), k.owner, d.ID, k.tick())
		check(t, err)
		grows("a deletion", true)
		check(t, k.store.DeleteBot(t.Context(), k.owner, k.bot, k.tick()))
		_, err = k.store.BotKnowledge(t.Context(), k.bot)
		expectCode(t, err, kyro.CodeNotFound)
	})
}
