package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"path"
	"strings"

	"kyrochat/kyro"
	"kyrochat/text"
)

const (
	markdown   = "text/markdown"
	plainText  = "text/plain"
	portable   = "application/pdf"
	noFileName = "Untitled document"
)

// Added is a document that was taken in. Nothing is refused for being there twice, but the owner is told.
type Added struct {
	Document    kyro.Document
	DuplicateOf *kyro.ID // an earlier live document of the bot with the same content
}

// Upload takes in a file for a bot of the viewer and enqueues the work on it. Without a title the file's name
// serves. Once it returns, file and document survive a crash; on any error nothing is left. NOT_FOUND for a bot
// that is not the viewer's, before a byte is read; VALIDATION for the title; FILE_TOO_LARGE, FILE_EMPTY,
// UNSUPPORTED_TYPE for the file; BAD_USER_INPUT where it breaks off; RATE_LIMITED for too many in a short time, before
// a byte is read, too; UNAVAILABLE while the server goes away.
func (s *Service) Upload(ctx context.Context, v kyro.Viewer, botID kyro.ID, title *string, fileName string, r io.Reader) (Added, error) {
	if err := v.MustFor(botID, kyro.KindBot, kyro.ScopeIngest); err != nil {
		return Added{}, err
	}
	if err := s.takesIn(); err != nil {
		return Added{}, err
	}
	fileName = kyro.CleanFileName(text.Normalize(fileName))
	d := kyro.NewDocument{
		BotID: botID, OwnerID: v.UserID, Kind: kyro.DocumentFile, FileName: fileName, Title: titleOf(fileName),
	}
	if title != nil {
		checked, err := checkTitle(*title)
		if err != nil {
			return Added{}, err
		}
		d.Title = checked
	}
	if err := s.ownBot(ctx, v, botID); err != nil {
		return Added{}, err
	}
	if err := s.limit(ctx, v); err != nil {
		return Added{}, err
	}
	return s.takeIn(ctx, v, d, r)
}

// typeOf decides the type of a received file.
func (s *Service) typeOf(r Received, fileName string) (string, error) {
	file, err := s.files.Open(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	return s.sniff(file, r.Size, fileName)
}

// atFile says of an error that a person can mend that it is the file's.
func atFile(err error) error {
	if known, ok := errors.AsType[*kyro.Error](err); ok && known.InPayload() {
		return known.At("file")
	}
	return err
}

// AddText takes in a text for a bot of the viewer and enqueues the work on it. NOT_FOUND for a bot that is not the
// viewer's; VALIDATION for title and text; RATE_LIMITED as for Upload.
func (s *Service) AddText(ctx context.Context, v kyro.Viewer, botID kyro.ID, title, text string) (Added, error) {
	if err := v.MustFor(botID, kyro.KindBot, kyro.ScopeIngest); err != nil {
		return Added{}, err
	}
	if err := s.takesIn(); err != nil {
		return Added{}, err
	}
	title, err := checkTitle(title)
	if err != nil {
		return Added{}, err
	}
	if err := kyro.CheckDocumentText(text, s.limits.MaxTextChars); err != nil {
		return Added{}, err
	}
	if err := s.ownBot(ctx, v, botID); err != nil {
		return Added{}, err
	}
	if err := s.limit(ctx, v); err != nil {
		return Added{}, err
	}
	size, sum := int64(len(text)), sha256.Sum256([]byte(text))
	return s.add(ctx, v, kyro.NewDocument{
		BotID: botID, OwnerID: v.UserID, Kind: kyro.DocumentText, Title: title, MimeType: typeOfText(text),
		SizeBytes: &size, ContentHash: hex.EncodeToString(sum[:]),
	}, strings.NewReader(text), nil)
}

func (s *Service) add(
	ctx context.Context, v kyro.Viewer, d kyro.NewDocument, original io.Reader, place func(kyro.Document) error,
) (Added, error) {
	d.Now = s.time()
	s.placing.RLock()
	stored, duplicate, err := s.store.AddDocument(ctx, d, original, place, v.Entry(kyro.AuditDocumentAdded, kyro.ID{}).Dated(d.Now))
	s.placing.RUnlock()
	if err != nil {
		return Added{}, err
	}
	s.publish(ctx, stored)
	size := int64(0)
	if stored.SizeBytes != nil {
		size = *stored.SizeBytes
	}
	s.log.InfoContext(ctx, "document added", "document", stored.ID.String(), "bot", stored.BotID.String(), "kind", stored.Kind, "type", stored.MimeType, "bytes", size)
	added := Added{Document: stored}
	if !duplicate.IsZero() {
		added.DuplicateOf = &duplicate
	}
	return added, nil
}

// titleOf makes a title of a cleaned file name: without the extension, within the limit of titles.
func titleOf(fileName string) string {
	title := strings.TrimSpace(strings.TrimSuffix(fileName, path.Ext(fileName)))
	if title == "" {
		title = fileName
	}
	return shortTitle(title)
}

// shortTitle cuts what is to be a title to the limit of titles.
func shortTitle(title string) string {
	units := 0
	for i, r := range title {
		if units += kyro.CharCount(string(r)); units > kyro.MaxTitle {
			title = title[:i]
			break
		}
	}
	if title, err := kyro.CheckTitle(title); err == nil {
		return title
	}
	return noFileName
}

// typeOfText tells Markdown from plain text. Read as Markdown, a text with headings is cut and cited by its
// headings; but indented lines would become code and a line of dashes a heading. So only a text that plainly is
// Markdown is read as such: one with a heading, a fence or a table.
func typeOfText(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		hashes := len(line) - len(strings.TrimLeft(line, "#"))
		switch {
		case hashes >= 1 && hashes <= 6 && strings.HasPrefix(line[hashes:], " "),
			strings.HasPrefix(line, "```"), strings.HasPrefix(line, "~~~"), isTableRule(line):
			return markdown
		}
	}
	return plainText
}

// isTableRule reports the line between head and body of a table: |---|:--:|.
func isTableRule(line string) bool {
	return strings.Contains(line, "|") && strings.Contains(line, "---") && strings.Trim(line, "|-: ") == ""
}
