package store_test

import (
	"slices"
	"testing"

	"kyrochat/kyro"
)

// TestWhatIsStaleAndWhatIsNobodys: of the chunks that an index names, the live ones of this bot pass, those that are not
// live are known for what they are, and those of another bot and of deleted documents are not there.
func TestWhatIsStaleAndWhatIsNobodys(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		renewed := k.ready(t, "one", "old")
		deleted := k.ready(t, "two", "deleted")
		k.ready(t, "three", "off", "on")
		k.prepare(t, k.add(t, "four"), "not yet")
		k.other(t).ready(t, "five", "foreign")
		var all []kyro.ID
		id := func(text string) kyro.ID { return k.chunk(t, text) }
		renewed = k.renew(t, renewed)
		k.prepare(t, renewed, "new")
		for _, text := range []string{"old", "new", "deleted", "off", "on", "not yet", "foreign"} {
			all = append(all, id(text))
		}
		k.activate(t, renewed)
		k.exec(t, "UPDATE chunks SET enabled = FALSE WHERE text = 'off'")
		_, err := k.store.DeleteDocument(t.Context(), k.owner, deleted.ID, k.tick())
		check(t, err)
		all = append(all, kyro.ChunkID(1<<40))

		live, err := k.store.LiveChunks(t.Context(), k.bot, all)
		check(t, err)
		slices.SortFunc(live, func(a, b kyro.ID) int { return int(a.Key - b.Key) })
		want := []kyro.ID{id("on"), id("new")}
		slices.SortFunc(want, func(a, b kyro.ID) int { return int(a.Key - b.Key) })
		expect(t, "live", live, want)
		passages, err := k.store.Passages(t.Context(), k.bot, all)
		check(t, err)
		expect(t, "passages", len(passages), len(live))
		for _, p := range passages {
			if !slices.Contains(live, p.Chunk.ID) {
				t.Errorf("%q is a passage", p.Chunk.Text)
			}
		}
		stale, err := k.store.StaleChunks(t.Context(), k.bot, all)
		check(t, err)
		var texts []string
		for _, c := range stale {
			texts = append(texts, c.Text)
			if c.DocumentID.IsZero() || c.BotID != k.bot {
				t.Errorf("%+v", c)
			}
		}
		slices.Sort(texts)
		expect(t, "stale", texts, []string{"not yet", "off", "old"})

		live, err = k.store.LiveChunks(t.Context(), k.bot, nil)
		check(t, err)
		stale, err = k.store.StaleChunks(t.Context(), k.bot, nil)
		check(t, err)
		expect(t, "of nothing", len(live)+len(stale), 0)
	})
}

// chunk gives the chunk of the text, whatever has become of it.
func (k *knowledge) chunk(t testing.TB, text string) kyro.ID {
	t.Helper()
	var key int64
	var err error
	if query := "SELECT id FROM chunks WHERE text = "; k.pools.Postgres() {
		err = k.pools.Pgx.QueryRow(t.Context(), query+"$1", text).Scan(&key)
	} else {
		err = k.pools.SQLite.QueryRowContext(t.Context(), query+"?", text).Scan(&key)
	}
	check(t, err)
	return kyro.ChunkID(key)
}
