package store

import (
	"context"
	"database/sql"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxStatements is how many statements of SQLite stay prepared. The server's own clients need some dozen; others could
// ask for thousands, since the columns of a statement are those that were selected.
const maxStatements = 256

// statements are those of SQLite that were prepared, of which those used last are kept.
type statements struct {
	mu   sync.Mutex
	kept *simplelru.LRU[string, *statement]
}

type statement struct {
	*sql.Stmt
	users int
	gone  bool // no longer kept: the last user closes it
}

// take gives the statement of a text, to be released after use.
func (s *statements) take(ctx context.Context, db *sql.DB, text string) (*statement, error) {
	if known := s.find(text); known != nil {
		return known, nil
	}
	prepared, err := db.PrepareContext(ctx, text) // others need not wait for it
	if err != nil {
		return nil, err
	}
	return s.keep(text, &statement{Stmt: prepared, users: 1}), nil
}

func (s *statements) find(text string) *statement {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		return nil
	}
	known, found := s.kept.Get(text)
	if !found {
		return nil
	}
	known.users++
	return known
}

func (s *statements) keep(text string, fresh *statement) *statement {
	var unused *statement
	defer func() {
		if unused != nil {
			_ = unused.Close() // which may wait for a connection, so that nobody may wait for it
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept, _ = simplelru.NewLRU[string, *statement](maxStatements, nil) // fails for sizes below 1 only
	}
	if known, found := s.kept.Peek(text); found { // somebody was as fast
		known.users++
		unused = fresh
		return known
	}
	if s.kept.Len() == maxStatements {
		_, oldest, _ := s.kept.RemoveOldest()
		if oldest.gone = true; oldest.users == 0 {
			unused = oldest
		}
	}
	s.kept.Add(text, fresh)
	return fresh
}

func (s *statements) release(used *statement) {
	s.mu.Lock()
	used.users--
	last := used.gone && used.users == 0
	s.mu.Unlock()
	if last {
		_ = used.Close()
	}
}
