package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

type botRow struct {
	bun.BaseModel `bun:"table:bots,alias:b"`

	ID                 int64 `bun:"id,pk,autoincrement"`
	OwnerID            int64
	Name               string
	NameKey            string
	Description        *string
	Instructions       *string
	WelcomeMessage     *string
	SuggestedQuestions []string `bun:",type:jsonb"`
	Model              *string
	Temperature        *float64
	MaxOutputTokens    *int
	TopK               int `bun:"top_k"`
	MinScore           *float64
	NoAnswerText       string
	Strict             bool
	CreatedAt          time.Time
	UpdatedAt          time.Time
	DeletedAt          *time.Time
}

var botTable = newTable("bots", "b",
	`id owner_id name created_at description:description instructions:instructions welcome_message:welcomeMessage
	suggested_questions:suggestedQuestions model:model temperature:temperature max_output_tokens:maxOutputTokens
	top_k:topK min_score:minScore no_answer_text:noAnswerText strict:strict updated_at:updatedAt`,
	func(r *botRow, asJSON func(any) any) []any {
		return []any{
			&r.ID, &r.OwnerID, &r.Name, &r.CreatedAt, &r.Description, &r.Instructions, &r.WelcomeMessage,
			asJSON(&r.SuggestedQuestions), &r.Model, &r.Temperature, &r.MaxOutputTokens, &r.TopK, &r.MinScore,
			&r.NoAnswerText, &r.Strict, &r.UpdatedAt,
		}
	}, func(r *botRow, n *kyro.Bot) { *n = r.noun() })

func rowOfBot(n *kyro.Bot) botRow {
	return botRow{
		ID: n.ID.Key, OwnerID: n.OwnerID.Key, Name: n.Name, NameKey: fold(n.Name),
		Description: n.Description, Instructions: n.Instructions, WelcomeMessage: n.WelcomeMessage,
		SuggestedQuestions: orEmpty(n.SuggestedQuestions), Model: n.Model, Temperature: n.Temperature,
		MaxOutputTokens: n.MaxOutputTokens, TopK: n.TopK, MinScore: n.MinScore, NoAnswerText: n.NoAnswerText,
		Strict: n.Strict, CreatedAt: kyro.Moment(n.CreatedAt), UpdatedAt: kyro.Moment(n.UpdatedAt),
	}
}

