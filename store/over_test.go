package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"kyrochat/kyro"
)

// reading are reads of one thing each.
type reading = map[string]func(ctx context.Context) error

// readings ask for what there is of a bot with a document, its owner, and the rest of the installation.
func readings(w *world, user, bot, document kyro.ID) reading {
	version := kyro.IndexedVersion{BotID: bot, DocumentID: document, Version: 1}
	chunk, conversation, gap, crawl := []kyro.ID{kyro.ChunkID(1)}, kyro.ConversationID(1), kyro.GapID(1), kyro.CrawlID(1)
	span := kyro.Span{From: start, To: start.Add(time.Hour)}
	terms := []string{"tea", "steep"}
	none := func(kyro.ChunkVector) error { return nil }
	return reading{
		"accounts": func(ctx context.Context) error {
			_, err := w.Accounts(ctx, kyro.AccountQuery{Limit: 1}, start)
			return err
		},
		"remains":       func(ctx context.Context) error { _, err := w.Remains(ctx, user); return err },
		"audit lines":   func(ctx context.Context) error { _, err := w.AuditLines(ctx, kyro.AuditQuery{Limit: 1}); return err },
		"budgets":       func(ctx context.Context) error { _, err := w.Budgets(ctx, user, []kyro.ID{bot}, start); return err },
		"figures":       func(ctx context.Context) error { _, err := w.Figures(ctx, bot, []kyro.Span{span}); return err },
		"cited":         func(ctx context.Context) error { _, err := w.Cited(ctx, bot, span); return err },
		"roll up":       func(ctx context.Context) error { _, err := w.RollUp(ctx, start); return err },
		"gap counts":    func(ctx context.Context) error { _, err := w.GapCounts(ctx, user, bot, span, 1); return err },
		"gap questions": func(ctx context.Context) error { _, err := w.GapQuestionsToEmbed(ctx, bot, "m", 1); return err },
		"checked gap":   func(ctx context.Context) error { _, _, err := w.CheckedGap(ctx, gap, 1); return err },
		"dead versions": func(ctx context.Context) error { _, err := w.Dead(ctx, document); return err },
		"due pages":     func(ctx context.Context) error { _, err := w.DueSyncs(ctx, start, 1, 1); return err },
		"ended credentials": func(ctx context.Context) error {
			_, err := w.EndedCredentials(ctx, []kyro.ID{kyro.SessionID(1)}, start)
			return err
		},
		"finds":           func(ctx context.Context) error { _, err := w.Finds(ctx, version, terms, 0); return err },
		"how far indexed": func(ctx context.Context) error { _, err := w.Indexing(ctx, version, "m"); return err },
		"languages":       func(ctx context.Context) error { _, err := w.Languages(ctx, bot); return err },
		"last messages": func(ctx context.Context) error {
			_, err := w.LastMessages(ctx, user, []kyro.ID{conversation})
			return err
		},
		"changed messages": func(ctx context.Context) error {
			_, err := w.ChangedMessages(ctx, user, conversation, 0, 9, 1)
			return err
		},
		"siblings": func(ctx context.Context) error {
			_, err := w.Siblings(ctx, user, []kyro.ID{kyro.MessageID(1)})
			return err
		},
		"live chunks":        func(ctx context.Context) error { _, err := w.LiveChunks(ctx, bot, chunk); return err },
		"passages":           func(ctx context.Context) error { _, err := w.Passages(ctx, bot, chunk); return err },
		"stale chunks":       func(ctx context.Context) error { _, err := w.StaleChunks(ctx, bot, chunk); return err },
		"chunks to embed":    func(ctx context.Context) error { _, err := w.Unembedded(ctx, version, "m", 8, -1, 1); return err },
		"chunks":             func(ctx context.Context) error { _, err := w.VersionChunks(ctx, version, []int{0}); return err },
		"vectors":            func(ctx context.Context) error { _, err := w.VersionVectors(ctx, version, "m", 8, 0, 1); return err },
		"vectors of the bot": func(ctx context.Context) error { return w.BotVectors(ctx, bot, "m", 8, none) },
		"states of vectors":  func(ctx context.Context) error { _, err := w.VectorStates(ctx, []kyro.ID{document}); return err },
		"words":              func(ctx context.Context) error { _, err := w.SearchWords(ctx, bot, terms, 1); return err },
		"next page":          func(ctx context.Context) error { _, _, _, err := w.NextPage(ctx, crawl, start); return err },
		"old crawls":         func(ctx context.Context) error { _, err := w.SweepCrawls(ctx, start); return err },
		"overdue documents":  func(ctx context.Context) error { _, err := w.Overdue(ctx, start, kyro.ID{}, 1); return err },
		"same text":          func(ctx context.Context) error { _, _, err := w.SameText(ctx, bot, document, "h"); return err },
		"slots":              func(ctx context.Context) error { _, err := w.Slots(ctx, user, []kyro.ID{kyro.UploadID(1)}); return err },
		"unknown slots": func(ctx context.Context) error {
			_, err := w.UnknownSlots(ctx, []kyro.ID{kyro.UploadID(1)})
			return err
		},
		"unknown exports": func(ctx context.Context) error {
			_, err := w.UnknownExports(ctx, []kyro.ID{kyro.ExportID(1)})
			return err
		},
		"unknown objects": func(ctx context.Context) error { _, err := w.UnknownObjects(ctx, []string{"1/1"}); return err },
		"live keys":       func(ctx context.Context) error { _, err := w.LiveKeyNames(ctx, user, start); return err },
	}
}

// TestReadsWhoseTimeIsOver: nothing is told for nothing where a read could not be made, and the same read finds its way afterwards.
func TestReadsWhoseTimeIsOver(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user := w.user(t)
		bot := w.bot(t, user, "One", start)
		w.document(t, bot, user, 1)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		for name, read := range readings(w, user, bot, kyro.DocumentID(1)) {
			if err := read(over); err == nil {
				t.Errorf("%s: no error where the time is over", name)
			}
			if err := read(t.Context()); err != nil && kyro.ErrorCode(err) == kyro.CodeInternal {
				t.Errorf("%s: %v", name, err)
			}
		}
		left, err := w.Remains(t.Context(), user)
		if want := (kyro.Remains{Account: true, Bots: 1, Documents: 1}); err != nil || left != want {
			t.Errorf("of the account is left %+v, %v", left, err)
		}
		if left, err := w.Remains(t.Context(), kyro.UserID(99999)); err != nil || left != (kyro.Remains{}) {
			t.Errorf("of nobody is left %+v, %v", left, err)
		}
	})
}

// TestNothingIsAskedForNothing: a list of none is read without the database.
func TestNothingIsAskedForNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user := w.user(t)
		w.statements.Store(0)
		ctx := t.Context()
		keys, err1 := w.APIKeys(ctx, user, nil)
		sessions, err2 := w.SessionsByID(ctx, user, nil, start, start)
		exports, err3 := w.Exports(ctx, user, nil, start)
		slots, err4 := w.Slots(ctx, user, nil)
		files, err5 := w.UnknownExports(ctx, nil)
		objects, err6 := w.UnknownObjects(ctx, nil)
		budgets, err7 := w.Budgets(ctx, user, nil, start)
		usage, err8 := w.Usage(ctx, user, nil, kyro.UsageRange{}, false)
		if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8); err != nil {
			t.Fatal(err)
		}
		if n := len(keys) + len(sessions) + len(exports) + len(slots) + len(files) + len(objects) + len(budgets) + len(usage); n != 0 || w.statements.Load() != 0 {
			t.Errorf("there are %d of none, read by %d statements", n, w.statements.Load())
		}
	})
}
