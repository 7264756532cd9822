package kyro_test

import (
	"testing"

	"kyrochat/kyro"
)

func TestWhatADocumentHoldsInAnIndex(t *testing.T) {
	t.Parallel()
	bot, document := kyro.BotID(1), kyro.DocumentID(2)
	state := kyro.VectorState{BotID: bot, DocumentID: document, Version: 5, ActiveVersion: 3, Chunks: 10}
	for name, test := range map[string]struct {
		place kyro.VectorPlace
		want  bool
	}{
		"active":                      {kyro.VectorPlace{BotID: bot, DocumentID: document, Version: 3, Index: 9}, true},
		"beyond the active one's end": {kyro.VectorPlace{BotID: bot, DocumentID: document, Version: 3, Index: 10}, false},
		"no index":                    {kyro.VectorPlace{BotID: bot, DocumentID: document, Version: 3, Index: -1}, false},
		"former":                      {kyro.VectorPlace{BotID: bot, DocumentID: document, Version: 2}, false},
		"given up for a later one":    {kyro.VectorPlace{BotID: bot, DocumentID: document, Version: 4}, false},
		"being made":                  {kyro.VectorPlace{BotID: bot, DocumentID: document, Version: 5, Index: 4000}, true},
		"begun since":                 {kyro.VectorPlace{BotID: bot, DocumentID: document, Version: 6}, true},
		"of another bot":              {kyro.VectorPlace{BotID: kyro.BotID(9), DocumentID: document, Version: 3}, false},
		"of another document":         {kyro.VectorPlace{BotID: bot, DocumentID: kyro.DocumentID(9), Version: 3}, false},
	} {
		if got := state.Holds(test.place); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
	if want := (kyro.IndexedVersion{BotID: bot, DocumentID: document, Version: 3, Chunks: 10}); state.Active() != want {
		t.Errorf("active: %+v", state.Active())
	}
}