func (r *botRow) noun() kyro.Bot {
	return kyro.Bot{
		ID: kyro.BotID(r.ID), OwnerID: kyro.UserID(r.OwnerID), Name: r.Name,
		Description: r.Description, Instructions: r.Instructions, WelcomeMessage: r.WelcomeMessage,
		SuggestedQuestions: r.SuggestedQuestions, Model: r.Model, Temperature: r.Temperature,
		MaxOutputTokens: r.MaxOutputTokens, TopK: r.TopK, MinScore: r.MinScore, NoAnswerText: r.NoAnswerText,
		Strict: r.Strict, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}

// CreateBot stores a new bot and gives it its id.
func (s *Store) CreateBot(ctx context.Context, bot kyro.Bot, deeds ...kyro.AuditEntry) (kyro.Bot, error) {
	var r botRow
	err := s.write(ctx, "create the bot", func(ctx context.Context, tx *writeTx) error {
		r = rowOfBot(&bot)
		if _, err := tx.NewInsert().Model(&r).Exec(ctx); err != nil {
			return err
		}
		return tx.audit(ctx, about(kyro.BotID(r.ID), deeds)...)
	})
	return r.noun(), err
}

// UpdateBot reads the owner's live bot, lets change alter it, and writes it, in one fact. change may run more than
// once, each time on the bot as it is then.
func (s *Store) UpdateBot(ctx context.Context, owner, id kyro.ID, change func(*kyro.Bot) error) (kyro.Bot, error) {
	var changed kyro.Bot
	err := s.write(ctx, "update the bot", func(ctx context.Context, tx *writeTx) error {
		var r botRow
		err := s.lock(tx.NewSelect().Model(&r).
			Where("b.id = ? AND b.owner_id = ? AND b.deleted_at IS NULL", id.Key, owner.Key)).Scan(ctx)
		if err != nil {
			return notFound(err, kyro.KindBot)
		}
		bot := r.noun()
		if err := change(&bot); err != nil {
			return err
		}
		bot.ID, bot.OwnerID = kyro.BotID(r.ID), kyro.UserID(r.OwnerID)
		r = rowOfBot(&bot)
		changed = r.noun()
		_, err = tx.NewUpdate().Model(&r).ExcludeColumn("owner_id", "created_at", "deleted_at").WherePK().Exec(ctx)
		return err
	})
	return changed, err
}

// DeleteBot tombstones the bot, its documents and its conversations, stops what runs for it, and enqueues the purge
// of every document.
func (s *Store) DeleteBot(ctx context.Context, owner, id kyro.ID, now time.Time, deeds ...kyro.AuditEntry) error {
	now = kyro.Moment(now)
	return s.write(ctx, "delete the bot", func(ctx context.Context, tx *writeTx) error {
		if err := tx.holdOwner(ctx, "id = ?", owner.Key); err != nil {
			return err
		}
		result, err := tx.NewUpdate().Table("bots").
			Set("deleted_at = ?", now).Set("updated_at = ?", now).Set("knowledge = knowledge + 1").
			Where("id = ? AND owner_id = ? AND deleted_at IS NULL", id.Key, owner.Key).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return orNotFound(err, kyro.KindBot)
		}
		var documents []int64
		err = tx.NewUpdate().Table("documents").
			Set("deleted_at = ?", now).Set("updated_at = ?", now).Set("run = run + 1").
			Where("bot_id = ? AND deleted_at IS NULL", id.Key).Returning("id").Scan(ctx, &documents)
		if err != nil {
			return err
		}
		_, err = tx.NewUpdate().Table("conversations").Set("deleted_at = ?", now).Set("updated_at = ?", now).
			Where("bot_id = ? AND deleted_at IS NULL", id.Key).Exec(ctx)
		if err != nil {
			return err
		}
		if err := tx.cancelCrawls(ctx, "bot_id", id.Key, now); err != nil {
			return err
		}
		if err := tx.nextCrawls(ctx, owner.Key); err != nil {
			return err
		}
		ended, err := stopAnswers(ctx, tx, now, unnumbered, "conversation_id IN (SELECT id FROM conversations WHERE bot_id = ?)", id.Key)
		if err != nil {
			return err
		}
		if err := s.dropGaps(ctx, tx, id.Key, owner, now); err != nil {
			return err
		}
		if err := s.settle(ctx, tx, now, ended...); err != nil {
			return err
		}
		if err := tx.dropBudgets(ctx, owner, id); err != nil {
			return err
		}
		for _, counted := range []string{"rollups", "rollups_due"} {
			if _, err := tx.NewDelete().Table(counted).Where("bot_id = ?", id.Key).Exec(ctx); err != nil {
				return err
			}
		}
		// The index is cleared of it once no worker is at one of its documents any more.
		purges := []kyro.Job{{Kind: kyro.JobPurgeBot, Key: id.Key, After: time.Minute}}
		for _, key := range documents {
			purges = append(purges, kyro.Job{Kind: kyro.JobPurge, Key: key})
		}
		if err := tx.Enqueue(ctx, purges...); err != nil {
			return err
		}
		if err := tx.feed(ctx, owner.Key); err != nil {
			return err
		}
		return tx.audit(ctx, deeds...)
	})
}

func botsOf(owner kyro.ID) selection[botRow, kyro.Bot] {
	return rowsOf(botTable).where("b.owner_id = ? AND b.deleted_at IS NULL", owner.Key)
}

// Bots reads the owner's live bots by id, in any order.
func (s *Store) Bots(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Bot, error) {
	rows, err := all(ctx, s, botsOf(owner).byID(ids), "")
	return rows, failed("read the bots", err)
}

// BotPage lists the owner's live bots.
func (s *Store) BotPage(
	ctx context.Context, owner kyro.ID, filter kyro.BotFilter, o kyro.BotOrder, req kyro.PageRequest,
) (kyro.Page[kyro.Bot], error) {
	bots := botsOf(owner)
	if req.Fields != nil {
		bots.table = botTable.only(req.Wants)
	}
	if filter.Search != "" {
		bots = bots.where(`b.name_key LIKE ? ESCAPE '\'`, contains(filter.Search))
	}
	by := byTime("b.created_at", "b.id", o.Direction, func(b *kyro.Bot) time.Time { return b.CreatedAt }, (*kyro.Bot).NodeID)
	if o.By == kyro.BotsByName {
		by = byText("b.name_key", "b.id", o.Direction, func(b *kyro.Bot) string { return fold(b.Name) }, (*kyro.Bot).NodeID)
	}
	result, err := page(ctx, s, bots, req, by)
	return result, failed("list the bots", err)
}
