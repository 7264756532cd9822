// Package model holds the inputs, payloads and connections of the contract.
package model

import "kyrochat/kyro"

// Connections and their edges are pages of nouns and their rows.
type (
	AuditEntryConnection           = kyro.Page[kyro.AuditEntry]
	AuditEntryEdge                 = kyro.Edge[kyro.AuditEntry]
	BotConnection                  = kyro.Page[kyro.Bot]
	BotEdge                        = kyro.Edge[kyro.Bot]
	ChunkConnection                = kyro.Page[kyro.Chunk]
	ChunkEdge                      = kyro.Edge[kyro.Chunk]
	ConversationConnection         = kyro.Page[kyro.Conversation]
	ConversationEdge               = kyro.Edge[kyro.Conversation]
	CrawlConnection                = kyro.Page[kyro.Crawl]
	CrawlPageConnection            = kyro.Page[kyro.CrawlPage]
	KnowledgeGapConnection         = kyro.Page[kyro.Gap]
	KnowledgeGapQuestionConnection = kyro.Page[kyro.GapQuestion]
	DocumentConnection             = kyro.Page[kyro.Document]
	CrawlEdge                      = kyro.Edge[kyro.Crawl]
	KnowledgeGapEdge               = kyro.Edge[kyro.Gap]
	KnowledgeGapQuestionEdge       = kyro.Edge[kyro.GapQuestion]
	CrawlPageEdge                  = kyro.Edge[kyro.CrawlPage]
	DocumentEdge                   = kyro.Edge[kyro.Document]
	MessageConnection              = kyro.Page[kyro.Message]
	MessageEdge                    = kyro.Edge[kyro.Message]
)
