package resolvers

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"kyrochat/kyro"
)

// below is a context of a field that is selected of what the field of ctx leads to.
func below(ctx context.Context, name string) context.Context {
	return graphql.WithFieldContext(ctx, &graphql.FieldContext{Field: graphql.CollectedField{Field: &ast.Field{Name: name, Alias: name}}})
}

// bots are rows with the keys.
func bots(keys ...int64) []kyro.Bot {
	var rows []kyro.Bot
	for _, key := range keys {
		rows = append(rows, kyro.Bot{ID: kyro.BotID(key), OwnerID: kyro.UserID(key)})
	}
	return rows
}

// TestRowsOfAnotherListAreNotAskedAbout: what costs little, a long list without anything below beside a short one with
// much, must not read as much as both with everything.
func TestRowsOfAnotherListAreNotAskedAbout(t *testing.T) {
	t.Parallel()
	root := new(Root).withLoaders(t.Context())
	l := from(root)
	long, short := below(root, "long"), below(root, "short")
	l.level.bots.add(long, bots(1, 2, 3))
	l.level.bots.add(short, bots(8, 9))
	var asked [][]kyro.ID
	talks := children[kyro.Bot, kyro.Conversation]{
		name: "conversations", parents: &l.level.bots, parentID: (*kyro.Bot).NodeID, rows: &l.level.conversations,
		read: func(_ context.Context, parents []kyro.ID) (map[kyro.ID]kyro.Page[kyro.Conversation], error) {
			asked = append(asked, parents)
			return nil, nil
		},
	}
	under := below(short, "conversations")
	for _, bot := range bots(8, 9) {
		if _, err := page(under, talks, bot.ID); err != nil {
			t.Fatal(err)
		}
	}
	if want := []kyro.ID{kyro.BotID(8), kyro.BotID(9)}; len(asked) != 1 || !slices.Equal(asked[0], want) {
		t.Errorf("asked for %v, not once for %v", asked, want)
	}
}

// TestRowsReachedTwiceAreParentsTwice: bots that two lists of conversations lead to are read once, and the lists below
// them in one statement for each place.
func TestRowsReachedTwiceAreParentsTwice(t *testing.T) {
	t.Parallel()
	root := new(Root).withLoaders(t.Context())
	l := from(root)
	reads, lists := 0, 0
	l.bots = byID(kyro.Viewer{}, func(_ context.Context, _ kyro.Viewer, ids []kyro.ID) ([]kyro.Bot, error) {
		reads++
		return bots(1, 2, 3), nil
	}, (*kyro.Bot).NodeID, &l.level.bots).anew()
	talks := []kyro.Conversation{{ID: kyro.ConversationID(1), BotID: kyro.BotID(1)}, {ID: kyro.ConversationID(2), BotID: kyro.BotID(2)}, {ID: kyro.ConversationID(3), BotID: kyro.BotID(3)}}
	for _, name := range []string{"one", "other"} {
		list := below(root, name)
		l.level.conversations.add(list, talks)
		bot := below(list, "bot")
		documents := below(bot, "documents")
		for _, talk := range talks {
			found, err := follow(bot, conversationBot, talk.BotID)
			if err != nil || found == nil || found.ID != talk.BotID {
				t.Fatalf("%v, %v", found, err)
			}
			_, err = page(documents, children[kyro.Bot, kyro.Document]{
				name: "documents", parents: &l.level.bots, parentID: (*kyro.Bot).NodeID, rows: &l.level.documents,
				read: func(context.Context, []kyro.ID) (map[kyro.ID]kyro.Page[kyro.Document], error) {
					lists++
					return nil, nil
				},
			}, talk.BotID)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if reads != 1 || lists != 2 {
		t.Errorf("bots were read %d times, and lists below them %d times", reads, lists)
	}
}

// TestRowsThatCouldNotBeReadAreNotMissing: where a read failed for one field, another field that leads to the same rows
// does not say that they are not there.
func TestRowsThatCouldNotBeReadAreNotMissing(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	users := byID(kyro.Viewer{}, func(context.Context, kyro.Viewer, []kyro.ID) ([]kyro.User, error) { return nil, away },
		(*kyro.User).NodeID, &level[kyro.User]{})
	if err := users.prime(t.Context(), []kyro.ID{kyro.UserID(1), kyro.UserID(2)}); !errors.Is(err, away) {
		t.Fatal(err)
	}
	if row, err := load(t.Context(), users, kyro.UserID(1)); row != nil || !errors.Is(err, away) {
		t.Errorf("%v, %v", row, err)
	}
}

// TestTextsOfAListAreReadAtOnce: a field that is a value of each document takes one read for all of them, and each gets its own.
func TestTextsOfAListAreReadAtOnce(t *testing.T) {
	t.Parallel()
	root := new(Root).withLoaders(t.Context())
	l := from(root)
	list := below(root, "documents")
	var documents []kyro.Document
	for key := range int64(3) {
		documents = append(documents, kyro.Document{ID: kyro.DocumentID(key + 1)})
	}
	l.level.documents.add(list, documents)
	reads := 0
	read := func(_ context.Context, ids []kyro.ID) (map[kyro.ID]*string, error) {
		reads++
		texts := map[kyro.ID]*string{}
		for _, id := range ids[:2] { // the last one has none yet
			text := id.String()
			texts[id] = &text
		}
		return texts, nil
	}
	ctx := below(list, "text")
	for i, d := range documents {
		text, err := belowEach(ctx, "text", []any{0, 9}, l.documentLevel(), (*kyro.Document).NodeID, read, d.ID)
		if err != nil || (text == nil) != (i == 2) || text != nil && *text != d.ID.String() {
			t.Errorf("the text of %s is %v (%v)", d.ID, text, err)
		}
	}
	if reads != 1 {
		t.Errorf("%d reads for one list", reads)
	}
}

// Tokens of a year are more than fit into the whole numbers of GraphQL.
func TestManyTokensAreTold(t *testing.T) {
	const many = 3_000_000_000
	f := kyro.NewFigures()
	f.AddTokens("m", kyro.Tokens{Prompt: many, Output: many + 1})
	var of figureFields
	prompt, _ := of.PromptTokens(t.Context(), f)
	output, _ := of.OutputTokens(t.Context(), f)
	total, _ := of.TotalTokens(t.Context(), f)
	models, _ := of.ByModel(t.Context(), f)
	if prompt != float64(many) || output != float64(many+1) || total != float64(2*many+1) ||
		len(models) != 1 || models[0].PromptTokens != prompt || models[0].OutputTokens != output {
		t.Errorf("%v and %v are %v; %+v", prompt, output, total, models)
	}
}
