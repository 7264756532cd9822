package store

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"

	"kyrochat/migrations"
)

// tablesOf names the tables that the beginnings of statements speak of, each once. Only tables of the schema are named: what
// else stands where one could be may be a value.
func tablesOf(texts []string) string {
	var tables []string
	for _, text := range texts {
		for _, found := range afterWhich.FindAllStringSubmatch(text[:min(len(text), mostLooked)], -1) {
			if name := found[1]; knownTables()[name] && !slices.Contains(tables, name) {
				tables = append(tables, name)
			}
		}
	}
	return strings.Join(tables, ", ")
}

// mostLooked is how many bytes of a text are looked at, for it may have a document in it.
const mostLooked = 4 << 10

var (
	afterWhich = regexp.MustCompile(`\b(?:FROM|JOIN|INTO|UPDATE)\s+"?([a-z_]+)`)
	creates    = regexp.MustCompile(`CREATE TABLE (?:IF NOT EXISTS )?([a-z_]+)`)
)

// knownTables are those that the migrations make.
var knownTables = sync.OnceValue(func() map[string]bool {
	tables := map[string]bool{}
	names, err := fs.Glob(migrations.Files, "*.up.sql")
	for _, name := range names {
		var text []byte
		if text, err = migrations.Files.ReadFile(name); err != nil {
			break
		}
		for _, made := range creates.FindAllSubmatch(text, -1) {
			tables[string(made[1])] = true
		}
	}
	if err != nil {
		panic(fmt.Errorf("read the migrations, which are in the binary: %w", err))
	}
	return tables
})
