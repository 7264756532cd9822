// Package ingest turns documents into knowledge: it takes them in, extracts and chunks their text, embeds and
// indexes the chunks, and makes the new version the one that answers use. Every step can be killed and resumed.
package ingest

import (
	"context"
	"io"
	"time"

	"kyrochat/kyro"
)

// Store keeps documents, their text and their chunks. Reads by owner give live documents of that owner only.
type Store interface {
	// AddDocument stores a document of the owner's live bot and its first job in one fact; NOT_FOUND where there
	// is no such bot. original, when given, is read to its end and kept with the document. place, when given, is
	// called with the new document inside the transaction, before it commits, so that a file can be put where it
	// belongs. An error of either undoes everything. duplicate is the id of an earlier live document of the bot with
	// the same content hash, or zero. The deeds are the document's lines in the audit log, stored with it; those without
	// a target are about it. LIMIT_REACHED where the owner may have no more, or too many of all people are unfinished.
	AddDocument(
		ctx context.Context, d kyro.NewDocument, original io.Reader, place func(kyro.Document) error, deeds ...kyro.AuditEntry,
	) (document kyro.Document, duplicate kyro.ID, err error)
	// AnswerGap is AddDocument for an answer to a gap of the bot, whose questions are asked again, by a job of the same fact.
	// Where the gap was answered so before and the document is live, that is given and nothing is added; the questions are
	// asked again unless the gap is FIXED or CHECKING. CONFLICT where it is CHECKING another answer; NOT_FOUND where the
	// owner has no such gap.
	AnswerGap(
		ctx context.Context, gap kyro.ID, d kyro.NewDocument, original io.Reader, deeds ...kyro.AuditEntry,
	) (document kyro.Document, added bool, err error)
	Documents(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Document, error)
	// DocumentPages and ChunkPages have a page for every parent, which is empty where it is not the owner's.
	DocumentPages(
		ctx context.Context, owner kyro.ID, bots []kyro.ID, filter kyro.DocumentFilter, page kyro.PageRequest,
	) (map[kyro.ID]kyro.Page[kyro.Document], error)
	// Unfinished gives up to limit documents of a bot whose status is not final, oldest first, behind after; from the
	// first where that is the zero Document.
	Unfinished(ctx context.Context, owner, bot kyro.ID, after kyro.Document, limit int) ([]kyro.Document, error)
	// RestartDocument starts a new run of a retryable document with its job; CONFLICT where it is not retryable.
	RestartDocument(ctx context.Context, owner, id kyro.ID, now time.Time) (kyro.Document, error)
	// BeginRun starts a run of a final document that makes its next version, with its job; CONFLICT where it is not final.
	// The zero owner is the system, which may do it to anybody's.
	BeginRun(ctx context.Context, owner, id kyro.ID, r kyro.NewRun) (kyro.Document, error)
	// CancelDocument moves an unfinished document to CANCELED and ends its run: the document's Run is a higher one
	// from now on. CONFLICT where it is final.
	CancelDocument(ctx context.Context, owner, id kyro.ID, now time.Time) (kyro.Document, error)
	// DeleteDocument tombstones a document, ends its run and enqueues the purge of its rows, original and files.
	DeleteDocument(ctx context.Context, owner, id kyro.ID, now time.Time, deeds ...kyro.AuditEntry) (kyro.Document, error)
	// RestartDocuments and DeleteDocuments do the same to many documents at once, each named once, in one fact. They give
	// those that were changed, and for each of the others why it was not. Every deed is a line for each document.
	RestartDocuments(
		ctx context.Context, owner kyro.ID, ids []kyro.ID, now time.Time,
	) (changed []kyro.Document, errs map[kyro.ID]error, err error)
	DeleteDocuments(
		ctx context.Context, owner kyro.ID, ids []kyro.ID, now time.Time, deeds ...kyro.AuditEntry,
	) (changed []kyro.Document, errs map[kyro.ID]error, err error)

	// DocumentTexts gives the slice [start, start+length) of the stored text of the active version of each live document of
	// the owner that has one, in UTF-16 units, within the budget of ctx.
	DocumentTexts(ctx context.Context, owner kyro.ID, ids []kyro.ID, start, length int) (map[kyro.ID]string, error)
	ChunkPages(ctx context.Context, owner kyro.ID, documents []kyro.ID, page kyro.PageRequest) (map[kyro.ID]kyro.Page[kyro.Chunk], error)
	// Chunks reads chunks of active versions of the owner's live documents, in any order.
	Chunks(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Chunk, error)
	// SetChunkEnabled switches a chunk of an active version of a live document of the owner off or on; NOT_FOUND for any
	// other.
	SetChunkEnabled(ctx context.Context, owner, id kyro.ID, enabled bool) (kyro.Chunk, error)

	// What a worker does. Each write holds only while run is the document's own and the document is live and
	// unfinished; otherwise it changes nothing and answers CONFLICT, and the worker stops.
	DocumentForWork(ctx context.Context, id kyro.ID, run int64) (kyro.Document, error)
	Step(ctx context.Context, id kyro.ID, run int64, step kyro.DocumentStep) (kyro.Document, error)
	// Original reads what the version of a live document is made from, or the last one before it that brought an
	// original of its own, as long as ctx lasts; NOT_FOUND, also in the middle, where none is kept.
	Original(ctx context.Context, id kyro.ID, version int) (io.ReadSeeker, error)
	// SavePrepared stores text, chunks and their search terms of the version being made, in place of what an
	// earlier try left. They are not searchable yet.
	SavePrepared(ctx context.Context, id kyro.ID, run int64, p kyro.Prepared, step kyro.DocumentStep) (kyro.Document, error)
	// HasPrepared reports whether the version being made was prepared in this run or an earlier one.
	HasPrepared(ctx context.Context, id kyro.ID, run int64) (bool, error)
	// Activate makes the prepared version the one that answers use, in one fact; final is READY or
	// READY_WITH_WARNINGS. with says what its vectors were made with and where they are.
	Activate(ctx context.Context, id kyro.ID, run int64, final kyro.DocumentStatus, with string, now time.Time) (kyro.Document, error)

	// VersionChunks reads those chunks of a version that have the indexes, in their order.
	VersionChunks(ctx context.Context, v kyro.IndexedVersion, indexes []int) ([]kyro.Chunk, error)
	// Finds reports whether a search by the terms, which are those of the chunk with the index, finds it in the version.
	Finds(ctx context.Context, v kyro.IndexedVersion, terms []string, index int) (bool, error)
	// CountReused notes how many chunks of the version being made have an embedding already; SavePrepared does so by itself.
	CountReused(ctx context.Context, id kyro.ID, run int64, model string, dims int) (kyro.Document, error)
	// Unprepare has the version being made prepared once more.
	Unprepare(ctx context.Context, id kyro.ID, run int64) error
	// Feed enqueues the work on documents that wait for a place though their owners have one; it says of how many owners.
	Feed(ctx context.Context) (owners int, err error)
	// Overdue gives the jobs of documents behind one that should have theirs in the queue, and of which nothing was heard
	// since then although they do not wait for anything, at most limit, in the order of their keys.
	Overdue(ctx context.Context, since time.Time, after kyro.ID, limit int) ([]kyro.Job, error)
	// EnqueueAgain enqueues the job of a document unless its run is over.
	EnqueueAgain(ctx context.Context, job kyro.Job) (enqueued bool, err error)

	VectorStore
	PageStore
	CrawlStore

	// Purge removes a batch of the rows that a deleted document or its former versions left, the originals of a
	// deleted one among them; done reports that nothing is left.
	Purge(ctx context.Context, id kyro.ID) (done bool, err error)
	// Dead gives the versions that a purge of the document removes the rows of, as an index may have them.
	Dead(ctx context.Context, document kyro.ID) ([]kyro.IndexedVersion, error)
	// Deleted gives those of the documents that were deleted, alone or with their bot, or are not there at all.
	Deleted(ctx context.Context, ids []kyro.ID) ([]kyro.ID, error)
}

