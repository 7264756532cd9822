package ingest

import (
	"context"

	"kyrochat/kyro"
)

// NewSlot is a file that will be sent.
type NewSlot struct {
	FileName  string
	SizeBytes *int64
	Title     *string
}

// CreateSlot makes a place to send a file for a bot of the viewer to.
func (s *Service) CreateSlot(ctx context.Context, v kyro.Viewer, botID kyro.ID, n NewSlot) (kyro.UploadSlot, error) {
	return kyro.UploadSlot{}, unbuilt()
}

// Slots reads upload slots of the viewer, in any order, and leaves out what is not the viewer's.
func (s *Service) Slots(ctx context.Context, v kyro.Viewer, ids []kyro.ID) ([]kyro.UploadSlot, error) {
	return nil, unbuilt()
}
