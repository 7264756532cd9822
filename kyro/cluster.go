package kyro

import "math"

// Questions are put together one by one, as they come: each goes to the group whose centre it is nearest to, where that is
// near enough, and otherwise begins one. That is the sequential clustering that J. A. Hartigan describes as the leader
// algorithm (Clustering Algorithms, Wiley 1975, chapter 3), with the mean in place of the leader as in the BSAS of
// Theodoridis and Koutroumbas (Pattern Recognition, 4th edition, section 12.3). It fits what comes in over months: what was
// put together stays so, so that a gap an owner has answered keeps its name; a question costs one comparison with each
// centre; and the same questions in the same order make the same groups. A single leader would let the wording of the
// first question decide for ever.

// Cosine is the similarity of two vectors of the same length, -1 to 1; 0 where one of them has no direction.
func Cosine(a, b []float32) float64 {
	if len(a) != len(b) {
		return 0
	}
	var dot, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		dot, aa, bb = dot+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return dot / math.Sqrt(aa*bb)
}

// Nearest is the place of the centre that is most similar to the vector, the first of several, where it is at least as
// similar as the threshold says; -1 where none is.
func Nearest(centres [][]float32, vector []float32, threshold float64) int {
	best, found := threshold, -1
	for i, centre := range centres {
		if s := Cosine(centre, vector); s > best || found < 0 && s == best {
			best, found = s, i
		}
	}
	return found
}

// Centre is the mean direction of vectors of the same length, each of which counts alike however long it is; nil where
// there is none.
func Centre(vectors [][]float32) []float32 {
	var sum []float64
	for _, v := range vectors {
		var square float64
		for _, x := range v {
			square += float64(x) * float64(x)
		}
		if square == 0 || sum != nil && len(v) != len(sum) {
			continue
		}
		if sum == nil {
			sum = make([]float64, len(v))
		}
		for i, x := range v {
			sum[i] += float64(x) / math.Sqrt(square)
		}
	}
	var square float64
	for _, x := range sum {
		square += x * x
	}
	if square == 0 {
		return nil
	}
	centre := make([]float32, len(sum))
	for i, x := range sum {
		centre[i] = float32(x / math.Sqrt(square))
	}
	return centre
}

// alike is how much similarities may differ that are the same but for rounding.
const alike = 1e-6

// MostCentral is the place of the vector that is most similar to the centre, the first of several; 0 where there is no
// centre.
func MostCentral(vectors [][]float32, centre []float32) int {
	best, found := math.Inf(-1), 0
	for i, v := range vectors {
		if s := Cosine(centre, v); s > best+alike {
			best, found = s, i
		}
	}
	return found
}
