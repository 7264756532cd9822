package ai_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"kyrochat/ai"
	"kyrochat/kyro"
)

// bots is a source of vectors in memory.
type bots struct {
	generation atomic.Int64
	vectors    map[kyro.ID][]kyro.ChunkVector
	reads      atomic.Int64
	wait       func(ctx context.Context) error // before each reading
}

func (b *bots) BotKnowledge(context.Context, kyro.ID) (int64, error) { return b.generation.Load(), nil }

func (b *bots) BotVectors(ctx context.Context, bot kyro.ID, _ string, _ int, visit func(kyro.ChunkVector) error) error {
	b.reads.Add(1)
	if b.wait != nil {
		if err := b.wait(ctx); err != nil {
			return err
		}
	}
	for _, v := range b.vectors[bot] {
		if err := visit(v); err != nil {
			return err
		}
	}
	return nil
}

func randomVector(r *rand.Rand, dims int) []float32 {
	v := make([]float32, dims)
	var square float64
	for i := range v {
		x := r.NormFloat64()
		v[i] = float32(x)
		square += x * x
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(square))
	}
	return v
}

func randomBot(seed uint64, count, dims int) []kyro.ChunkVector {
	r := rand.New(rand.NewPCG(seed, 1))
	vectors := make([]kyro.ChunkVector, count)
	for i := range vectors {
		vectors[i] = kyro.ChunkVector{ChunkID: kyro.ChunkID(int64(i + 1)), Vector: randomVector(r, dims)}
	}
	return vectors
}

func TestVectorsFindTheNearest(t *testing.T) {
	t.Parallel()
	const dims = 37 // not a multiple of any machine's vector width
	bot := kyro.BotID(1)
	source := &bots{vectors: map[kyro.ID][]kyro.ChunkVector{bot: randomBot(3, 500, dims)}}
	source.vectors[bot] = append(source.vectors[bot], kyro.ChunkVector{ChunkID: kyro.ChunkID(900), Vector: source.vectors[bot][41].Vector})
	v := ai.NewVectors(source, "m", dims, 0)
	query := randomVector(rand.New(rand.NewPCG(9, 9)), dims)

	want := slices.Clone(source.vectors[bot])
	dot := func(c kyro.ChunkVector) (sum float64) {
		for i, x := range c.Vector {
			sum += float64(x) * float64(query[i])
		}
		return sum
	}
	slices.SortStableFunc(want, func(a, b kyro.ChunkVector) int { return int(math.Copysign(1, dot(b)-dot(a))) })

	for _, limit := range []int{0, 1, 10, 1000} {
		got, err := v.SearchVectors(t.Context(), bot, query, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != min(limit, 501) {
			t.Fatalf("%d hits for limit %d", len(got), limit)
		}
		for i, hit := range got[:min(len(got), 10)] {
			if hit.ChunkID != want[i].ChunkID || math.Abs(hit.Similarity-dot(want[i])) > 1e-5 {
				t.Errorf("hit %d is %v, want %s at %f", i, hit, want[i].ChunkID, dot(want[i]))
			}
		}
	}
	same, err := v.SearchVectors(t.Context(), bot, source.vectors[bot][41].Vector, 2)
	if err != nil || same[0].ChunkID != kyro.ChunkID(42) || same[1].ChunkID != kyro.ChunkID(900) || math.Abs(same[0].Similarity-1) > 1e-5 {
		t.Errorf("equal vectors come as %v (%v)", same, err)
	}
}

func TestVectorsAreReadAgainOnlyWhenKnowledgeChanges(t *testing.T) {
	t.Parallel()
	bot, empty := kyro.BotID(1), kyro.BotID(2)
	source := &bots{vectors: map[kyro.ID][]kyro.ChunkVector{bot: randomBot(3, 5, 8)}}
	v := ai.NewVectors(source, "m", 8, 0)
	search := func(bot kyro.ID) int {
		hits, err := v.SearchVectors(t.Context(), bot, make([]float32, 8), 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(hits)
	}
	for range 2 {
		if search(bot) != 5 || search(empty) != 0 {
			t.Error("hits are missing")
		}
	}
	if source.reads.Load() != 2 {
		t.Errorf("%d readings, want 2", source.reads.Load())
	}
	source.vectors[bot] = source.vectors[bot][:2]
	source.generation.Add(1)
	if n := search(bot); n != 2 || source.reads.Load() != 3 {
		t.Errorf("%d hits after the change, %d readings", n, source.reads.Load())
	}
}

func TestVectorsKeepToTheirMemory(t *testing.T) {
	t.Parallel()
	source := &bots{vectors: map[kyro.ID][]kyro.ChunkVector{}}
	for bot := range 3 {
		source.vectors[kyro.BotID(int64(bot+1))] = randomBot(uint64(bot), 64, 64)
	}
	source.vectors[kyro.BotID(4)] = randomBot(9, 640, 64)
	v := ai.NewVectors(source, "m", 64, 2*64*(64*4+24)+4096)
	for i, c := range []struct {
		bot   int64
		reads int64
	}{{1, 1}, {2, 2}, {1, 2}, {3, 3}, {1, 3}, {2, 4}, {4, 5}, {4, 6}, {2, 6}} {
		if _, err := v.SearchVectors(t.Context(), kyro.BotID(c.bot), make([]float32, 64), 1); err != nil {
			t.Fatal(err)
		}
		if got := source.reads.Load(); got != c.reads {
			t.Errorf("step %d: %d readings, want %d", i, got, c.reads)
		}
	}
}

func TestVectorsAreReadOnceForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bot := kyro.BotID(1)
		release := make(chan struct{})
		source := &bots{vectors: map[kyro.ID][]kyro.ChunkVector{bot: randomBot(3, 5, 8)}}
		source.wait = func(ctx context.Context) error {
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		v := ai.NewVectors(source, "m", 8, 0)
		ended := make(chan error, 9)
		search := func(ctx context.Context) {
			hits, err := v.SearchVectors(ctx, bot, make([]float32, 8), 10)
			if err == nil && len(hits) != 5 {
				err = fmt.Errorf("%d hits", len(hits))
			}
			ended <- err
		}
		first, leave := context.WithCancel(t.Context())
		go search(first)
		synctest.Wait()
		for range 7 {
			go search(t.Context())
		}
		impatient, give := context.WithCancel(t.Context())
		go search(impatient)
		synctest.Wait()
		if source.reads.Load() != 1 {
			t.Fatalf("%d readings at once", source.reads.Load())
		}
		give()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up got %v", err)
		}
		leave()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the first got %v", err)
		}
		synctest.Wait()
		if source.reads.Load() != 2 {
			t.Errorf("%d readings after the first left, want one more", source.reads.Load())
		}
		close(release)
		for range 7 {
			if err := <-ended; err != nil {
				t.Errorf("who stayed got %v", err)
			}
		}
	})
}

