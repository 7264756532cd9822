package store

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"kyrochat/kyro"
	"kyrochat/text"
)

// What answers may take is held of the budgets it goes on in the transaction that stores them, and in the one that makes
// them final what they took is counted and what was held is given back. An answer becomes final once, whoever ends it, and
// whatever is killed before: so both happen once.
//
// The row of a budget's period is locked from then on until the transaction ends, so that answers that are asked for at
// once, on any node, see each other. It is always the last lock but that of the audit log, and rows are locked in the order of
// owner, scope, target and period, however many answers end at once.

// heldRow is what is held for an answer, as its column has it.
type heldRow struct {
	Of     []int64    `json:"of"` // rows of spendings
	Tokens int64      `json:"tokens"`
	Cost   kyro.Money `json:"cost"`
}

// column is what is held as a value of its column.
func (h *heldRow) column() any {
	if h == nil {
		return nil
	}
	written, _ := json.Marshal(h) // which cannot fail
	return string(written)
}

// scopeOf is the scope of what a budget is for.
func scopeOf(target kyro.ID) string { return string(target.Kind) }

// charged are the targets that an answer goes on.
func charged(owner, bot kyro.ID, key int64) []kyro.ID {
	targets := []kyro.ID{kyro.APIKeyID(key), bot, owner}
	if key == 0 {
		return targets[1:]
	}
	return targets
}

// of appends the condition that a row of the alias is about one of the targets.
func (q *query) of(alias string, targets []kyro.ID) *query {
	for i, target := range targets {
		q.add(pick(i == 0, "(", " OR ")+alias+"scope = ? AND "+alias+"target_id = ?", scopeOf(target), target.Key)
	}
	return q.add(")")
}

// pick gives one text or the other.
func pick(yes bool, one, other string) string {
	if yes {
		return one
	}
	return other
}

// budgeted reports, as SQL with one value, whether the user has budgets.
const budgeted = "EXISTS (SELECT 1 FROM budgets WHERE owner_id = ?)"

// serverLimits are those that the server sets to an account for a day.
func (s *Store) serverLimits() (l kyro.SpendingLimits) {
	if n := int64(s.limits.UserDailyMessages); n > 0 {
		l.Messages = &n
	}
	if n := int64(s.limits.UserDailyTokens); n > 0 {
		l.Tokens = &n
	}
	return l
}

// wanted appends the budgets that there are for the targets, as a table w: with the beginning of the period at that time,
// and the limits that the owner set.
func (s *Store) wanted(q *query, owner kyro.ID, targets []kyro.ID, at time.Time) *query {
	day, _ := kyro.BudgetDay.Bounds(at)
	month, _ := kyro.BudgetMonth.Bounds(at)
	stamp := pick(s.postgres(), "?::timestamptz", "?")
	q.add("(SELECT scope, target_id, period, CASE period WHEN 'DAY' THEN "+stamp+" ELSE "+stamp+" END AS start, max_messages, max_tokens, max_cost"+
		" FROM budgets WHERE owner_id = ? AND ", day, month, owner.Key).of("", targets)
	if slices.Contains(targets, owner) && !s.serverLimits().None() {
		key := pick(s.postgres(), "?::bigint", "?")
		q.add(" UNION ALL SELECT 'user', "+key+", 'DAY', "+stamp+", NULL, NULL, NULL WHERE NOT EXISTS"+
			" (SELECT 1 FROM budgets WHERE owner_id = ? AND scope = 'user' AND target_id = ? AND period = 'DAY')", owner.Key, day, owner.Key, owner.Key)
	}
	return q.add(") AS w")
}

// usedBefore is the SQL of a sum over what answers used since the beginning of w's period, for a budget that is new in it.
func usedBefore(sum string) string {
	return "COALESCE((SELECT CAST(SUM(" + sum + ") AS BIGINT) FROM usages AS u WHERE u.owner_id = ? AND u.hour >= w.start AND u.kind = 'ANSWER'" +
		" AND CASE w.scope WHEN 'user' THEN u.owner_id WHEN 'bot' THEN u.bot_id ELSE u.key_id END = w.target_id), 0)"
}

var usedSums = []string{"u.messages", "u.prompt_tokens + u.output_tokens", "u.cost"}

// spendingRow is a period of a budget.
type spendingRow struct {
	id                                 int64
	scope                              string
	target                             int64
	period                             kyro.BudgetPeriod
	messages, tokens, cost             int64
	heldMessages, heldTokens, heldCost int64
	maxMessages, maxTokens, maxCost    *int64
	warned                             int64 // bits of the limits that the owner was warned of
}

