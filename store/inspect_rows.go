package store

import (
	"context"
	"fmt"

	"kyrochat/kyro"
)

// rule is something that must not be, as a condition on the rows of a table.
type rule struct {
	check, table, key string
	kind              kyro.Kind
	wrong             string // the condition, on the table itself
	found, mend       string
	repair            []string // statements; %s is where the condition goes
	several           bool     // rows have the same key, maybe very many
}

// orphanRules are about what belongs to something that is not there, where no foreign key sees to it.
var orphanRules = []rule{
	{
		check: "orphans", table: "postings", key: "document_id", kind: kyro.KindDocument,
		wrong: "NOT EXISTS (SELECT 1 FROM documents d WHERE d.id = postings.document_id AND d.bot_id = postings.bot_id)",
		found: "The index of words has entries of documents that are not there.", mend: "They are removed.", repair: []string{"DELETE FROM postings WHERE %s"}, several: true,
	},
	{
		check: "orphans", table: "chunks", key: "id", kind: kyro.KindChunk,
		wrong: "NOT EXISTS (SELECT 1 FROM documents d WHERE d.id = chunks.document_id AND d.bot_id = chunks.bot_id)",
		found: "Passages name another bot than their document does.", mend: "They get that of their document.",
		repair: []string{"UPDATE chunks SET bot_id = (SELECT d.bot_id FROM documents d WHERE d.id = chunks.document_id) WHERE %s" +
			" AND EXISTS (SELECT 1 FROM documents d WHERE d.id = chunks.document_id)"},
	},
	{
		check: "orphans", table: "messages", key: "id", kind: kyro.KindMessage,
		wrong: "NOT EXISTS (SELECT 1 FROM messages q WHERE q.id = messages.turn AND q.conversation_id = messages.conversation_id)",
		found: "Messages belong to a turn that is not there.", mend: "Restore the last backup from before that.",
	},
	{
		check: "orphans", table: "gap_questions", key: "message_id", kind: kyro.KindMessage,
		wrong: "NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = gap_questions.message_id)" +
			" OR NOT EXISTS (SELECT 1 FROM bots b WHERE b.id = gap_questions.bot_id AND b.deleted_at IS NULL)",
		found: "Unanswered questions are noted of messages or bots that are not there.", mend: "They are removed.", repair: []string{"DELETE FROM gap_questions WHERE %s"},
	},
	{
		check: "orphans", table: "rollups", key: "bot_id", kind: kyro.KindBot,
		wrong: "NOT EXISTS (SELECT 1 FROM bots b WHERE b.id = rollups.bot_id)",
		found: "Hours are counted of bots that are not there.", mend: "They are removed.", repair: []string{"DELETE FROM rollups WHERE %s"}, several: true,
	},
	{
		check: "orphans", table: "rollups_due", key: "bot_id", kind: kyro.KindBot,
		wrong: "NOT EXISTS (SELECT 1 FROM bots b WHERE b.id = rollups_due.bot_id)",
		found: "Hours are to be counted of bots that are not there.", mend: "They are removed.", repair: []string{"DELETE FROM rollups_due WHERE %s"}, several: true,
	},
}

// orphanVectors are embeddings of what no passage says any more.
const orphanVectors = "NOT EXISTS (SELECT 1 FROM chunks c WHERE c.content_hash = embeddings.content_hash)"

func (in *inspection) orphans(ctx context.Context) error {
	if err := in.rules(ctx, orphanRules); err != nil {
		return err
	}
	n, hashes, err := keysOf[string](ctx, in.db, "SELECT content_hash FROM embeddings WHERE "+orphanVectors)
	if err != nil || n == 0 {
		return err
	}
	return in.Found(kyro.Finding{
		Check: "orphans", Damage: true, Count: n, Found: "Vectors are kept of texts that no passage has.", Mend: "They are removed.", Repairs: true,
		Most: mostOf(hashes),
	}, mend(in, mending{
		wrong: orphanVectors, key: "content_hash", turn: repairATurn, statements: []string{"DELETE FROM embeddings WHERE %s"}, embeddings: true,
	}, hashes))
}

// counterRules are about counts that are kept beside what they count.
var counterRules = []rule{{
	check: "counters", table: "conversations", key: "id", kind: kyro.KindConversation,
	wrong: "deleted_at IS NULL AND message_count <> (SELECT count(*) FROM messages m WHERE m.conversation_id = conversations.id AND NOT m.superseded)",
	found: "Conversations count other messages than they have.", mend: "They are counted again.",
	repair: []string{"UPDATE conversations SET message_count = (SELECT count(*) FROM messages m WHERE m.conversation_id = conversations.id AND NOT m.superseded) WHERE %s"},
}, {
	check: "counters", table: "documents", key: "id", kind: kyro.KindDocument,
	wrong: "deleted_at IS NULL AND active_version > 0 AND (active_chunks, active_terms) <> (SELECT count(*), coalesce(sum(c.term_count), 0)" +
		" FROM chunks c WHERE c.document_id = documents.id AND c.version = documents.active_version)",
	found: "Documents count other passages than they have.", mend: "They are counted again.",
	repair: []string{
		"UPDATE bots SET knowledge = knowledge + 1 WHERE id IN (SELECT bot_id FROM documents WHERE %s)",
		"UPDATE documents SET active_chunks = (SELECT count(*) FROM chunks c WHERE c.document_id = documents.id AND c.version = documents.active_version)," +
			" active_terms = (SELECT coalesce(sum(c.term_count), 0) FROM chunks c WHERE c.document_id = documents.id AND c.version = documents.active_version) WHERE %s",
	},
}}

func (in *inspection) counters(ctx context.Context) error { return in.rules(ctx, counterRules) }

func (in *inspection) rules(ctx context.Context, rules []rule) error {
	for _, r := range rules {
		n, examples, keys, err := in.ids(ctx, r.kind, fmt.Sprintf("SELECT %s FROM %s WHERE %s", r.key, r.table, r.wrong))
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		var repair func(context.Context) error
		if r.repair != nil {
			turn := repairATurn
			if r.several {
				turn = 1
			}
			repair = mend(in, mending{wrong: r.wrong, key: r.key, turn: turn, statements: r.repair}, keys)
		}
		f := kyro.Finding{Check: r.check, Damage: true, Count: n, Examples: examples, Found: r.found, Mend: r.mend, Repairs: repair != nil, Most: mostOf(keys)}
		if err := in.Found(f, repair); err != nil {
			return err
		}
	}
	return nil
}
