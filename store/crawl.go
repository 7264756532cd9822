package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

type crawlRow struct {
	bun.BaseModel `bun:"table:crawls,alias:w"`

	ID             int64 `bun:",pk,autoincrement"`
	BotID          int64
	OwnerID        int64
	URL            string
	Status         string
	StatusReason   string
	MaxPages       int
	MaxDepth       int
	Include        []string        `bun:",type:jsonb"`
	Exclude        []string        `bun:",type:jsonb"`
	Deed           kyro.AuditEntry `bun:",type:jsonb"`
	PagesFound     int
	PagesDone      int
	PagesAdded     int
	PagesUnchanged int
	PagesSkipped   int
	PagesFailed    int
	Begun          bool
	Run            int64
	CreatedAt      time.Time
	UpdatedAt      time.Time
	FinishedAt     *time.Time
}

var crawlTable = newTable("crawls", "w",
	`id bot_id owner_id url status status_reason max_pages max_depth include exclude pages_found pages_done pages_added
	pages_unchanged pages_skipped pages_failed run created_at updated_at finished_at`,
	func(r *crawlRow, asJSON func(any) any) []any {
		return []any{
			&r.ID, &r.BotID, &r.OwnerID, &r.URL, &r.Status, &r.StatusReason, &r.MaxPages, &r.MaxDepth, asJSON(&r.Include),
			asJSON(&r.Exclude), &r.PagesFound, &r.PagesDone, &r.PagesAdded, &r.PagesUnchanged, &r.PagesSkipped, &r.PagesFailed,
			&r.Run, &r.CreatedAt, &r.UpdatedAt, &r.FinishedAt,
		}
	}, func(r *crawlRow, n *kyro.Crawl) { *n = r.noun() })

func (r *crawlRow) noun() kyro.Crawl {
	return kyro.Crawl{
		ID: kyro.CrawlID(r.ID), BotID: kyro.BotID(r.BotID), OwnerID: kyro.UserID(r.OwnerID), URL: r.URL,
		Status: kyro.CrawlStatus(r.Status), StatusReason: r.StatusReason, MaxPages: r.MaxPages, MaxDepth: r.MaxDepth,
		Include: orEmpty(r.Include), Exclude: orEmpty(r.Exclude), PagesFound: r.PagesFound, PagesDone: r.PagesDone,
		PagesAdded: r.PagesAdded, PagesUnchanged: r.PagesUnchanged, PagesSkipped: r.PagesSkipped, PagesFailed: r.PagesFailed,
		Run: r.Run, Deed: r.Deed, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), FinishedAt: utcPtr(r.FinishedAt),
	}
}

type crawlPageRow struct {
	bun.BaseModel `bun:"table:crawl_pages,alias:p"`

	ID         int64 `bun:",pk,autoincrement"`
	CrawlID    int64
	Place      int
	URL        string
	Depth      int
	Status     string
	Reason     string
	DocumentID *int64
	TextHash   string
	Tries      int
	RetryAt    *time.Time
}

var crawlPageTable = newTable("crawl_pages", "cp", `id crawl_id place url depth status reason document_id tries`,
	func(r *crawlPageRow, _ func(any) any) []any {
		return []any{&r.ID, &r.CrawlID, &r.Place, &r.URL, &r.Depth, &r.Status, &r.Reason, &r.DocumentID, &r.Tries}
	}, func(r *crawlPageRow, n *kyro.CrawlPage) { *n = r.noun() })

func (r *crawlPageRow) noun() kyro.CrawlPage {
	p := kyro.CrawlPage{
		Key: r.ID, CrawlID: kyro.CrawlID(r.CrawlID), Place: r.Place, URL: r.URL, Depth: r.Depth, Status: kyro.CrawlPageStatus(r.Status),
		Reason: r.Reason, Tries: r.Tries,
	}
	if r.DocumentID != nil {
		p.DocumentID = kyro.DocumentID(*r.DocumentID)
	}
	return p
}

// crawlsOf selects the crawls of the owner's live bots.
func crawlsOf(owner kyro.ID) selection[crawlRow, kyro.Crawl] {
	return rowsOf(crawlTable).where("w.owner_id = ?", owner.Key).
		where("EXISTS (SELECT 1 FROM bots AS b WHERE b.id = w.bot_id AND b.deleted_at IS NULL)")
}

// Crawls implements ingest.Store.
func (s *Store) Crawls(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Crawl, error) {
	crawls, err := all(ctx, s, crawlsOf(owner).byID(ids), "")
	return crawls, failed("read crawls", err)
}

