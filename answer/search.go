package answer

import (
	"context"
	"strings"
	"unicode/utf8"

	"kyrochat/kyro"
	"kyrochat/text"
)

// maxQueryChars is the longest query of a search, in UTF-16 code units: as long as a message may be by default.
const maxQueryChars = 8_000

// Search gives what would be found for a question of 1 to 8,000 characters, best first, up to first of it: 1 to
// kyro.MaxSearchHits, or kyro.DefaultSearchHits where it is nil. It is the search of answers, and says of each hit
// whether an answer would get it. Only the bot's owner may; for others the bot is not there. BAD_USER_INPUT for a query
// or number out of its limits.
func (s *Service) Search(ctx context.Context, viewer kyro.Viewer, bot kyro.ID, query string, first *int) ([]kyro.SearchHit, error) {
	if err := viewer.MustFor(bot, kyro.KindBot, kyro.ScopeRead); err != nil {
		return nil, err
	}
	query, limit, err := checkSearch(query, first)
	if err != nil {
		return nil, err
	}
	bots, err := s.cfg.Store.Bots(ctx, viewer.UserID, []kyro.ID{bot})
	found, err := kyro.One(bots, err, kyro.KindBot)
	if err != nil {
		return nil, err
	}
	if !found.OwnedBy(viewer) {
		return nil, kyro.NotFound(kyro.KindBot)
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Limits.AnswerFirstByte) // as long as an answer's retrieval gets
	defer cancel()
	return s.cfg.Retriever.Search(ctx, found, query, limit)
}

func checkSearch(query string, first *int) (string, int, error) {
	wrong := func(message string, args ...any) (string, int, error) {
		return "", 0, kyro.Errorf(kyro.CodeBadUserInput, message, args...)
	}
	limit := kyro.DefaultSearchHits
	if first != nil {
		limit = *first
	}
	if limit < 1 || limit > kyro.MaxSearchHits {
		return wrong("first must be between 1 and %d.", kyro.MaxSearchHits)
	}
	if !utf8.ValidString(query) {
		return wrong("The query is not valid text.")
	}
	query = text.Normalize(query)
	switch n := kyro.CharCount(query); {
	case strings.TrimSpace(query) == "":
		return wrong("The query must not be empty.")
	case n > maxQueryChars:
		return wrong("The query must have at most %d characters; this has %d.", maxQueryChars, n)
	}
	return query, limit, nil
}
