package ingest

import (
	"context"
	"slices"

	"kyrochat/kyro"
)

// MaxTextSlice is the most of a document's text that is read at once, in UTF-16 units.
const MaxTextSlice = 262_144

// Documents reads documents of the viewer, in any order, and leaves out what is not the viewer's.
func (s *Service) Documents(ctx context.Context, v kyro.Viewer, ids []kyro.ID) ([]kyro.Document, error) {
	if err := v.Must(kyro.ScopeRead, kyro.ScopeIngest); err != nil {
		return nil, err
	}
	documents, err := s.heads.Read(ctx, v.UserID, ids, s.store.Documents)
	return slices.DeleteFunc(documents, func(d kyro.Document) bool { return !d.ReadableBy(v) }), err
}

// Document reads one document of the viewer, or NOT_FOUND.
func (s *Service) Document(ctx context.Context, v kyro.Viewer, id kyro.ID) (kyro.Document, error) {
	if err := v.MustFor(id, kyro.KindDocument, kyro.ScopeRead, kyro.ScopeIngest); err != nil {
		return kyro.Document{}, err
	}
	documents, err := s.Documents(ctx, v, []kyro.ID{id})
	return kyro.One(documents, err, kyro.KindDocument)
}

// List lists the documents of each bot, newest first; none for a bot that is not the viewer's.
func (s *Service) List(
	ctx context.Context, v kyro.Viewer, bots []kyro.ID, filter kyro.DocumentFilter, page kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.Document], error) {
	if err := v.Must(kyro.ScopeRead, kyro.ScopeIngest); err != nil {
		return nil, err
	}
	return s.store.DocumentPages(ctx, v.UserID, bots, filter, page)
}

// Chunks reads chunks of the viewer's documents, in any order, and leaves out what is not the viewer's or not of a
// version in use.
func (s *Service) Chunks(ctx context.Context, v kyro.Viewer, ids []kyro.ID) ([]kyro.Chunk, error) {
	if err := v.Must(kyro.ScopeRead, kyro.ScopeIngest); err != nil {
		return nil, err
	}
	return s.store.Chunks(ctx, v.UserID, ids)
}

// ChunkList lists the chunks of the version in use of each document, in reading order; none for a document that is
// not the viewer's.
func (s *Service) ChunkList(
	ctx context.Context, v kyro.Viewer, documents []kyro.ID, page kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.Chunk], error) {
	if err := v.Must(kyro.ScopeRead, kyro.ScopeIngest); err != nil {
		return nil, err
	}
	return s.store.ChunkPages(ctx, v.UserID, documents, page)
}

// Texts reads a slice of the stored text of each document of the viewer: start and length count UTF-16 units, length is 1 to
// MaxTextSlice, and a slice beyond the end is empty. What is not the viewer's, or has no text yet, is left out.
// BAD_USER_INPUT for figures out of range; RESPONSE_TOO_LARGE for more than the budget of ctx.
func (s *Service) Texts(ctx context.Context, v kyro.Viewer, ids []kyro.ID, start, length int) (map[kyro.ID]string, error) {
	if err := v.Must(kyro.ScopeRead, kyro.ScopeIngest); err != nil {
		return nil, err
	}
	if start < 0 {
		return nil, kyro.Errorf(kyro.CodeBadUserInput, "start must not be negative.")
	}
	if length < 1 || length > MaxTextSlice {
		return nil, kyro.Errorf(kyro.CodeBadUserInput, "length must be between 1 and %d.", MaxTextSlice)
	}
	return s.store.DocumentTexts(ctx, v.UserID, ids, start, length)
}
