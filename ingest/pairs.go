package ingest

import (
	"context"

	"kyrochat/kyro"
)

// AddQA takes in a question with its answer for a bot of the viewer and enqueues the work on it. Errors as of AddText.
func (s *Service) AddQA(ctx context.Context, v kyro.Viewer, botID kyro.ID, qa kyro.QA) (Added, error) {
	return Added{}, unbuilt()
}
