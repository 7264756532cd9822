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
// one is ready. VALIDATION for the sizes; CONFLICT while it is worked on; RATE_LIMITED as for Upload.
func (s *Service) Reprocess(ctx context.Context, v kyro.Viewer, id kyro.ID, cut Cut) (kyro.Document, error) {
	if err := v.MustFor(id, kyro.KindDocument, kyro.ScopeIngest); err != nil {
		return kyro.Document{}, err
	}
	if err := s.takesIn(); err != nil {
		return kyro.Document{}, err
	}
	if err := cut.check(); err != nil {
		return kyro.Document{}, err
	}
	if err := s.limit(ctx, v); err != nil {
		return kyro.Document{}, err
	}
	d, err := s.store.BeginRun(ctx, v.UserID, id, kyro.NewRun{
		Cause: kyro.RunReprocessed, ChunkTokens: given(cut.ChunkTokens), OverlapTokens: given(cut.OverlapTokens), Now: s.time(),
	})
	if err != nil {
		s.heads.Forget(v.UserID, id) // an error may hide that it was stored
		return kyro.Document{}, err
	}
	s.publish(ctx, d)
	return d, nil
}

// check checks the sizes.
func (c Cut) check() error {
	asked := kyro.Document{ChunkTokens: c.ChunkTokens.Value, OverlapTokens: c.OverlapTokens.Value}
	if n := asked.ChunkSize(); n < kyro.MinChunkTokens || n > kyro.MaxChunkTokens {
		return kyro.Invalid("chunkTokens", "chunkTokens must be between %d and %d.", kyro.MinChunkTokens, kyro.MaxChunkTokens)
	}
	if n, most := asked.ChunkOverlap(), asked.ChunkSize()/2; n < 0 || n > most {
		return kyro.Invalid("overlapTokens", "overlapTokens must be between 0 and %d, half of chunkTokens.", most)
	}
	return nil
}

// given is a size as it was asked for: one that was left out is the default, too.
func given(size kyro.Opt[int]) kyro.Opt[int] { return kyro.Opt[int]{Set: true, Value: size.Value} }

// SetChunkEnabled says whether answers may use a chunk of the version in use of a document of the viewer. It holds once it
// returns. NOT_FOUND for any other chunk.
func (s *Service) SetChunkEnabled(ctx context.Context, v kyro.Viewer, id kyro.ID, enabled bool) (kyro.Chunk, error) {
	if err := v.MustFor(id, kyro.KindChunk, kyro.ScopeIngest); err != nil {
		return kyro.Chunk{}, err
	}
	return s.store.SetChunkEnabled(ctx, v.UserID, id, enabled)
}
