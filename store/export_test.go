package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// Write lets tests run a transaction of their own.
func (s *Store) Write(ctx context.Context, fn func(ctx context.Context, tx bun.Tx) error) error {
	return s.write(ctx, "test", func(ctx context.Context, tx *writeTx) error { return fn(ctx, tx.Tx) })
}

// AuditBatch is how many lines a check of the audit log holds at once.
const AuditBatch = auditBatch

// SetClock puts a clock in the place of the one that leases go by; nil is that of the PostgreSQL server.
func (s *Store) SetClock(clock func() time.Time) { s.clock = clock }

// Read gives the database for reads.
func (s *Store) Read() bun.IDB { return s.read() }

// IsUniqueViolation shows what counts as one.
var IsUniqueViolation = isUniqueViolation

// DocumentPage is the page of one bot.
func (s *Store) DocumentPage(ctx context.Context, owner, bot kyro.ID, filter kyro.DocumentFilter, req kyro.PageRequest) (kyro.Page[kyro.Document], error) {
	pages, err := s.DocumentPages(ctx, owner, []kyro.ID{bot}, filter, req)
	return pages[bot], err
}

// ChunkPage is the page of one document.
func (s *Store) ChunkPage(ctx context.Context, owner, document kyro.ID, req kyro.PageRequest) (kyro.Page[kyro.Chunk], error) {
	pages, err := s.ChunkPages(ctx, owner, []kyro.ID{document}, req)
	return pages[document], err
}

// DocumentText is a slice of the text of one document.
func (s *Store) DocumentText(ctx context.Context, owner, document kyro.ID, start, length int) (slice string, found bool, err error) {
	texts, err := s.DocumentTexts(ctx, owner, []kyro.ID{document}, start, length)
	slice, found = texts[document]
	return slice, found, err
}

// MessagePage is the page of one conversation.
func (s *Store) MessagePage(ctx context.Context, user, conversation kyro.ID, superseded bool, req kyro.PageRequest) (kyro.Page[kyro.Message], error) {
	pages, err := s.MessagePages(ctx, user, []kyro.ID{conversation}, superseded, req)
	return pages[conversation], err
}

// MaxStatements is how many statements of SQLite stay prepared.
const MaxStatements = maxStatements

// Prepared is how many statements of SQLite are prepared.
func (p *Pools) Prepared() int {
	p.statements.mu.Lock()
	defer p.statements.mu.Unlock()
	return p.statements.kept.Len()
}
