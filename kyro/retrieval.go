package kyro

// LexicalHit is a chunk found by its words. Scores of different searches or databases cannot be compared: only
// the order counts.
type LexicalHit struct {
	ChunkID ID
	Score   float64
}

// LexicalResult is what a search by words found, best first, and how common each asked term is among the live
// chunks of the bot, which says how much a match is worth.
type LexicalResult struct {
	Hits     []LexicalHit
	Total    int            // live chunks of the bot
	Frequent map[string]int // live chunks that hold the term; absent: none
}

// VectorHit is a chunk found by its embedding.
type VectorHit struct {
	ChunkID    ID
	Similarity float64 // cosine
}

// ChunkVector is the embedding of a live chunk: L2-normalised.
type ChunkVector struct {
	ChunkID ID
	Vector  []float32
}

// Passage is a live chunk that was found for a question, with why.
type Passage struct {
	Chunk         Chunk
	DocumentTitle string
	Language      string   // of the document
	Score         float64  // fused rank, 0 to 1
	Similarity    *float64 // cosine; nil where no real embedding compared it
	LexicalRank   *int     // from 1; nil: not found by words
	VectorRank    *int     // from 1; nil: not found by vector
}

// SearchHit is a chunk that was found for a question, and whether an answer would get it. Of a chunk that is not live
// its document's title and language are unknown.
type SearchHit struct {
	Passage
	Dropped *HitDrop // nil: an answer gets it
}

// HitDrop is why an answer would not get a chunk that was found.
type HitDrop string

// The reasons.
const (
	HitBelowMinScore HitDrop = "BELOW_MIN_SCORE" // farther from the question than the bot's MinScore allows
	HitNotLive       HitDrop = "NOT_LIVE"        // of a version that answers do not use, or switched off
	HitDuplicate     HitDrop = "DUPLICATE"       // what it says a better one says already
	HitOverBudget    HitDrop = "OVER_BUDGET"     // beyond the bot's TopK, or the tokens that passages may have
)

// Limits of a search by hand.
const (
	MaxSearchHits     = 50
	DefaultSearchHits = 20
)