const spendingColumns = "id, scope, target_id, period, messages, tokens, cost, held_messages, held_tokens, held_cost, warned"

func limitOf(column string) string {
	return ", (SELECT b." + column + " FROM budgets AS b WHERE b.owner_id = spendings.owner_id AND b.scope = spendings.scope" +
		" AND b.target_id = spendings.target_id AND b.period = spendings.period)"
}

var limitsOf = limitOf("max_messages") + limitOf("max_tokens") + limitOf("max_cost")

func (r *spendingRow) places() []any {
	return []any{&r.id, &r.scope, &r.target, &r.period, &r.messages, &r.tokens, &r.cost, &r.heldMessages, &r.heldTokens, &r.heldCost, &r.warned,
		&r.maxMessages, &r.maxTokens, &r.maxCost}
}

// warnedOf are the bits of warned: 1 for messages, 2 for tokens and 4 for money.
var warnedOf = map[string]int64{kyro.BudgetOfMessages: 1, kyro.BudgetOfTokens: 2, kyro.BudgetOfMoney: 4}

// noun is the budget, whose period is the one at that time.
func (s *Store) budgetOf(r *spendingRow, at time.Time) kyro.HardBudget {
	b := kyro.HardBudget{
		Target: kyro.ID{Kind: kyro.Kind(r.scope), Key: r.target}, Period: r.period,
		Limits:   kyro.SpendingLimits{Messages: r.maxMessages, Tokens: r.maxTokens, Cost: (*kyro.Money)(r.maxCost)},
		Used:     kyro.Spending{Messages: r.messages, Tokens: r.tokens, Cost: kyro.Money(r.cost)},
		Reserved: kyro.Spending{Messages: r.heldMessages, Tokens: r.heldTokens, Cost: kyro.Money(r.heldCost)},
	}
	if b.Target.Kind == kyro.KindUser && b.Period == kyro.BudgetDay {
		b.Limits = b.Limits.Tighter(s.serverLimits())
	}
	b.Since, b.ResetAt = b.Period.Bounds(at)
	return b
}

// reserve holds what an answer may take of all budgets that it goes on, for the period in which it is asked for; nil where there
// are none. BUDGET_EXCEEDED where that is more than is left of one: nothing of the transaction may be stored then.
func (s *Store) reserve(ctx context.Context, p *pipeline, owner, bot kyro.ID, key int64, asked kyro.Spending, at time.Time) (*heldRow, error) {
	targets := charged(owner, bot, key)
	number := pick(s.postgres(), "?::bigint", "?")
	q := s.query().add("INSERT INTO spendings (owner_id, scope, target_id, period, start, messages, tokens, cost, held_messages, held_tokens, held_cost, warned)"+
		" SELECT "+number+", w.scope, w.target_id, w.period, w.start", owner.Key)
	for _, sum := range usedSums {
		// Only where the row is new: everything else is counted as it ends.
		q.add(", CASE WHEN EXISTS (SELECT 1 FROM spendings AS o WHERE o.owner_id = ? AND o.scope = w.scope AND o.target_id = w.target_id"+
			" AND o.period = w.period AND o.start = w.start) THEN 0 ELSE "+usedBefore(sum)+" END", owner.Key, owner.Key)
	}
	q.add(", "+number+", "+number+", "+number+", 0 FROM ", asked.Messages, asked.Tokens, int64(asked.Cost))
	s.wanted(q, owner, targets, at)
	q.add(" WHERE TRUE ORDER BY w.scope, w.target_id, w.period ON CONFLICT (owner_id, scope, target_id, period, start) DO UPDATE SET" +
		" held_messages = spendings.held_messages + excluded.held_messages, held_tokens = spendings.held_tokens + excluded.held_tokens," +
		" held_cost = spendings.held_cost + excluded.held_cost RETURNING " + spendingColumns + limitsOf)
	var row spendingRow
	var budgets []kyro.HardBudget
	held := &heldRow{Tokens: asked.Tokens, Cost: asked.Cost}
	err := p.run(ctx, &step{query: q, places: row.places(), do: func() {
		held.Of, budgets = append(held.Of, row.id), append(budgets, s.budgetOf(&row, at))
		row = spendingRow{}
	}})
	if err != nil || len(budgets) == 0 {
		return nil, err
	}
	return held, kyro.Exceeded(asked, budgets)
}