// VectorStore keeps the vectors of versions, and what is known of where else they are.
type VectorStore interface {
	// Unembedded gives up to limit chunks of a version, after the chunk index, whose embedding by the model and
	// dimensions is not stored.
	Unembedded(ctx context.Context, v kyro.IndexedVersion, model string, dims, after, limit int) ([]kyro.Chunk, error)
	// CountUnembedded counts them all.
	CountUnembedded(ctx context.Context, v kyro.IndexedVersion, model string, dims int) (int, error)
	// SaveEmbeddings keeps vectors under their chunks' content hashes; those of which no chunk is left are not kept. What
	// they took is counted in the same fact, where somebody is to know.
	SaveEmbeddings(ctx context.Context, model string, dims int, vectors map[string][]float32, used ...kyro.EmbeddingUsage) error
	// VersionVectors gives up to limit stored vectors of a version of a live document, in the order of its chunks,
	// beginning with the chunk index from. Chunks without an embedding by the model are left out.
	VersionVectors(ctx context.Context, v kyro.IndexedVersion, model string, dims, from, limit int) ([]kyro.IndexedVector, error)
	// Indexing is how far a version is on its way to where with says; zero until something was saved, and again once
	// Activate or FinishRefresh said that it is there.
	Indexing(ctx context.Context, v kyro.IndexedVersion, with string) (kyro.Indexing, error)
	SaveIndexing(ctx context.Context, v kyro.IndexedVersion, with string, at kyro.Indexing) error

	// VectorStates gives the live ones of the documents, in any order.
	VectorStates(ctx context.Context, documents []kyro.ID) ([]kyro.VectorState, error)
	// Embedded gives up to limit live documents whose active version's vectors are where with says, after the
	// document, in the order of their ids.
	Embedded(ctx context.Context, with string, after kyro.ID, limit int) ([]kyro.VectorState, error)
	// BeginRefresh enqueues a JobEmbed for up to limit live documents whose active version's vectors are not what with
	// says, once for each and with, as long as there are fewer than most such documents with a job. It says for how many,
	// and whether there may be more that have none.
	BeginRefresh(ctx context.Context, with string, limit, most int) (begun int, more bool, err error)
	// FinishRefresh notes that the vectors of a live document's active version are where with says; CONFLICT where the
	// version is not that any more. The bot's knowledge has grown then.
	FinishRefresh(ctx context.Context, v kyro.IndexedVersion, with string) error
	// EndRefresh lets BeginRefresh enqueue another job for the document, where it still needs one.
	EndRefresh(ctx context.Context, document kyro.ID) error
	// Doubt takes back of the versions what Activate or FinishRefresh said, where that was with and they are still
	// active, so that BeginRefresh finds them.
	Doubt(ctx context.Context, with string, versions []kyro.IndexedVersion) error
}

