package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"kyrochat/kyro"
)

// SetBudget sets what the owner allows to be spent with a target of theirs in a period, or anything where nothing is limited.
// What is spent already counts, and of limits that are new the owner is warned anew. NOT_FOUND where the target is not the
// owner's, or is no more.
func (s *Store) SetBudget(
	ctx context.Context, owner, target kyro.ID, period kyro.BudgetPeriod, limits kyro.SpendingLimits, deeds ...kyro.AuditEntry,
) error {
	return s.write(ctx, "set the budget", func(ctx context.Context, tx *writeTx) error {
		if err := s.ownTarget(ctx, tx, owner, target); err != nil {
			return err
		}
		p := &pipeline{s: s, pg: tx.pg, lite: tx.Tx.Tx, begun: true}
		if err := p.run(ctx, &step{query: s.unwarned(owner, target, period, limits)}); err != nil {
			return err
		}
		q := s.query()
		if limits.None() {
			q.add("DELETE FROM budgets WHERE owner_id = ? AND scope = ? AND target_id = ? AND period = ?", owner.Key, scopeOf(target), target.Key, string(period))
		} else {
			q.add("INSERT INTO budgets (owner_id, scope, target_id, period, max_messages, max_tokens, max_cost) VALUES (?, ?, ?, ?, ?, ?, ?)"+
				" ON CONFLICT (owner_id, scope, target_id, period) DO UPDATE SET max_messages = excluded.max_messages,"+
				" max_tokens = excluded.max_tokens, max_cost = excluded.max_cost",
				owner.Key, scopeOf(target), target.Key, string(period), limits.Messages, limits.Tokens, (*int64)(limits.Cost))
		}
		if err := p.run(ctx, &step{query: q}); err != nil {
			return err
		}
		return tx.audit(ctx, deeds...)
	})
}

// unwarned forgets, of the last period that there is, that the owner was warned of limits which are others now.
func (s *Store) unwarned(owner, target kyro.ID, period kyro.BudgetPeriod, limits kyro.SpendingLimits) *query {
	key := []any{owner.Key, scopeOf(target), target.Key, string(period)}
	const its = "owner_id = ? AND scope = ? AND target_id = ? AND period = ?"
	q := s.query().add("UPDATE spendings SET warned = warned")
	for _, limit := range []struct {
		column, what string
		is           *int64
	}{{"max_messages", kyro.BudgetOfMessages, limits.Messages}, {"max_tokens", kyro.BudgetOfTokens, limits.Tokens}, {"max_cost", kyro.BudgetOfMoney, (*int64)(limits.Cost)}} {
		number := pick(s.postgres(), "?::bigint", "?")
		q.add(fmt.Sprint(" & CASE WHEN (SELECT "+limit.column+" FROM budgets WHERE "+its+") IS DISTINCT FROM "+number+" THEN ", ^warnedOf[limit.what], " ELSE -1 END"),
			append(slices.Clone(key), limit.is)...)
	}
	q.add(" WHERE warned <> 0 AND "+its, key...)
	return q.add(" AND start = (SELECT MAX(start) FROM spendings WHERE "+its+")", key...)
}

// ownTarget answers NOT_FOUND unless a budget can be set for the target, and keeps it until the transaction ends.
func (s *Store) ownTarget(ctx context.Context, tx *writeTx, owner, target kyro.ID) error {
	switch target.Kind {
	case kyro.KindBot:
		return s.liveBot(ctx, tx, owner, target)
	case kyro.KindAPIKey:
		var id int64
		err := s.share(tx.NewSelect().Table("api_keys").Column("id").
			Where("id = ? AND user_id = ? AND revoked_at IS NULL", target.Key, owner.Key)).Scan(ctx, &id)
		return notFound(err, kyro.KindAPIKey)
	case kyro.KindUser:
		if target == owner {
			return nil
		}
		return kyro.NotFound(kyro.KindUser)
	}
	return fmt.Errorf("there are no budgets for %s", target)
}

// Budgets reads the budgets of the owner's targets, each with its target's, days before months. Those that the server sets to
// an account are among them.
func (s *Store) Budgets(ctx context.Context, owner kyro.ID, targets []kyro.ID, now time.Time) (map[kyro.ID][]kyro.HardBudget, error) {
	found := make(map[kyro.ID][]kyro.HardBudget, len(targets))
	if len(targets) == 0 {
		return found, nil
	}
	var row spendingRow
	q := s.query().add("SELECT COALESCE(s.id, 0), w.scope, w.target_id, w.period")
	for i, column := range []string{"messages", "tokens", "cost"} {
		q.add(", CASE WHEN s.id IS NULL THEN "+usedBefore(usedSums[i])+" ELSE s."+column+" END", owner.Key)
	}
	q.add(", COALESCE(s.held_messages, 0), COALESCE(s.held_tokens, 0), COALESCE(s.held_cost, 0), COALESCE(s.warned, 0), w.max_messages, w.max_tokens, w.max_cost FROM ")
	s.wanted(q, owner, targets, now)
	q.add(" LEFT JOIN spendings AS s ON s.owner_id = ? AND s.scope = w.scope AND s.target_id = w.target_id AND s.period = w.period AND s.start = w.start"+
		" ORDER BY w.scope, w.target_id, w.period", owner.Key)
	err := s.each(ctx, q, row.places(), func() {
		b := s.budgetOf(&row, now)
		found[b.Target] = append(found[b.Target], b)
		row = spendingRow{}
	})
	if err != nil {
		return nil, failed("read the budgets", err)
	}
	return found, nil
}

