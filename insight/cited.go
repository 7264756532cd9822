package insight

import (
	"context"

	"kyrochat/kyro"
)

// TopDocuments gives the documents of the viewer's bot that most final answers of the span cite, most first, up to first of
// them: 1 to 100. Those that are deleted since are among them, by their titles. Errors: BAD_USER_INPUT, NOT_FOUND.
func (s *Service) TopDocuments(ctx context.Context, v kyro.Viewer, bot kyro.ID, span kyro.Span, first int) ([]kyro.CitedDocument, error) {
	cited, err := s.mostCited(ctx, v, bot, span, first)
	if err != nil {
		return nil, err
	}
	return s.store.CitedDocuments(ctx, kyro.Top(cited.Documents, first))
}

// TopPassages is TopDocuments for passages.
func (s *Service) TopPassages(ctx context.Context, v kyro.Viewer, bot kyro.ID, span kyro.Span, first int) ([]kyro.CitedPassage, error) {
	cited, err := s.mostCited(ctx, v, bot, span, first)
	if err != nil {
		return nil, err
	}
	return s.store.CitedPassages(ctx, kyro.Top(cited.Passages, first))
}

func (s *Service) mostCited(ctx context.Context, v kyro.Viewer, bot kyro.ID, span kyro.Span, first int) (*kyro.Cited, error) {
	if err := s.mustOwn(ctx, v, bot); err != nil {
		return nil, err
	}
	if first < 1 || first > kyro.MaxPageSize {
		return nil, kyro.Errorf(kyro.CodeBadUserInput, "first must be between 1 and %d.", kyro.MaxPageSize)
	}
	return s.store.Cited(ctx, bot, span)
}

// UnusedDocuments lists the documents of the viewer's bot that are ready and that no final answer of the span cites, oldest
// first. Errors: NOT_FOUND.
func (s *Service) UnusedDocuments(
	ctx context.Context, v kyro.Viewer, bot kyro.ID, span kyro.Span, req kyro.PageRequest,
) (kyro.Page[kyro.Document], error) {
	if err := s.mustOwn(ctx, v, bot); err != nil {
		return kyro.Page[kyro.Document]{}, err
	}
	cited, err := s.store.Cited(ctx, bot, span)
	if err != nil {
		return kyro.Page[kyro.Document]{}, err
	}
	return s.store.UnusedDocuments(ctx, v.UserID, bot, cited.DocumentKeys(), req)
}
