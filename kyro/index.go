package kyro

// An index of vectors outside of the database is a projection of the embeddings that are kept there: all that is in it
// can be worked out from rows again, and nothing that it says is believed before a row has confirmed it.

// VectorPlace names a vector of an index: a chunk of a version of a document of a bot.
type VectorPlace struct {
	BotID, DocumentID ID
	Version, Index    int // Index counts the chunks of the version, from 0
}

// IndexedVector is a vector on its way into an index.
type IndexedVector struct {
	VectorPlace
	ChunkID ID
	Vector  []float32 // L2-normalised
}

// IndexedVersion is a version of a document as an index has it: Chunks vectors, one for each Index below.
type IndexedVersion struct {
	BotID, DocumentID ID
	Version, Chunks   int
}
