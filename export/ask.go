package export

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"kyrochat/kyro"
)

// Asked is which conversations are wanted, and as what.
type Asked struct {
	BotID    kyro.ID
	Format   kyro.ExportFormat
	From, To *time.Time // messages that were created in between; nil: no bound
}

// Conversations begins an export of the viewer's conversations with a bot of theirs. Where the same is under way already, it
// gives that. Persons only: VALIDATION, LIMIT_REACHED, RATE_LIMITED, NOT_FOUND.
func (s *Service) Conversations(ctx context.Context, v kyro.Viewer, asked Asked) (kyro.Export, error) {
	if err := v.MustBePersonFor(asked.BotID, kyro.KindBot); err != nil {
		return kyro.Export{}, err
	}
	return s.start(ctx, v, kyro.Export{
		BotID: asked.BotID, Kind: kyro.ExportConversations, Format: asked.Format, From: moment(asked.From), To: moment(asked.To),
	})
}

// MyData begins an export of everything that is kept of the viewer. Persons only: LIMIT_REACHED, RATE_LIMITED.
func (s *Service) MyData(ctx context.Context, v kyro.Viewer) (kyro.Export, error) {
	if err := v.MustBePerson(); err != nil {
		return kyro.Export{}, err
	}
	return s.start(ctx, v, kyro.Export{Kind: kyro.ExportMyData, Format: kyro.ExportZIP})
}

func moment(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	m := kyro.Moment(*t)
	return &m
}

func (s *Service) start(ctx context.Context, v kyro.Viewer, e kyro.Export) (kyro.Export, error) {
	e.OwnerID, e.Status, e.CreatedAt = v.UserID, kyro.ExportQueued, s.time()
	e.UpdatedAt, e.ExpiresAt = e.CreatedAt, e.CreatedAt.Add(s.TTL)
	if err := e.Check(); err != nil {
		return kyro.Export{}, err
	}
	if err := s.limit(ctx, v); err != nil {
		return kyro.Export{}, err
	}
	deed := v.Entry(kyro.AuditExportRequested, kyro.ID{}).Dated(e.CreatedAt)
	deed.Detail = string(e.Kind)
	return s.Store.StartExport(ctx, e, kyro.MaxExports, deed)
}

// limit counts an export that the viewer asks for: RATE_LIMITED for one too many.
func (s *Service) limit(ctx context.Context, v kyro.Viewer) error {
	if s.Limiter == nil || s.Rate.Unlimited() {
		return nil
	}
	allowance, err := s.Limiter.Take(ctx, "exports "+v.UserID.String(), s.Rate)
	if err != nil {
		return fmt.Errorf("count an export: %w", err)
	}
	if !allowance.Allowed {
		return allowance.Refusal("exports")
	}
	return nil
}

// Export reads one export of the viewer. Persons only; NOT_FOUND.
func (s *Service) Export(ctx context.Context, v kyro.Viewer, id kyro.ID) (kyro.Export, error) {
	if err := v.MustBePersonFor(id, kyro.KindExport); err != nil {
		return kyro.Export{}, err
	}
	rows, err := s.Exports(ctx, v, []kyro.ID{id})
	return kyro.One(rows, err, kyro.KindExport)
}

// Exports reads exports of the viewer in any order and leaves out what is not the viewer's. Persons only.
func (s *Service) Exports(ctx context.Context, v kyro.Viewer, ids []kyro.ID) ([]kyro.Export, error) {
	if err := v.MustBePerson(); err != nil {
		return nil, err
	}
	rows, err := s.Store.Exports(ctx, v.UserID, ids, s.time())
	return slices.DeleteFunc(rows, func(e kyro.Export) bool { return !e.ReadableBy(v) }), err
}

// List gives the viewer's exports, newest first, at most kyro.MaxExportsListed. Persons only.
func (s *Service) List(ctx context.Context, v kyro.Viewer) ([]kyro.Export, error) {
	if err := v.MustBePerson(); err != nil {
		return nil, err
	}
	return s.Store.ExportsOf(ctx, v.UserID, s.time())
}

// Delete takes an export of the viewer away, also while it is being made; its file goes a moment later. Persons only;
// NOT_FOUND.
func (s *Service) Delete(ctx context.Context, v kyro.Viewer, id kyro.ID) error {
	if err := v.MustBePersonFor(id, kyro.KindExport); err != nil {
		return err
	}
	now := s.time()
	return s.Store.DeleteExport(ctx, v.UserID, id, now, v.Entry(kyro.AuditExportDeleted, kyro.ID{}).Dated(now))
}

// lookEvery is how often a watch looks at the row: how far an export is is noted once a second.
const lookEvery = 500 * time.Millisecond

// Watch gives the present state of an export of the viewer, then every change, and ends after a final state. Persons only;
// NOT_FOUND, also once it was deleted. It ends silently with ctx.
func (s *Service) Watch(ctx context.Context, v kyro.Viewer, id kyro.ID) iter.Seq2[kyro.Export, error] {
	return func(yield func(kyro.Export, error) bool) {
		var told time.Time
		for first := true; ; first = false {
			e, err := s.Export(ctx, v, id)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil && (first || kyro.ErrorCode(err) == kyro.CodeNotFound):
				yield(kyro.Export{}, err)
				return
			case err != nil: // the next look may be better
			case first || !e.UpdatedAt.Equal(told) || e.Status.Final():
				told = e.UpdatedAt
				if !yield(e, nil) || e.Status.Final() {
					return
				}
			}
			select {
			case <-time.After(lookEvery):
			case <-ctx.Done():
				return
			}
		}
	}
}