// settlement is an answer that became final.
type settlement struct {
	message *messageRow
	begun   bool // an attempt was made at it, so that it counts
}

// lost is the settlement of an answer that was lost. What it took went with its attempt: the text that is kept counts, by
// estimate, and nobody knows the model or the price.
func (e settlement) lost() settlement {
	if m := *e.message; m.Usage == nil && m.Text != "" {
		m.Usage = &kyro.MessageUsage{OutputTokens: text.Tokens(m.Text)}
		e.message = &m
	}
	return e
}

// settle counts what answers took that this transaction made final, and gives back what was held for them. The owner of a
// budget that is nearly used up is told so, once for each limit and period.
func (s *Store) settle(ctx context.Context, tx *writeTx, now time.Time, ended ...settlement) error {
	p := &pipeline{s: s, pg: tx.pg, lite: tx.Tx.Tx, begun: true}
	if err := s.order(ctx, p, ended); err != nil {
		return err
	}
	bots, open := make([]int64, len(ended)), make([]bool, len(ended))
	for i, e := range ended {
		var err error
		if bots[i], open[i], err = s.count(ctx, p, e); err != nil {
			return err
		}
	}
	if len(ended) > 1 && slices.Contains(open, true) {
		if err := s.lockSpendings(ctx, p, ended); err != nil {
			return err
		}
	}
	for i, e := range ended {
		if !open[i] || !e.begun && e.message.Held == nil {
			continue
		}
		if err := s.spend(ctx, tx, p, e, kyro.BotID(bots[i]), now); err != nil {
			return err
		}
	}
	return nil
}

// order sorts answers by the rows of usages that they are counted in, in whose order these are locked.
func (s *Store) order(ctx context.Context, p *pipeline, ended []settlement) error {
	if len(ended) < 2 {
		return nil
	}
	conversations, bots := make([]int64, len(ended)), make(map[int64]int64, len(ended))
	for i, e := range ended {
		conversations[i] = e.message.ConversationID
	}
	var conversation, bot int64
	q := in(s.query().add("SELECT id, bot_id FROM conversations WHERE "), "id", conversations)
	err := p.run(ctx, &step{query: q, places: []any{&conversation, &bot}, do: func() { bots[conversation] = bot }})
	if err != nil {
		return err
	}
	slices.SortFunc(ended, func(a, b settlement) int {
		m, o := a.message, b.message
		model, _ := m.figures()
		other, _ := o.figures()
		return cmp.Or(cmp.Compare(m.SenderID, o.SenderID), m.CreatedAt.UTC().Truncate(time.Hour).Compare(o.CreatedAt.UTC().Truncate(time.Hour)),
			cmp.Compare(bots[m.ConversationID], bots[o.ConversationID]), cmp.Compare(m.key(), o.key()), cmp.Compare(model, other), cmp.Compare(m.ID, o.ID))
	})
	return nil
}

// lockSpendings locks all periods of budgets that the answers may go on, which would else be locked answer by answer. SQLite has
// one writer at a time.
func (s *Store) lockSpendings(ctx context.Context, p *pipeline, ended []settlement) error {
	if !s.postgres() {
		return nil
	}
	owners, since := make([]int64, len(ended)), ended[0].message.CreatedAt
	for i, e := range ended {
		owners[i] = e.message.SenderID
		if e.message.CreatedAt.Before(since) {
			since = e.message.CreatedAt
		}
	}
	month, _ := kyro.BudgetMonth.Bounds(since)
	q := in(s.query().add("SELECT id FROM spendings WHERE start >= ? AND ", month), "owner_id", owners).
		add(" ORDER BY owner_id, scope, target_id, period, start FOR UPDATE")
	var id int64
	return p.run(ctx, &step{query: q, places: []any{&id}})
}

