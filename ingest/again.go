package ingest

import (
	"context"

	"kyrochat/kyro"
)

// Cut says how a document is to be cut into chunks: in tokens; nil is the server's default.
type Cut struct {
	ChunkTokens, OverlapTokens kyro.Opt[int]
}

// Reprocess reads a document of the viewer again, and cuts it as cut says. Answers use the version there is until the new
// one is ready. VALIDATION for the sizes; CONFLICT while it is worked on.
func (s *Service) Reprocess(ctx context.Context, v kyro.Viewer, id kyro.ID, cut Cut) (kyro.Document, error) {
	return kyro.Document{}, unbuilt()
}

// Result is what became of one document of several: an error is about it alone.
type Result struct {
	ID       kyro.ID
	Document *kyro.Document
	Err      error
}

// RetryAll is Retry for up to 100 documents. An error is about all of them.
func (s *Service) RetryAll(ctx context.Context, v kyro.Viewer, ids []kyro.ID) ([]Result, error) {
	return nil, unbuilt()
}

// DeleteAll is Delete for up to 100 documents. An error is about all of them.
func (s *Service) DeleteAll(ctx context.Context, v kyro.Viewer, ids []kyro.ID) ([]Result, error) {
	return nil, unbuilt()
}

// SetChunkEnabled says whether answers may use a chunk of the version in use of a document of the viewer.
func (s *Service) SetChunkEnabled(ctx context.Context, v kyro.Viewer, id kyro.ID, enabled bool) (kyro.Chunk, error) {
	return kyro.Chunk{}, unbuilt()
}

func unbuilt() error { return kyro.Errorf(kyro.CodeUnavailable, "This is not there yet.") }