// Usage reads what was used by targets of the owner, which are all of one kind: the account, bots or API keys, also those
// that are no more. The days are read only where they are wanted. Every target has an entry.
func (s *Store) Usage(ctx context.Context, owner kyro.ID, targets []kyro.ID, r kyro.UsageRange, wantDays bool) (map[kyro.ID]kyro.Usage, error) {
	found := make(map[kyro.ID]kyro.Usage, len(targets))
	if len(targets) == 0 {
		return found, nil
	}
	kind := targets[0].Kind
	column := map[kyro.Kind]string{kyro.KindUser: "owner_id", kyro.KindBot: "bot_id", kyro.KindAPIKey: "key_id"}[kind]
	if column == "" {
		return nil, fmt.Errorf("read the usage: nothing is used by a %s", kind)
	}
	sums := func(by string) *query {
		q := s.query().add("SELECT " + column + " AS target, " + by)
		for _, sum := range []string{"messages", "prompt_tokens", "output_tokens", "cost"} {
			q.add(", CAST(SUM(" + sum + ") AS BIGINT)")
		}
		q.add(" FROM usages WHERE owner_id = ? AND hour >= ? AND hour < ? AND ", owner.Key, r.From, r.To)
		return in(q, column, rowKeys(targets)).add(" GROUP BY target, " + by)
	}
	var target, bot, key, cost int64
	var entry kyro.UsageEntry
	var hour kyro.UsageHour
	entries, hours := map[int64][]kyro.UsageEntry{}, map[int64][]kyro.UsageHour{}
	steps := []*step{{
		query:  sums("bot_id, key_id, kind, model"),
		places: []any{&target, &bot, &key, &entry.Kind, &entry.Model, &entry.Messages, &entry.PromptTokens, &entry.OutputTokens, &cost},
		do: func() {
			if entry.BotID = kyro.BotID(bot); key != 0 {
				entry.KeyID = kyro.APIKeyID(key)
			}
			entry.Cost = kyro.Money(cost)
			entries[target] = append(entries[target], entry)
			entry = kyro.UsageEntry{}
		},
	}}
	if wantDays {
		steps = append(steps, &step{
			query:  sums("hour"),
			places: []any{&target, &hour.Hour, &hour.Messages, &hour.PromptTokens, &hour.OutputTokens, &cost},
			do: func() {
				hour.Cost = kyro.Money(cost)
				hours[target] = append(hours[target], hour)
			},
		})
	}
	if err := s.together(ctx, steps...); err != nil {
		return nil, failed("read the usage", err)
	}
	for _, id := range targets {
		found[id] = kyro.UsageOf(r, entries[id.Key], hours[id.Key])
	}
	return found, nil
}

// warning is of a limit that is nearly used up.
type warning struct {
	spending, bit int64
	notice        *kyro.BudgetNotice
}

// warn stores the mails to the owner of budgets that are nearly used up, and that there are such.
func (s *Store) warn(ctx context.Context, tx *writeTx, p *pipeline, owner kyro.ID, warnings []warning, now time.Time) error {
	var email string
	if err := tx.NewSelect().Table("users").Column("email").Where("id = ?", owner.Key).Scan(ctx, &email); err != nil {
		return err
	}
	for _, w := range warnings {
		// The row is this transaction's already.
		q := s.query().add("UPDATE spendings SET warned = warned + ? WHERE id = ?", w.bit, w.spending)
		if err := p.run(ctx, &step{query: q}); err != nil {
			return err
		}
		letter := kyro.Letter{
			Kind: kyro.LetterBudgetWarning, To: email, UserID: owner, Seed: fmt.Sprint("spending ", w.spending, " ", w.notice.What),
			CreatedAt: now, Budget: w.notice,
		}
		if err := tx.addLetters(ctx, letter); err != nil {
			return err
		}
	}
	return nil
}

// countEmbeddings adds embeddings to what was used, in the hour in which they were made.
func (s *Store) countEmbeddings(ctx context.Context, tx *writeTx, model string, used []kyro.EmbeddingUsage) error {
	p := &pipeline{s: s, pg: tx.pg, lite: tx.Tx.Tx, begun: true}
	stamp, number, name := pick(s.postgres(), "?::timestamptz", "?"), pick(s.postgres(), "?::bigint", "?"), pick(s.postgres(), "?::text", "?")
	for _, u := range used {
		q := s.query().add("INSERT INTO usages (owner_id, hour, bot_id, key_id, kind, model, messages, prompt_tokens, output_tokens, cost)"+
			" SELECT owner_id, "+stamp+", id, 0, 'INGESTION', "+name+", 0, "+number+", 0, "+number+" FROM bots WHERE id = ?"+
			" ON CONFLICT (owner_id, hour, bot_id, key_id, kind, model) DO UPDATE SET"+
			" prompt_tokens = usages.prompt_tokens + excluded.prompt_tokens, cost = usages.cost + excluded.cost",
			u.At.UTC().Truncate(time.Hour), model, int64(u.Tokens), int64(u.Cost), u.BotID.Key)
		if err := p.run(ctx, &step{query: q}); err != nil {
			return err
		}
	}
	return nil
}
