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
	d, original, err := s.newPair(ctx, v, botID, qa)
	if err != nil {
		return Added{}, err
	}
	return s.add(ctx, v, d, bytes.NewReader(original), nil)
}

// AnswerGap takes in a pair that answers a gap of a bot of the viewer, enqueues the work on it, and has the questions of the
// gap asked again once it is ready. The same answer once more adds nothing. Errors as of AddText, and as of Store.AnswerGap.
func (s *Service) AnswerGap(ctx context.Context, v kyro.Viewer, botID kyro.ID, a kyro.GapAnswer) (kyro.Document, error) {
	d, original, err := s.newPair(ctx, v, botID, a.QA)
	if err != nil {
		return kyro.Document{}, err
	}
	d.Now = s.time()
	document, added, err := s.store.AnswerGap(ctx, a.GapID, d, bytes.NewReader(original), v.Entry(kyro.AuditDocumentAdded, kyro.ID{}).Dated(d.Now))
	if err == nil && added {
		s.publish(ctx, document)
		s.log.InfoContext(ctx, "gap answered", "gap", a.GapID.String(), "document", document.ID.String(), "bot", botID.String())
	}
	return document, err
}

// newPair checks a pair, and whether the viewer may add one to the bot now.
func (s *Service) newPair(ctx context.Context, v kyro.Viewer, botID kyro.ID, qa kyro.QA) (d kyro.NewDocument, original []byte, err error) {
	if err := v.MustFor(botID, kyro.KindBot, kyro.ScopeIngest); err != nil {
		return d, nil, err
	}
	if err := s.takesIn(); err != nil {
		return d, nil, err
	}
	if err := qa.Check(); err != nil {
		return d, nil, err
	}
	if err := s.ownBot(ctx, v, botID); err != nil {
		return d, nil, err
	}
	if err := s.limit(ctx, v); err != nil {
		return d, nil, err
	}
	if original, err = json.Marshal(qa); err != nil {
		return d, nil, err
	}
	size, sum := int64(len(original)), sha256.Sum256(original)
	return kyro.NewDocument{
		BotID: botID, OwnerID: v.UserID, Kind: kyro.DocumentQA, Title: cmp.Or(titleOfText(qa.Question), noFileName), MimeType: pair,
		SizeBytes: &size, ContentHash: hex.EncodeToString(sum[:]),
	}, original, nil
}

// titleOfText makes a title of a text: one line, within the limit of titles; "" of nothing that can be read.
func titleOfText(s string) string {
	title, err := checkTitle(shortTitle(strings.Join(strings.Fields(text.Normalize(s)), " ")))
	if err != nil {
		return ""
	}
	return title
}
