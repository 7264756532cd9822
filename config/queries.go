package config

import (
	"os"

	"kyrochat/transport"
)

// readQueries reads which GraphQL documents are taken.
func (r *reader) readQueries(c *Config) {
	d := transport.DefaultDocumentLimits()
	q := &c.Queries
	*q = transport.DocumentOptions{
		Open: !c.Production,
		Limits: transport.DocumentLimits{
			Bytes:         r.integer("KYRO_QUERY_MAX_BYTES", d.Bytes, 1, 1<<20),
			Tokens:        r.integer("KYRO_QUERY_MAX_TOKENS", d.Tokens, 1, 1_000_000),
			Depth:         r.integer("KYRO_QUERY_MAX_DEPTH", d.Depth, 1, 1000),
			Fields:        r.integer("KYRO_QUERY_MAX_FIELDS", d.Fields, 1, 100_000),
			Aliases:       r.integer("KYRO_QUERY_MAX_ALIASES", d.Aliases, 0, 100_000),
			Directives:    r.integer("KYRO_QUERY_MAX_DIRECTIVES", d.Directives, 0, 100_000),
			RootFields:    r.integer("KYRO_QUERY_MAX_ROOT_FIELDS", d.RootFields, 1, 100_000),
			Mutations:     r.integer("KYRO_QUERY_MAX_MUTATIONS", d.Mutations, 1, 1000),
			AuthMutations: r.integer("KYRO_QUERY_MAX_AUTH_MUTATIONS", d.AuthMutations, 1, 1000),
			Complexity:    r.integer("KYRO_QUERY_MAX_COMPLEXITY", d.Complexity, 1, 1_000_000_000),
			VariableDepth: r.integer("KYRO_QUERY_MAX_VARIABLE_DEPTH", d.VariableDepth, 1, 1000),
			VariableItems: r.integer("KYRO_QUERY_MAX_VARIABLE_ITEMS", d.VariableItems, 1, 100_000),
		},
		TrustedOnly: r.choice("KYRO_TRUSTED_ONLY", "false", "true", "false") == "true",
	}
	path := r.text("KYRO_TRUSTED_DOCUMENTS", "")
	if path == "" {
		if q.TrustedOnly {
			r.wrong("KYRO_TRUSTED_ONLY", "needs a manifest in KYRO_TRUSTED_DOCUMENTS")
		}
		return
	}
	manifest, err := os.ReadFile(path)
	if err == nil {
		q.Trusted, err = transport.ReadManifest(manifest)
	}
	if err != nil {
		r.wrong("KYRO_TRUSTED_DOCUMENTS", "cannot be used: %v", err)
	}
}