// Bots reads the owner's live bots, in any order, without those that are not there.
type Bots interface {
	Bots(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Bot, error)
}

// Files keeps files on the disk of this node: those on their way in or out, and originals where the store does not
// keep them.
type Files interface {
	// Receive streams a file to a temporary place while hashing it, and makes sure that it is on the disk;
	// FILE_TOO_LARGE beyond limit bytes, FILE_EMPTY for none, BAD_USER_INPUT where it breaks off. The caller moves
	// it with Place or drops it with Discard.
	Receive(ctx context.Context, r io.Reader, limit int64) (Received, error)
	// Open reads a received file, or any other of which the path is given, from its start and at any place; fs.ErrNotExist
	// where there is none.
	Open(r Received) (File, error)
	// Place moves a received file to where Path says, in place of any that is there, so that it survives a crash.
	Place(r Received, document kyro.ID, version int) error
	// Discard drops a received file; once it has its place this does nothing.
	Discard(r Received)
	// Path is where the original of a version is.
	Path(document kyro.ID, version int) string
	// Latest is where the original of a version is, or that of the last one before it that brought one of its own.
	Latest(document kyro.ID, version int) (path string, found bool)
	// Prune deletes the originals of versions before one of a document, but for the Latest of the version in use.
	Prune(document kyro.ID, inUse, before int) error
	// Remove deletes every file of a document. None is no error.
	Remove(document kyro.ID) error
	// Documents gives the documents whose files were last placed before the time.
	Documents(before time.Time) ([]kyro.ID, error)
}

