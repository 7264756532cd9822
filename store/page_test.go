package store_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"kyrochat/kyro"
	"kyrochat/text"
)

// Times that differ in how many digits their fraction has, with equal ones among them.
var fractions = []time.Duration{
	0, 1_000, 500_000_000, 500_000, 120_000_000, 123_000_000, 123_456_000, 123_456_000, 999_999_000, time.Second, time.Second + 100_000,
}

// listed is what a list must contain, in its order, as ids.
func follow(t *testing.T, want []kyro.ID, size int, get func(kyro.PageRequest) (ids []kyro.ID, cursors []string, next, previous bool, total int)) {
	t.Helper()
	for _, backward := range []bool{false, true} {
		var got []kyro.ID
		req := kyro.PageRequest{Limit: size, Backward: backward, Total: true}
		for range len(want) + 2 {
			ids, cursors, next, previous, total := get(req)
			ahead, behind := next, previous
			if backward {
				ahead, behind = previous, next
			}
			if total != len(want) {
				t.Fatalf("total %d, want %d", total, len(want))
			}
			if behind != (len(got) > 0) || ahead != (len(got)+len(ids) < len(want)) {
				t.Fatalf("size %d, backward %v: after %d of %d rows and %d more: next %v, previous %v", size, backward, len(got), len(want), len(ids), next, previous)
			}
			end := ""
			if backward {
				got = append(slices.Clone(ids), got...)
				end = cursors[0]
			} else {
				got = append(got, ids...)
				end = cursors[len(cursors)-1]
			}
			if !ahead {
				break
			}
			cursor, err := kyro.ParseCursor(end)
			fine(t, err)
			req.Cursor = &cursor
		}
		if !slices.Equal(got, want) {
			t.Fatalf("size %d, backward %v:\ngot  %v\nwant %v", size, backward, got, want)
		}
	}
}

func flat[T any](t *testing.T, p kyro.Page[T], err error, id func(T) kyro.ID) (ids []kyro.ID, cursors []string, next, previous bool, total int) {
	t.Helper()
	fine(t, err)
	for _, e := range p.Edges() {
		ids, cursors = append(ids, id(*e.Node())), append(cursors, e.Cursor())
	}
	return ids, cursors, p.HasNextPage, p.HasPreviousPage, p.Total
}

func TestEveryRowIsOnOnePage(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		owner, other := w.user(t), w.user(t)
		names := []string{"alpha", "Alpha", "ALPHA", "Éclair", "eclair", "zebra", "Ünder", "10%", "日本", "a b", "A_B"}
		random := rand.New(rand.NewPCG(1, 2))
		var bots []kyro.Bot
		for range 23 {
			b := kyro.NewBot(owner, start.Add(fractions[random.IntN(len(fractions))]))
			b.Name = names[random.IntN(len(names))]
			made, err := w.CreateBot(t.Context(), *b)
			fine(t, err)
			bots = append(bots, made)
			w.bot(t, other, b.Name, b.CreatedAt)
		}
		keys := make(map[kyro.ID]string)
		for _, b := range bots {
			keys[b.ID] = text.Fold(b.Name)
		}
		for _, by := range []kyro.BotOrderField{kyro.BotsByCreation, kyro.BotsByName} {
			for _, direction := range []kyro.Direction{kyro.Asc, kyro.Desc} {
				slices.SortFunc(bots, func(a, b kyro.Bot) int {
					c := a.CreatedAt.Compare(b.CreatedAt)
					if by == kyro.BotsByName {
						c = cmp.Compare(keys[a.ID], keys[b.ID])
					}
					if c = cmp.Or(c, cmp.Compare(a.ID.Key, b.ID.Key)); direction == kyro.Desc {
						return -c
					}
					return c
				})
				want := make([]kyro.ID, len(bots))
				for i, b := range bots {
					want[i] = b.ID
				}
				for _, size := range []int{1, 2, 5, 22, 23, 100} {
					follow(t, want, size, func(req kyro.PageRequest) ([]kyro.ID, []string, bool, bool, int) {
						order := kyro.BotOrder{By: by, Direction: direction}
						req.Order = order.Name()
						p, err := w.BotPage(t.Context(), owner, kyro.BotFilter{}, order, req)
						return flat(t, p, err, func(b kyro.Bot) kyro.ID { return b.ID })
					})
				}
			}
		}
	})
}

