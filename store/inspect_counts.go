package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// gaps compares what gaps count with their questions.
func (in *inspection) gaps(ctx context.Context) error {
	const sums = "(SELECT count(*) FROM gap_questions q WHERE q.gap_id = gaps.id%s)"
	wrong := "held IS NULL AND (questions <> " + fmt.Sprintf(sums, "") + " OR unanswered <> " + fmt.Sprintf(sums, " AND q.verdict <> 'ANSWERED'") +
		" OR not_found <> " + fmt.Sprintf(sums, " AND q.not_found") + " OR rated_down <> " + fmt.Sprintf(sums, " AND q.rated_down") +
		" OR people <> (SELECT count(DISTINCT q.sender_id) FROM gap_questions q WHERE q.gap_id = gaps.id))"
	n, examples, list, err := in.ids(ctx, kyro.KindGap, "SELECT id FROM gaps WHERE "+wrong+" ORDER BY id")
	if err != nil || n == 0 {
		return err
	}
	return in.Found(kyro.Finding{
		Check: "counters", Damage: true, Count: n, Examples: examples, Found: "Gaps count other questions than they have.", Mend: "They are counted again.",
		Repairs: true, Most: mostOf(list),
	}, func(ctx context.Context) error {
		for _, gap := range list {
			err := in.s.write(ctx, "count a gap again", func(ctx context.Context, tx *writeTx) error {
				var bot []int64
				if err := tx.NewSelect().Table("gaps").Column("bot_id").Where("id = ?", gap).Scan(ctx, &bot); err != nil || len(bot) == 0 {
					return err
				}
				if err := tx.lockGaps(ctx, bot[0]); err != nil {
					return err
				}
				_, err := tx.refreshGap(ctx, gap, "")
				return notFound(err, kyro.KindGap)
			})
			if err != nil && kyro.ErrorCode(err) != kyro.CodeNotFound {
				return err
			}
		}
		return nil
	})
}

// heldSums is what is held of a period of a budget.
type heldSums struct{ messages, tokens, cost int64 }

