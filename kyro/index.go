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

// VectorState is how a live document stands to the vectors of its versions.
type VectorState struct {
	BotID, DocumentID ID
	Title             string // that its chunks are embedded under
	Version           int    // that is being made or was made last
	ActiveVersion     int    // that answers use; 0 while there is none
	Chunks            int    // of the active version
	EmbeddedWith      string // what the active version's vectors were made with and where they are; "" where nobody vouches for any
}

// Active is the active version as an index has it.
func (s VectorState) Active() IndexedVersion {
	return IndexedVersion{BotID: s.BotID, DocumentID: s.DocumentID, Version: s.ActiveVersion, Chunks: s.Chunks}
}

// Holds reports whether a vector at the place may be the document's: of its active version, or of one that is being
// made or may be made again, as after a retry. What it does not hold is dead for good, since versions only go up; so it
// may be removed, however long ago the state was read.
func (s VectorState) Holds(p VectorPlace) bool {
	switch {
	case p.DocumentID != s.DocumentID || p.BotID != s.BotID || p.Index < 0:
		return false
	case p.Version == s.ActiveVersion:
		return p.Index < s.Chunks
	default:
		return p.Version >= s.Version
	}
}

// Indexing is how far a version is on its way into an index.
type Indexing struct {
	Done   int // chunks that were put in, from the first on
	Looked int // how often all of them were looked for in vain
}
