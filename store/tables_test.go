package store

import "testing"

// Traces have the names of tables of a statement, and nothing else of it.
func TestTablesOfStatements(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`SELECT "m"."id" FROM "messages" AS "m" WHERE "m"."text" = 'kept FROM secrets'`:         "messages",
		"INSERT INTO citations (id) VALUES ('UPDATE canary INTO canary')":                       "citations",
		"SELECT m.id FROM messages AS m\n\tJOIN conversations AS c ON c.id = m.conversation_id": "messages, conversations",
		`WITH x AS (SELECT 1 FROM documents) UPDATE "documents" SET title = 'x'`:                "documents",
		"SELECT pg_advisory_xact_lock(1)":                                                       "",
		"COMMIT":                                                                                "",
	} {
		if got := tablesOf([]string{text}); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if got := tablesOf([]string{"BEGIN", "SELECT 1 FROM bots", "INSERT INTO messages", "DELETE FROM bots"}); got != "bots, messages" {
		t.Errorf("of several: %q", got)
	}
}