// File is an open file. Whoever gets it closes it.
type File interface {
	io.ReadSeekCloser
	io.ReaderAt
}

// Received is an upload on disk that has no place yet.
type Received struct {
	Path   string
	Size   int64
	SHA256 string // hex
}

// Extractor reads text out of a file, in a process of its own.
type Extractor interface {
	// Extract answers kyro errors for what a person can mend: UNSUPPORTED_TYPE, FILE_EMPTY, VALIDATION for a
	// corrupt or encrypted file, TIMEOUT, which kyro.ErrNotRun is the cause of where the file is not to blame. An
	// extraction without text is no error. progress is called before Extract returns, never twice at once; it may
	// take a moment.
	Extract(ctx context.Context, original kyro.Original, progress func(done, total int)) (kyro.Extraction, error)
}

// Embedder turns passages into vectors, L2-normalised, one for each text. UPSTREAM_QUOTA, UPSTREAM_FAILED, TIMEOUT and
// UNAVAILABLE are waited out, after the RetryAfter of the error where it has one; VALIDATION refuses a text for good.
type Embedder interface {
	Model() (name string, dims int)
	// EmbedPassages may give vectors together with an error, and nil for the texts that have none: what was made is kept.
	EmbedPassages(ctx context.Context, texts []string) ([][]float32, error)
}

// Index holds vectors outside of the database, a projection of those that are kept there. What it answers is waited out
// as an Embedder's errors are.
type Index interface {
	// Name tells the index from every other one: its name, and how bots are kept apart in it.
	Name() string
	// Upsert puts vectors in, any number of them, in place of those that have their places.
	Upsert(ctx context.Context, vectors []kyro.IndexedVector) error
	// Visible reports whether searches find the version: its first, middle and last vector are there.
	Visible(ctx context.Context, v kyro.IndexedVersion) (bool, error)
	// Remove takes the vectors of a version out. None is no error.
	Remove(ctx context.Context, v kyro.IndexedVersion) error
	// RemoveBot takes everything of a bot out. Nothing is no error.
	RemoveBot(ctx context.Context, bot kyro.ID) error
	// Walk visits the place of everything that is in it, page by page. An error of visit ends it and is given back.
	Walk(ctx context.Context, visit func([]kyro.VectorPlace) error) error
	// RemovePlaces takes vectors out. None is no error.
	RemovePlaces(ctx context.Context, places []kyro.VectorPlace) error
}

// Limiter counts how often things are done.
type Limiter interface {
	// Take counts one more under the key, if the rate allows it, and says so.
	Take(ctx context.Context, key string, rate kyro.Rate) (kyro.Allowance, error)
}

// Progress tells watchers of a document and of its bot about every change.
type Progress interface {
	Publish(ctx context.Context, bot kyro.ID, p kyro.DocumentProgress)
	// Read gives the changes on a topic (a document's id or a bot's id) after the position, waiting for the next
	// where there is none; lost reports that some were dropped and the present state must be read. A position
	// of -1 gives the present end at once.
	Read(ctx context.Context, topic kyro.ID, after int64) (changes []kyro.DocumentProgress, next int64, lost bool, err error)
}