// CrawlsOfBots implements ingest.Store.
func (s *Store) CrawlsOfBots(
	ctx context.Context, owner kyro.ID, bots []kyro.ID, req kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.Crawl], error) {
	ofBot := parentage[crawlRow, kyro.Crawl]{column: "w.bot_id", of: func(c *kyro.Crawl) kyro.ID { return c.BotID }}
	order := byTime("w.created_at", "w.id", kyro.Desc, func(c *kyro.Crawl) time.Time { return c.CreatedAt }, (*kyro.Crawl).NodeID)
	result, err := pages(ctx, s, crawlsOf(owner), bots, ofBot, req, order)
	return result, failed("list crawls", err)
}

// PagesOfCrawls implements ingest.Store. Pages are ordered by their rows, which is the order they were found in.
func (s *Store) PagesOfCrawls(
	ctx context.Context, owner kyro.ID, crawls []kyro.ID, req kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.CrawlPage], error) {
	some := rowsOf(crawlPageTable).where("EXISTS (SELECT 1 FROM crawls AS w JOIN bots AS b ON b.id = w.bot_id"+
		" WHERE w.id = cp.crawl_id AND w.owner_id = ? AND b.deleted_at IS NULL)", owner.Key)
	ofCrawl := parentage[crawlPageRow, kyro.CrawlPage]{column: "cp.crawl_id", of: func(p *kyro.CrawlPage) kyro.ID { return p.CrawlID }}
	order := byNumber("cp.id", "cp.id", kyro.Asc, func(p *kyro.CrawlPage) int64 { return p.Key },
		func(p *kyro.CrawlPage) kyro.ID { return kyro.ID{Key: p.Key} })
	result, err := pages(ctx, s, some, crawls, ofCrawl, req, order)
	return result, failed("list the pages of a crawl", err)
}

// AddCrawl implements ingest.Store.
func (s *Store) AddCrawl(ctx context.Context, c kyro.NewCrawl) (kyro.Crawl, error) {
	now := kyro.Moment(c.Now)
	var row crawlRow
	err := s.write(ctx, "add a crawl", func(ctx context.Context, tx *writeTx) error {
		row = crawlRow{
			BotID: c.BotID.Key, OwnerID: c.OwnerID.Key, URL: c.URL, Status: string(kyro.CrawlQueued), MaxPages: c.MaxPages,
			MaxDepth: c.MaxDepth, Include: orEmpty(c.Include), Exclude: orEmpty(c.Exclude), Deed: c.Deed, Run: 1,
			CreatedAt: now, UpdatedAt: now,
		}
		if err := s.holdUser(ctx, tx, c.OwnerID); err != nil {
			return err
		}
		if err := s.liveBot(ctx, tx, c.OwnerID, c.BotID); err != nil {
			return err
		}
		there, err := tx.NewSelect().Table("crawls").Where("owner_id = ? AND finished_at IS NULL", c.OwnerID.Key).Count(ctx)
		if err != nil {
			return err
		}
		if there >= kyro.MaxCrawlsRunning+kyro.MaxCrawlsWaiting {
			return kyro.Errorf(kyro.CodeLimitReached,
				"%d crawls of yours are under way and %d wait, which is as many as there may be. Wait for the end of one, or cancel one.",
				kyro.MaxCrawlsRunning, kyro.MaxCrawlsWaiting)
		}
		if _, err := tx.NewInsert().Model(&row).Returning("id").Exec(ctx); err != nil {
			return err
		}
		return tx.nextCrawls(ctx, row.OwnerID)
	})
	return row.noun(), err
}

// nextCrawls gives a job to those of the user's waiting crawls whose turn has come. The user is held.
func (tx *writeTx) nextCrawls(ctx context.Context, owner int64) error {
	running, err := tx.NewSelect().Table("crawls").Where("owner_id = ? AND finished_at IS NULL AND begun", owner).Count(ctx)
	if err != nil || running >= kyro.MaxCrawlsRunning {
		return err
	}
	var next []crawlRow
	err = tx.NewSelect().Model(&next).Where("w.owner_id = ? AND w.finished_at IS NULL AND NOT w.begun", owner).
		Order("w.id").Limit(kyro.MaxCrawlsRunning - running).Scan(ctx)
	for i := range next {
		if err == nil {
			_, err = tx.NewUpdate().Table("crawls").Set("begun = ?", true).Where("id = ?", next[i].ID).Exec(ctx)
		}
		if err == nil {
			err = tx.Enqueue(ctx, kyro.Job{Kind: kyro.JobCrawl, Key: next[i].ID, Run: next[i].Run})
		}
	}
	return err
}

