package ai_test

import (
	"context"
	"errors"
	"hash/fnv"
	"math"
	"strings"
	"testing"

	"kyrochat/ai"
)

func embed(t testing.TB, s string) []float32 {
	t.Helper()
	v, err := ai.HashEmbedder{}.EmbedQuestion(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func cosine(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func TestHashEmbeddingIsNormalised(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "?!", "a", "The quick brown fox", "敏捷的狐狸", "ตัวอย่าง", strings.Repeat("long ", 10_000), "\xff\xfe"} {
		v := embed(t, s)
		if len(v) != ai.HashDims || math.Abs(cosine(v, v)-1) > 1e-5 {
			t.Errorf("the vector of %.20q has %d dimensions and length %f", s, len(v), cosine(v, v))
		}
	}
}

// TestHashEmbeddingStaysAsItIs follows the description of the embedding by hand for a text of one word of two
// letters, so that stored vectors stay comparable: its features are ab, _ab, ab_ and _ab_.
func TestHashEmbeddingStaysAsItIs(t *testing.T) {
	t.Parallel()
	want := make([]float64, ai.HashDims)
	for feature, weight := range map[string]float64{"abw": 1, "_abg": 0.35, "ab_g": 0.35, "_ab_g": 0.35} {
		hash := fnv.New64a()
		hash.Write([]byte(feature))
		h := hash.Sum64()
		h ^= h >> 32
		if h>>16&1 == 1 {
			weight = -weight
		}
		want[h%ai.HashDims] += weight
	}
	norm := math.Sqrt(1 + 3*0.35*0.35)
	for i, x := range embed(t, "AB") {
		if math.Abs(float64(x)-want[i]/norm) > 1e-6 {
			t.Fatalf("dimension %d is %f, want %f", i, x, want[i]/norm)
		}
	}
}

func TestHashEmbeddingComparesLetters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, near, far string }{
		{"The pump's filter is cleaned weekly.", "cleaning filters", "opening hours"},
		{"Die Donaudampfschifffahrt begann 1829.", "Dampfschiff", "Eisenbahn"},
		{"水泵的滤网每周清洗一次。", "滤网清洗", "开放时间"},
		{"Él llegó a Málaga", "el llego a malaga", "ella fue a Cádiz"},
	} {
		v := embed(t, c.text)
		if near, far := cosine(v, embed(t, c.near)), cosine(v, embed(t, c.far)); near <= far+0.1 {
			t.Errorf("%q: %q is at %f, %q at %f", c.text, c.near, near, c.far, far)
		}
	}
}

func TestHashEmbeddingStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (ai.HashEmbedder{}).EmbedPassages(ctx, []string{"a"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkHashEmbedding(b *testing.B) {
	for name, s := range map[string]string{
		"en": strings.Repeat("The harbour office keeps the ledger of every vessel that passed the inner lock. ", 25),
		"zh": strings.Repeat("港务处保存着每一艘通过内闸的船只的登记册，并在每月初核对一次。", 25),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			for b.Loop() {
				if _, err := (ai.HashEmbedder{}).EmbedPassages(b.Context(), []string{s}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
