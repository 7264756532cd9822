package ingest

import (
	"context"

	"kyrochat/kyro"
)

// AddURL takes in a page for a bot of the viewer and enqueues the work on it.
func (s *Service) AddURL(ctx context.Context, v kyro.Viewer, botID kyro.ID, url string, title *string) (Added, error) {
	return Added{}, unbuilt()
}

// Resync looks at the page of a document of the viewer again.
func (s *Service) Resync(ctx context.Context, v kyro.Viewer, id kyro.ID) (kyro.Document, error) {
	return kyro.Document{}, unbuilt()
}

// SetSync has the page of a document of the viewer looked at every so many hours; nil: not by itself.
func (s *Service) SetSync(ctx context.Context, v kyro.Viewer, id kyro.ID, hours *int) (kyro.Document, error) {
	return kyro.Document{}, unbuilt()
}