func TestVectorsReportWhatIsWrong(t *testing.T) {
	t.Parallel()
	bot := kyro.BotID(1)
	source := &bots{vectors: map[kyro.ID][]kyro.ChunkVector{bot: randomBot(3, 5, 8)}}
	if _, err := ai.NewVectors(source, "m", 8, 0).SearchVectors(t.Context(), bot, make([]float32, 7), 1); err == nil {
		t.Error("a query of other dimensions was compared")
	}
	if _, err := ai.NewVectors(source, "m", 7, 0).SearchVectors(t.Context(), bot, make([]float32, 7), 1); err == nil {
		t.Error("stored vectors of other dimensions were compared")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ai.NewVectors(source, "m", 8, 0).SearchVectors(gone, bot, make([]float32, 8), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled search gave %v", err)
	}
	failing := errors.New("no disk")
	source.wait = func(context.Context) error { return failing }
	v := ai.NewVectors(source, "m", 8, 0)
	if _, err := v.SearchVectors(t.Context(), bot, make([]float32, 8), 1); !errors.Is(err, failing) {
		t.Errorf("got %v", err)
	}
	source.wait = nil
	if hits, err := v.SearchVectors(t.Context(), bot, make([]float32, 8), 1); err != nil || len(hits) != 1 {
		t.Errorf("a failure was kept: %v, %v", hits, err)
	}
}

func BenchmarkSearchVectors(b *testing.B) {
	bot := kyro.BotID(1)
	source := &bots{vectors: map[kyro.ID][]kyro.ChunkVector{bot: randomBot(3, 10_000, ai.HashDims)}}
	v := ai.NewVectors(source, "m", ai.HashDims, 0)
	query := randomVector(rand.New(rand.NewPCG(9, 9)), ai.HashDims)
	if _, err := v.SearchVectors(b.Context(), bot, query, 1); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := v.SearchVectors(b.Context(), bot, query, 10); err != nil {
			b.Fatal(err)
		}
	}
}
