package ingest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"kyrochat/kyro"
	"kyrochat/text"
)

// pair is the type of the original of a question with its answer, as the extractor names it.
const pair = "application/vnd.kyrochat.qa+json"

// AddQA takes in a question with its answer for a bot of the viewer and enqueues the work on it. The question is the title.
// Errors as of AddText.
func (s *Service) AddQA(ctx context.Context, v kyro.Viewer, botID kyro.ID, qa kyro.QA) (Added, error) {
	if err := v.MustFor(botID, kyro.KindBot, kyro.ScopeIngest); err != nil {
		return Added{}, err
	}
	if err := s.takesIn(); err != nil {
		return Added{}, err
	}
	if err := qa.Check(); err != nil {
		return Added{}, err
	}
	if err := s.ownBot(ctx, v, botID); err != nil {
		return Added{}, err
	}
	if err := s.limit(ctx, v); err != nil {
		return Added{}, err
	}
	original, err := json.Marshal(qa)
	if err != nil {
		return Added{}, err
	}
	size, sum := int64(len(original)), sha256.Sum256(original)
	return s.add(ctx, v, kyro.NewDocument{
		BotID: botID, OwnerID: v.UserID, Kind: kyro.DocumentQA, Title: cmp.Or(titleOfText(qa.Question), noFileName), MimeType: pair,
		SizeBytes: &size, ContentHash: hex.EncodeToString(sum[:]),
	}, bytes.NewReader(original), nil)
}

// titleOfText makes a title of a text: one line, within the limit of titles; "" of nothing that can be read.
func titleOfText(s string) string {
	title, err := checkTitle(shortTitle(strings.Join(strings.Fields(text.Normalize(s)), " ")))
	if err != nil {
		return ""
	}
	return title
}