// held compares what is held of budgets with the answers, and the questions of gaps, that it is held for.
func (in *inspection) held(ctx context.Context) error {
	wrong, err := heldWrongly(ctx, in.db, "")
	if err != nil || len(wrong) == 0 {
		return err
	}
	var examples []string
	for _, w := range kyro.Examples(wrong) {
		examples = append(examples, fmt.Sprintf("period %d", w.id))
	}
	return in.Found(kyro.Finding{
		Check: "counters", Damage: true, Count: len(wrong), Examples: examples, Found: "Budgets hold something for answers that do not hold it, or the other way round.",
		Mend: "What is held is counted again.", Repairs: true,
	}, func(ctx context.Context) error {
		for some := range slices.Chunk(wrong, repairATurn) {
			err := in.s.write(ctx, "hold what is held", func(ctx context.Context, tx *writeTx) error {
				ids := convert(some, func(w *heldOf) int64 { return w.id })
				if tx.pg != nil { // whoever begins or ends an answer has the row of its budget; what they did is seen by what follows
					if _, err := tx.ExecContext(ctx, "SELECT 1 FROM spendings WHERE id IN (?) ORDER BY scope, target_id, period FOR UPDATE", list(ids)); err != nil {
						return err
					}
				}
				still, err := heldWrongly(ctx, tx, " WHERE id IN (?)", list(ids))
				if err != nil {
					return err
				}
				for _, w := range still {
					_, err := tx.NewUpdate().Table("spendings").Set("held_messages = ?", w.want.messages).Set("held_tokens = ?", w.want.tokens).
						Set("held_cost = ?", w.want.cost).Where("id = ?", w.id).Exec(ctx)
					if err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// heldOf is what should be held of a period of a budget.
type heldOf struct {
	id   int64
	want heldSums
}

// heldWrongly gives those periods of budgets, among some, of which something else is held than should be.
func heldWrongly(ctx context.Context, db bun.IDB, some string, args ...any) (wrong []heldOf, err error) {
	want := map[int64]heldSums{}
	for _, statement := range []string{"SELECT held FROM messages WHERE held IS NOT NULL AND " + unfinished, "SELECT held FROM gaps WHERE held IS NOT NULL"} {
		var texts []string
		if err := db.NewRaw(statement).Scan(ctx, &texts); err != nil {
			return nil, err
		}
		for _, text := range texts {
			var h heldRow
			if err := json.Unmarshal([]byte(text), &h); err != nil {
				return nil, fmt.Errorf("read what is held: %w", err)
			}
			for _, of := range h.Of {
				sum := want[of]
				want[of] = heldSums{sum.messages + 1, sum.tokens + h.Tokens, sum.cost + int64(h.Cost)}
			}
		}
	}
	var rows []struct{ ID, HeldMessages, HeldTokens, HeldCost int64 }
	if err := db.NewRaw("SELECT id, held_messages, held_tokens, held_cost FROM spendings"+some+" ORDER BY id", args...).Scan(ctx, &rows); err != nil {
		return nil, err
	}
	for _, r := range rows {
		if w := want[r.ID]; w != (heldSums{r.HeldMessages, r.HeldTokens, r.HeldCost}) {
			wrong = append(wrong, heldOf{r.ID, w})
		}
	}
	return wrong, nil
}

// hours compares the hours that were counted with their messages.
func (in *inspection) hours(ctx context.Context) error {
	var until []int64
	if err := in.db.NewRaw("SELECT hour FROM rollups_until").Scan(ctx, &until); err != nil || len(until) == 0 {
		return err
	}
	hour := "CAST(strftime('%s', substr(created_at, 1, 19)) AS INTEGER) / 3600 * 60"
	if in.snapshot.pg != nil {
		hour = "CAST(floor(extract(epoch FROM created_at) / 3600) * 60 AS BIGINT)"
	}
	var slots []int64
	err := in.db.NewRaw("SELECT DISTINCT slot FROM rollups WHERE minutes = ? AND slot < ? UNION SELECT DISTINCT "+hour+" FROM messages WHERE created_at < ? ORDER BY 1",
		hourMinutes, until[0], slotTime(until[0])).Scan(ctx, &slots)
	if err != nil {
		return err
	}
	type place struct{ bot, hour int64 }
	var wrong []place
	for i, slot := range slots {
		if i%100 == 99 {
			in.Doing(fmt.Sprintf("hours that are counted: %d of %d", i+1, len(slots)))
		}
		counted, err := countSaid(ctx, in.db, 0, slot)
		if err != nil {
			return err
		}
		var due []int64
		if err := in.db.NewRaw("SELECT bot_id FROM rollups_due WHERE hour = ?", slot).Scan(ctx, &due); err != nil {
			return err
		}
		var stored []struct {
			BotID   int64
			Minutes int
			Slot    int64
			Figures []byte
			Cited   []byte
		}
		err = in.db.NewRaw("SELECT r.bot_id, r.minutes, r.slot, r.figures, r.cited FROM rollups r JOIN bots b ON b.id = r.bot_id AND b.deleted_at IS NULL"+
			" WHERE r.minutes = ? AND r.slot = ? OR r.minutes = ? AND r.slot >= ? AND r.slot < ?", hourMinutes, slot, quarterMinutes, slot, slot+hourMinutes).Scan(ctx, &stored)
		if err != nil {
			return err
		}
		bots := map[int64]bool{}
		for _, r := range stored {
			at := countedPlace{r.BotID, r.Minutes, r.Slot}
			if f := counted.figures[at]; f == nil || !bytes.Equal(encodeFigures(f), r.Figures) || !bytes.Equal(encodeCited(counted.cited[at]), r.Cited) {
				bots[r.BotID] = true
			}
			delete(counted.figures, at)
		}
		for at := range counted.figures {
			bots[at.bot] = true
		}
		for _, bot := range slices.Sorted(maps.Keys(bots)) {
			if !slices.Contains(due, bot) {
				wrong = append(wrong, place{bot, slot})
			}
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	var examples []string
	for _, w := range kyro.Examples(wrong) {
		examples = append(examples, fmt.Sprintf("%s at %s", kyro.BotID(w.bot), slotTime(w.hour).Format(time.RFC3339)))
	}
	return in.Found(kyro.Finding{
		Check: "counters", Damage: true, Count: len(wrong), Examples: examples, Found: "Hours of bots are counted otherwise than their messages are.",
		Mend: "They are counted again.", Repairs: true,
	}, func(ctx context.Context) error {
		for _, w := range wrong {
			if err := in.s.countAgain(ctx, dueRow{BotID: w.bot, Hour: w.hour}); err != nil {
				return err
			}
		}
		return nil
	})
}