func TestPagingGoesOnWhereACursorsRowIsGone(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		owner := w.user(t)
		var ids []kyro.ID
		for i := range 6 {
			ids = append(ids, w.bot(t, owner, fmt.Sprint("b", i), start.Add(fractions[i])))
		}
		slices.SortFunc(ids, func(a, b kyro.ID) int {
			return cmp.Or(cmp.Compare(fractions[a.Key-ids[0].Key], fractions[b.Key-ids[0].Key]), cmp.Compare(a.Key, b.Key))
		})
		order := kyro.BotOrder{By: kyro.BotsByCreation, Direction: kyro.Asc}
		get := func(backward bool, cursor *kyro.Cursor, limit int) kyro.Page[kyro.Bot] {
			p, err := w.BotPage(t.Context(), owner, kyro.BotFilter{}, order, kyro.PageRequest{Order: order.Name(), Limit: limit, Backward: backward, Cursor: cursor})
			fine(t, err)
			return p
		}
		all := get(false, nil, 10)
		cursors := make([]*kyro.Cursor, len(all.Nodes))
		for i, e := range all.Edges() {
			c, err := kyro.ParseCursor(e.Cursor())
			fine(t, err)
			cursors[i] = &c
		}
		remove := func(i int) { fine(t, w.DeleteBot(t.Context(), owner, all.Nodes[i].ID, start)) }
		check := func(what string, p kyro.Page[kyro.Bot], rows int, next, previous bool) {
			t.Helper()
			if len(p.Nodes) != rows || p.HasNextPage != next || p.HasPreviousPage != previous {
				t.Errorf("%s: %d rows, next %v, previous %v; want %d, %v, %v", what, len(p.Nodes), p.HasNextPage, p.HasPreviousPage, rows, next, previous)
			}
		}
		check("after the last", get(false, cursors[5], 2), 0, false, true)
		check("before the first", get(true, cursors[0], 2), 0, true, false)
		remove(3)
		check("after a gone row", get(false, cursors[3], 5), 2, false, true)
		check("before a gone row", get(true, cursors[3], 5), 3, true, false)
		check("some before a gone row", get(true, cursors[3], 2), 2, true, true)
		remove(0)
		check("after the gone first", get(false, cursors[0], 2), 2, true, false)
		remove(5)
		check("before the gone last", get(true, cursors[5], 2), 2, false, true)
		check("after the gone last", get(false, cursors[5], 2), 0, false, true)
		for _, i := range []int{1, 2, 4} {
			remove(i)
		}
		check("after a row of an empty list", get(false, cursors[3], 2), 0, false, false)
		check("before a row of an empty list", get(true, cursors[3], 2), 0, false, false)
	})
}

func TestARowThatMovedIsListedAgain(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		order := kyro.ConversationOrder{By: kyro.ConversationsByLastMessage, Direction: kyro.Asc}
		get := func(cursor *kyro.Cursor) kyro.Page[kyro.Conversation] {
			p, err := w.ConversationPage(t.Context(), user, kyro.ConversationFilter{}, order, kyro.PageRequest{Order: order.Name(), Limit: 5, Cursor: cursor})
			fine(t, err)
			return p
		}
		cursor, err := kyro.ParseCursor(get(nil).CursorAt(0))
		fine(t, err)
		if p := get(&cursor); len(p.Nodes) != 0 || !p.HasPreviousPage {
			t.Errorf("before it moved: %+v", p)
		}
		_, err = w.SaveTurn(t.Context(), kyro.NewTurn{SenderID: user, ConversationID: id, Text: "x", ClientMessageID: "x", Now: start.Add(time.Minute)})
		fine(t, err)
		if p := get(&cursor); len(p.Nodes) != 1 || p.HasPreviousPage || p.HasNextPage {
			t.Errorf("after it moved: %+v", p)
		}
	})
}

func TestForgedCursorsAreBadInput(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		owner := w.user(t)
		for by, value := range map[kyro.BotOrderField]string{kyro.BotsByCreation: "'; DROP TABLE bots", kyro.BotsByName: "a\x00"} {
			order := kyro.BotOrder{By: by, Direction: kyro.Asc}
			_, err := w.BotPage(t.Context(), owner, kyro.BotFilter{}, order, kyro.PageRequest{
				Order: order.Name(), Limit: 5, Cursor: &kyro.Cursor{Order: order.Name(), Value: value, Key: 1},
			})
			wantCode(t, err, kyro.CodeBadUserInput)
		}
	})
}

func TestPagesCountOnlyWhatWasAsked(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		owner := w.user(t)
		for i := range 5 {
			w.bot(t, owner, fmt.Sprint("b", i), start)
		}
		order := kyro.BotOrder{By: kyro.BotsByCreation, Direction: kyro.Desc}
		get := func(req kyro.PageRequest) (kyro.Page[kyro.Bot], int64) {
			before := w.statements.Load()
			req.Order, req.Limit = order.Name(), 2
			p, err := w.BotPage(t.Context(), owner, kyro.BotFilter{}, order, req)
			fine(t, err)
			return p, w.statements.Load() - before
		}
		p, statements := get(kyro.PageRequest{})
		if statements != 1 || p.Total != 0 {
			t.Errorf("a page took %d statements and counted %d", statements, p.Total)
		}
		cursor, err := kyro.ParseCursor(p.CursorAt(1))
		fine(t, err)
		if _, statements = get(kyro.PageRequest{Cursor: &cursor}); statements != 1 {
			t.Errorf("a page after a row that is there took %d statements", statements)
		}
		if p, statements = get(kyro.PageRequest{Cursor: &cursor, Total: true}); statements != 2 || p.Total != 5 {
			t.Errorf("a counted page took %d statements and counted %d", statements, p.Total)
		}
	})
}

func TestSearchTakesWildcardsAsLetters(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		owner := w.user(t)
		for _, name := range []string{"100% sure", "100 sure", "a_b", "aXb", `back\slash`, "it's", "Éclair", "Straße"} {
			w.bot(t, owner, name, start)
		}
		for search, want := range map[string]int{
			"": 8, "%": 1, "0% S": 1, "_": 1, `\`: 1, "'": 1, "SURE": 2, "ÉCLAIR": 1, "eclair": 1, "nothing": 0, "%%": 0, "?": 0, "strasse": 1,
		} {
			p, err := w.BotPage(t.Context(), owner, kyro.BotFilter{Search: search}, kyro.BotOrder{By: kyro.BotsByName, Direction: kyro.Asc}, kyro.PageRequest{Limit: 50, Total: true})
			fine(t, err)
			if len(p.Nodes) != want || p.Total != want {
				t.Errorf("%q found %d (%d), want %d", search, len(p.Nodes), p.Total, want)
			}
		}
	})
}