// CancelCrawl implements ingest.Store.
func (s *Store) CancelCrawl(ctx context.Context, owner, id kyro.ID, now time.Time) (kyro.Crawl, error) {
	var row crawlRow
	err := s.write(ctx, "cancel a crawl", func(ctx context.Context, tx *writeTx) error {
		row = crawlRow{}
		if err := s.holdUser(ctx, tx, owner); err != nil {
			return err
		}
		err := s.hold(tx.NewSelect().Model(&row).Where("w.id = ? AND w.owner_id = ?", id.Key, owner.Key).
			Where("EXISTS (SELECT 1 FROM bots AS b WHERE b.id = w.bot_id AND b.deleted_at IS NULL)")).Scan(ctx)
		if err != nil {
			return notFound(err, kyro.KindCrawl)
		}
		if kyro.CrawlStatus(row.Status).Final() {
			return kyro.Errorf(kyro.CodeConflict, "The crawl is over already: it is %s.", row.Status)
		}
		return tx.endCrawl(ctx, &row, kyro.CrawlCanceled, "", now)
	})
	if err != nil {
		return kyro.Crawl{}, err
	}
	return row.noun(), nil
}

// endCrawl ends a crawl, and gives its place to the owner's next one.
func (tx *writeTx) endCrawl(ctx context.Context, r *crawlRow, status kyro.CrawlStatus, reason string, now time.Time) error {
	r.Status, r.StatusReason, r.UpdatedAt = string(status), clean(reason), kyro.Moment(now)
	r.FinishedAt = &r.UpdatedAt
	r.Run++
	_, err := tx.NewUpdate().Model(r).Where("id = ?", r.ID).Column("status", "status_reason", "updated_at", "finished_at", "run").Exec(ctx)
	if err != nil {
		return err
	}
	return tx.nextCrawls(ctx, r.OwnerID)
}

// cancelCrawls ends all crawls of a user, or of a bot of theirs, of which the column has the key.
func (tx *writeTx) cancelCrawls(ctx context.Context, column string, key int64, now time.Time) error {
	at := kyro.Moment(now)
	_, err := tx.NewUpdate().Table("crawls").Set("status = ?", string(kyro.CrawlCanceled)).Set("run = run + 1").
		Set("updated_at = ?", at).Set("finished_at = ?", at).Where(column+" = ? AND finished_at IS NULL", key).Exec(ctx)
	return err
}

// PurgeCrawls implements ingest.Store.
func (s *Store) PurgeCrawls(ctx context.Context, bot kyro.ID) (done bool, err error) {
	err = s.write(ctx, "delete crawls", func(ctx context.Context, tx *writeTx) error {
		more, err := tx.dropCrawls(ctx, "bot_id", bot.Key)
		done = !more
		return err
	})
	return done, err
}

// dropCrawls removes some of the crawls that the column has the key of, their pages first.
func (tx *writeTx) dropCrawls(ctx context.Context, column string, key int64) (more bool, err error) {
	some := tx.NewSelect().TableExpr("crawl_pages AS p").Column("p.id").Join("JOIN crawls AS w ON w.id = p.crawl_id").
		Where("w."+column+" = ?", key).Limit(rowsAStep)
	result, err := tx.NewDelete().Table("crawl_pages").Where("id IN (?)", some).Exec(ctx)
	if err != nil {
		return false, err
	}
	if n, err := result.RowsAffected(); err != nil || n == rowsAStep {
		return true, err
	}
	_, err = tx.NewDelete().Table("crawls").Where(column+" = ?", key).Exec(ctx)
	return false, err
}

// crawlsASweep is how many crawls are looked for at once that are old.
const crawlsASweep = 50

// SweepCrawls implements ingest.Store.
func (s *Store) SweepCrawls(ctx context.Context, before time.Time) (done bool, err error) {
	var old []int64
	err = s.read().NewSelect().Table("crawls").Column("id").Where("finished_at < ?", kyro.Moment(before)).Order("finished_at").
		Limit(crawlsASweep).Scan(ctx, &old)
	if err != nil {
		return false, failed("look for old crawls", err)
	}
	for _, id := range old {
		for more := true; more; {
			err := s.write(ctx, "remove an old crawl", func(ctx context.Context, tx *writeTx) (err error) {
				more, err = tx.dropCrawls(ctx, "id", id)
				return err
			})
			if err != nil {
				return false, err
			}
		}
	}
	return len(old) < crawlsASweep, nil
}
