package kyro

import (
	"strconv"
	"strings"
)

// Kind says which noun an ID belongs to. Its value is the prefix a client sees.
type Kind string

// The kinds that have ids.
const (
	KindUser         Kind = "user"
	KindSession      Kind = "session"
	KindAPIKey       Kind = "key"
	KindAudit        Kind = "audit"
	KindBot          Kind = "bot"
	KindDocument     Kind = "doc"
	KindChunk        Kind = "chunk"
	KindConversation Kind = "conv"
	KindMessage      Kind = "msg"
	KindCrawl        Kind = "crawl"
	KindUpload       Kind = "upload"
	KindExport       Kind = "export"
	KindGap          Kind = "gap"
)

var kinds = map[Kind]string{
	KindUser: "User", KindSession: "Session", KindAPIKey: "ApiKey", KindAudit: "AuditEntry", KindBot: "Bot", KindDocument: "Document",
	KindChunk: "Chunk", KindConversation: "Conversation", KindMessage: "Message", KindCrawl: "Crawl",
	KindUpload: "UploadSlot", KindGap: "KnowledgeGap", KindExport: "Export",
}

// Noun is the name of the kind as the contract writes it, such as "Bot".
func (k Kind) Noun() string { return kinds[k] }

// ID names one row: its kind and its 64-bit key. The text form is readable and typed, such as bot_42.
// The zero ID names nothing.
type ID struct {
	Kind Kind
	Key  int64
}

// UserID is the ID of the user with the key.
func UserID(key int64) ID { return ID{KindUser, key} }

// SessionID is the ID of the session with the key.
func SessionID(key int64) ID { return ID{KindSession, key} }

// APIKeyID is the ID of the API key with the key.
func APIKeyID(key int64) ID { return ID{KindAPIKey, key} }

// AuditID is the ID of the line of the audit log with the key.
func AuditID(key int64) ID { return ID{KindAudit, key} }

// BotID is the ID of the bot with the key.
func BotID(key int64) ID { return ID{KindBot, key} }

// DocumentID is the ID of the document with the key.
func DocumentID(key int64) ID { return ID{KindDocument, key} }

// ChunkID is the ID of the chunk with the key.
func ChunkID(key int64) ID { return ID{KindChunk, key} }

// ConversationID is the ID of the conversation with the key.
func ConversationID(key int64) ID { return ID{KindConversation, key} }

// MessageID is the ID of the message with the key.
func MessageID(key int64) ID { return ID{KindMessage, key} }

// CrawlID is the ID of the crawl with the key.
func CrawlID(key int64) ID { return ID{KindCrawl, key} }

// UploadID is the ID of the upload slot with the key.
func UploadID(key int64) ID { return ID{KindUpload, key} }

// ExportID is the ID of the export with the key.
func ExportID(key int64) ID { return ID{KindExport, key} }

// GapID is the ID of the gap with the key.
func GapID(key int64) ID { return ID{KindGap, key} }

// IsZero reports whether the ID names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// String is the form clients see: kind, underscore, key.
func (id ID) String() string {
	return string(id.AppendTo(make([]byte, 0, 24)))
}

// AppendTo appends what String gives. What ReadID could not read stays as it came.
func (id ID) AppendTo(to []byte) []byte {
	switch {
	case id.IsZero():
		return to
	case id.Key == unread:
		return append(to, id.Kind...)
	}
	return strconv.AppendInt(append(append(to, id.Kind...), '_'), id.Key, 10)
}

// ReadID reads what a client gave for an id. A text that is no id gives an ID that Check and Expect refuse: only
// there is it known which kind was asked for, so only there can the client be told.
func ReadID(s string) ID {
	id, err := ParseID(s)
	if err != nil {
		id = ID{Kind: Kind(s), Key: unread}
	}
	return id
}

// unread is the key of an ID that could not be read: no row has it, and it is not that of the zero ID.
const unread = -1

// ParseID reads the text form. It accepts exactly what String writes (no sign, no leading zero, key of at least 1)
// and answers BAD_USER_INPUT for anything else.
func ParseID(s string) (ID, error) {
	prefix, digits, found := strings.Cut(s, "_")
	kind := Kind(prefix)
	if !found || kinds[kind] == "" || digits == "" || digits[0] < '1' || digits[0] > '9' {
		return ID{}, malformedID(s)
	}
	key, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return ID{}, malformedID(s)
	}
	return ID{kind, key}, nil
}

func malformedID(s string) error {
	return Errorf(CodeBadUserInput, "%s is not an id: ids look like bot_42.", quoteShort(s))
}

// Check answers BAD_USER_INPUT for what ReadID could not read.
func (id ID) Check() error {
	if id.Key > 0 {
		return nil
	}
	return malformedID(string(id.Kind))
}

// Expect answers BAD_USER_INPUT, naming the kind that was expected, when the ID is of another kind or none at all.
func (id ID) Expect(kind Kind) error {
	if id.Key <= 0 {
		return Errorf(CodeBadUserInput,
			"%s is not the id of %s: expected one that begins with %s_.", quoteShort(string(id.Kind)), kind.article(), kind)
	}
	if id.Kind == kind {
		return nil
	}
	return Errorf(CodeBadUserInput, "%s is not the id of %s: expected one that begins with %s_.", id, kind.article(), kind)
}

// article is the noun with its article: a User, an ApiKey.
func (k Kind) article() string {
	if noun := k.Noun(); strings.ContainsRune("AEIO", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + k.Noun()
}

// quoteShort quotes what a client sent, cut to a length that cannot flood an answer or a log.
func quoteShort(s string) string {
	const limit = 40
	cut := 0
	for i := range s {
		if cut == limit {
			return strconv.Quote(s[:i]) + "…"
		}
		cut++
	}
	return strconv.Quote(s)
}

// Node is any noun with an ID.
type Node interface{ NodeID() ID }