// count adds an answer to what was used. It gives the answer's bot, and whether there may be budgets that it goes on.
func (s *Store) count(ctx context.Context, p *pipeline, e settlement) (bot int64, open bool, err error) {
	m := e.message
	month, _ := kyro.BudgetMonth.Bounds(m.CreatedAt)
	const spent = "EXISTS (SELECT 1 FROM spendings AS s WHERE s.owner_id = ? AND s.start >= ?)"
	q := s.query()
	if e.begun {
		model, f := m.figures()
		q.add("INSERT INTO usages (owner_id, hour, bot_id, key_id, kind, model, messages, prompt_tokens, output_tokens, cost)"+
			" VALUES (?, ?, (SELECT bot_id FROM conversations WHERE id = ?), ?, 'ANSWER', ?, 1, ?, ?, ?)"+
			" ON CONFLICT (owner_id, hour, bot_id, key_id, kind, model) DO UPDATE SET messages = usages.messages + 1,"+
			" prompt_tokens = usages.prompt_tokens + excluded.prompt_tokens, output_tokens = usages.output_tokens + excluded.output_tokens,"+
			" cost = usages.cost + excluded.cost RETURNING bot_id, "+spent,
			m.SenderID, m.CreatedAt.UTC().Truncate(time.Hour), m.ConversationID, m.key(), model, f.PromptTokens, f.OutputTokens, int64(f.Cost),
			m.SenderID, month)
	} else {
		q.add("SELECT bot_id, "+spent+" FROM conversations WHERE id = ?", m.SenderID, month, m.ConversationID)
	}
	err = p.run(ctx, &step{query: q, places: []any{&bot, &open}})
	return bot, open || m.Held != nil, err
}

// spend moves an answer from what is held of budgets to what is used.
func (s *Store) spend(ctx context.Context, tx *writeTx, p *pipeline, e settlement, bot kyro.ID, now time.Time) error {
	m, owner := e.message, kyro.UserID(e.message.SenderID)
	var took kyro.Spending
	if e.begun {
		_, f := m.figures()
		took = kyro.Spending{Messages: 1, Tokens: f.TotalTokens(), Cost: f.Cost}
	}
	held := m.Held
	if held == nil {
		held = &heldRow{}
	}
	q := s.query().add("UPDATE spendings SET messages = messages + ?, tokens = tokens + ?, cost = cost + ?", took.Messages, took.Tokens, int64(took.Cost))
	for _, back := range []struct {
		column string
		much   int64
	}{{"held_messages", 1}, {"held_tokens", held.Tokens}, {"held_cost", int64(held.Cost)}} {
		if len(held.Of) > 0 && back.much > 0 {
			in(q.add(", "+back.column+" = "+back.column+" - CASE WHEN "), "id", held.Of).add(" THEN "+pick(s.postgres(), "?::bigint", "?")+" ELSE 0 END", back.much)
		}
	}
	day, _ := kyro.BudgetDay.Bounds(m.CreatedAt)
	month, _ := kyro.BudgetMonth.Bounds(m.CreatedAt)
	q.add(" WHERE id IN (SELECT id FROM spendings AS s WHERE s.owner_id = ? AND (s.period = 'DAY' AND s.start = ? OR s.period = 'MONTH' AND s.start = ?) AND ",
		owner.Key, day, month).of("s.", charged(owner, bot, m.key()))
	q.add(" ORDER BY s.scope, s.target_id, s.period" + pick(s.postgres(), " FOR UPDATE", "") + ") RETURNING " + spendingColumns + limitsOf)
	var row spendingRow
	var warnings []warning
	err := p.run(ctx, &step{query: q, places: row.places(), do: func() {
		b := s.budgetOf(&row, m.CreatedAt)
		for _, notice := range b.Notices() {
			if bit := warnedOf[notice.What]; row.warned&bit == 0 {
				warnings = append(warnings, warning{row.id, bit, notice})
			}
		}
		row = spendingRow{}
	}})
	if err != nil || len(warnings) == 0 {
		return err
	}
	return s.warn(ctx, tx, p, owner, warnings, now)
}

func (r *messageRow) key() int64 {
	if r.KeyID == nil {
		return 0
	}
	return *r.KeyID
}

// figures is what an answer took, as far as it is known.
func (r *messageRow) figures() (model string, f kyro.UsageFigures) {
	f.Messages = 1
	if u := r.Usage; u != nil {
		model, f.PromptTokens, f.OutputTokens, f.Cost = u.Model, int64(u.PromptTokens), int64(u.OutputTokens), u.Cost
	}
	return model, f
}

// dropBudgets forgets the budgets of a target that is no more, with what is spent and held of them.
func (tx *writeTx) dropBudgets(ctx context.Context, owner, target kyro.ID) error {
	for _, table := range []string{"spendings", "budgets"} {
		_, err := tx.NewDelete().Table(table).Where("owner_id = ? AND scope = ? AND target_id = ?", owner.Key, scopeOf(target), target.Key).Exec(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}
