package store

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

type documentRow struct {
	bun.BaseModel `bun:"table:documents,alias:d"`

	ID              int64 `bun:",pk,autoincrement"`
	BotID           int64
	OwnerID         int64
	Kind            string
	Title           string
	SearchKey       string
	FileName        string
	URL             string
	MimeType        string
	SizeBytes       *int64
	Version         int
	ActiveVersion   int
	ActiveChunks    int
	ActiveTerms     int64
	Run             int64
	Status          string
	StatusReason    string
	StageDone       int
	StageTotal      *int
	Reached         float64
	RetryAt         *time.Time
	PageCount       *int
	ChunkCount      int
	CharCount       *int
	Language        string
	ContentHash     string
	Warnings        []kyro.DocumentWarning `bun:",type:jsonb"`
	PageChars       []int                  `bun:",type:jsonb,nullzero"`
	ChunkTokens     *int
	OverlapTokens   *int
	LastRun         *kyro.DocumentRun `bun:",type:jsonb"` // nil of documents from before runs were kept
	CrawlID         *int64
	ETag            string `bun:"etag"`
	LastModified    string
	SyncHours       *int
	SyncAt          *time.Time
	CheckedAt       *time.Time
	PageURL         string
	TitleGiven      bool
	Lead            string
	Claimed         string
	FetchedType     string
	FetchedURL      string
	FetchedRun      int64
	FetchTries      int
	SyncFailures    int
	Making          *kyro.VersionFacts `bun:",type:jsonb"` // of the version that is made beside the active one; else nil
	PreparedVersion int
	QueuedRun       int64 // the run that a job was enqueued for
	EmbeddedWith    string
	RefreshingWith  string
	CreatedAt       time.Time
	UpdatedAt       time.Time
	ReadyAt         *time.Time
	DeletedAt       *time.Time
}

// documentTable has the columns of what people see. What only workers need of a page is read with the whole row.
var documentTable = newTable("documents", "d",
	`id bot_id owner_id kind title file_name url mime_type size_bytes version active_version run status status_reason
	stage_done stage_total reached retry_at page_count chunk_count char_count language content_hash warnings created_at
	updated_at ready_at page_chars chunk_tokens overlap_tokens last_run crawl_id etag last_modified sync_hours sync_at checked_at`,
	func(r *documentRow, asJSON func(any) any) []any {
		return []any{
			&r.ID, &r.BotID, &r.OwnerID, &r.Kind, &r.Title, &r.FileName, &r.URL, &r.MimeType, &r.SizeBytes, &r.Version,
			&r.ActiveVersion, &r.Run, &r.Status, &r.StatusReason, &r.StageDone, &r.StageTotal, &r.Reached, &r.RetryAt, &r.PageCount,
			&r.ChunkCount, &r.CharCount, &r.Language, &r.ContentHash, asJSON(&r.Warnings), &r.CreatedAt, &r.UpdatedAt, &r.ReadyAt,
			asJSON(&r.PageChars), &r.ChunkTokens, &r.OverlapTokens, asJSON(&r.LastRun), &r.CrawlID, &r.ETag, &r.LastModified,
			&r.SyncHours, &r.SyncAt, &r.CheckedAt,
		}
	}, func(r *documentRow, n *kyro.Document) { *n = r.noun() })

func (r *documentRow) noun() kyro.Document {
	d := kyro.Document{
		ID: kyro.DocumentID(r.ID), BotID: kyro.BotID(r.BotID), OwnerID: kyro.UserID(r.OwnerID),
		Kind: kyro.DocumentKind(r.Kind), Title: r.Title, FileName: r.FileName, URL: r.URL,
		MimeType: r.MimeType, SizeBytes: r.SizeBytes, Version: r.Version, ActiveVersion: r.ActiveVersion, Run: r.Run,
		Status: kyro.DocumentStatus(r.Status), StatusReason: r.StatusReason,
		StageDone: r.StageDone, StageTotal: r.StageTotal, Reached: r.Reached, RetryAt: utcPtr(r.RetryAt),
		PageCount: r.PageCount, ChunkCount: r.ChunkCount, CharCount: r.CharCount, Language: r.Language,
		ContentHash: r.ContentHash, Warnings: r.Warnings,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), ReadyAt: utcPtr(r.ReadyAt),
		PageChars: r.PageChars, ChunkTokens: r.ChunkTokens, OverlapTokens: r.OverlapTokens,
		LastRun: r.lastRun(),
		ETag:    r.ETag, LastModified: r.LastModified, SyncHours: r.SyncHours, SyncAt: utcPtr(r.SyncAt), CheckedAt: utcPtr(r.CheckedAt),
		PageURL: r.PageURL, TitleGiven: r.TitleGiven, Lead: r.Lead, Claimed: r.Claimed, FetchedType: r.FetchedType, FetchedURL: r.FetchedURL, FetchedRun: r.FetchedRun,
		FetchTries: r.FetchTries, SyncFailures: r.SyncFailures,
	}
	if r.CrawlID != nil {
		d.CrawlID = kyro.CrawlID(*r.CrawlID)
	}
	return d
}

// AddDocument implements ingest.Store. The document is there once it returns, and so is its job. As place may
// move a file, and the original can be read once only, a transaction that others got in the way of is not repeated.
func (s *Store) AddDocument(
	ctx context.Context, d kyro.NewDocument, original io.Reader, place func(kyro.Document) error, deeds ...kyro.AuditEntry,
) (document kyro.Document, duplicate kyro.ID, err error) {
	err = s.writeOnce(ctx, "add document", patience(original, d.SizeBytes), func(ctx context.Context, tx *writeTx) error {
		if err := tx.holdOwner(ctx, "id = ?", d.OwnerID.Key); err != nil {
			return err
		}
		if err := s.liveBot(ctx, tx, d.OwnerID, d.BotID); err != nil {
			return err
		}
		if duplicate, err = twin(ctx, tx, d); err != nil {
			return err
		}
		if document, err = tx.addDocument(ctx, d, original, place); err != nil {
			return err
		}
		return tx.audit(ctx, about(document.ID, deeds)...)
	})
	if err != nil {
		return kyro.Document{}, kyro.ID{}, err
	}
	return document, duplicate, nil
}

// patience is how long a write with an original may take.
func patience(original io.Reader, size *int64) time.Duration {
	if original == nil || size == nil {
		return writeTimeout
	}
	return writeTimeout + time.Duration(*size)*time.Second/slowestDisk
}

// addDocument adds a document of an owner and a bot that are held, with its first job: LIMIT_REACHED where there is no room.
func (tx *writeTx) addDocument(
	ctx context.Context, d kyro.NewDocument, original io.Reader, place func(kyro.Document) error,
) (document kyro.Document, err error) {
	row := newDocumentRow(d)
	if err := tx.roomFor(ctx, d.OwnerID, sizeOf(d)); err != nil {
		return document, err
	}
	if _, err := tx.NewInsert().Model(&row).Returning("id").Exec(ctx); err != nil {
		return document, err
	}
	if original != nil {
		if err := saveOriginal(ctx, tx, row.ID, row.Version, original); err != nil {
			return document, err
		}
	}
	document = row.noun()
	if place != nil {
		if err := place(document); err != nil {
			return document, err
		}
	}
	if err := saveObject(ctx, tx, row.ID, row.Version, d.Object); err != nil {
		return document, err
	}
	if err := fillSlot(ctx, tx, d.SlotID, row.ID, d.SizeBytes); err != nil {
		return document, err
	}
	return document, tx.enqueueIngest(ctx, &row)
}

func newDocumentRow(d kyro.NewDocument) documentRow {
	now := kyro.Moment(d.Now)
	row := documentRow{
		BotID: d.BotID.Key, OwnerID: d.OwnerID.Key, Kind: string(d.Kind),
		Title: clean(d.Title), SearchKey: fold(clean(d.Title + "\n" + d.FileName)), FileName: clean(d.FileName),
		MimeType: d.MimeType, SizeBytes: d.SizeBytes, Version: 1, Run: 1, Status: string(kyro.DocumentQueued),
		ContentHash: d.ContentHash, Warnings: []kyro.DocumentWarning{}, CreatedAt: now, UpdatedAt: now,
		LastRun: &kyro.DocumentRun{Cause: kyro.RunAdded, StartedAt: now}, URL: d.URL, CrawlID: keyOrNil(d.CrawlID),
		PageURL: d.URL, TitleGiven: d.TitleGiven,
	}
	if d.Page != nil {
		row.fetched(*d.Page, now)
	}
	return row
}

func sizeOf(d kyro.NewDocument) int64 {
	if d.SizeBytes == nil {
		return 0
	}
	return *d.SizeBytes
}

// twin is the first live document of the bot with the same content, or zero.
func twin(ctx context.Context, tx *writeTx, d kyro.NewDocument) (kyro.ID, error) {
	if d.ContentHash == "" {
		return kyro.ID{}, nil
	}
	var ids []int64
	err := tx.NewSelect().Table("documents").Column("id").
		Where("bot_id = ? AND content_hash = ? AND deleted_at IS NULL", d.BotID.Key, d.ContentHash).
		Order("id").Limit(1).Scan(ctx, &ids)
	if err != nil || len(ids) == 0 {
		return kyro.ID{}, err
	}
	return kyro.DocumentID(ids[0]), nil
}

// Documents implements ingest.Store.
func (s *Store) Documents(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Document, error) {
	documents, err := all(ctx, s, documentsOf(owner, kyro.DocumentFilter{}).byID(ids), "")
	return documents, failed("read documents", err)
}

// DocumentPages lists the documents of each bot of the owner, newest first.
func (s *Store) DocumentPages(
	ctx context.Context, owner kyro.ID, bots []kyro.ID, filter kyro.DocumentFilter, req kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.Document], error) {
	ofBot := parentage[documentRow, kyro.Document]{column: "d.bot_id", of: func(d *kyro.Document) kyro.ID { return d.BotID }}
	order := byTime("d.created_at", "d.id", kyro.Desc,
		func(d *kyro.Document) time.Time { return d.CreatedAt }, (*kyro.Document).NodeID)
	result, err := pages(ctx, s, documentsOf(owner, filter), bots, ofBot, req, order)
	return result, failed("list documents", err)
}

// Unfinished gives documents of a live bot that a run of ingestion is not over for, oldest first: at most limit, those
// behind after, or the first ones where after is the zero Document.
func (s *Store) Unfinished(ctx context.Context, owner, bot kyro.ID, after kyro.Document, limit int) ([]kyro.Document, error) {
	var rows []documentRow
	query := s.read().NewSelect().Model(&rows).
		Where("d.bot_id = ? AND d.owner_id = ? AND d.deleted_at IS NULL", bot.Key, owner.Key).
		Where("d.status NOT IN (?)", bun.List(kyro.FinalDocumentStatuses))
	if !after.ID.IsZero() {
		query = query.Where("(d.created_at, d.id) > (?, ?)", kyro.Moment(after.CreatedAt), after.ID.Key)
	}
	err := query.Order("d.created_at", "d.id").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, failed("read unfinished documents", err)
	}
	return convert(rows, (*documentRow).noun), nil
}

func documentsOf(owner kyro.ID, f kyro.DocumentFilter) selection[documentRow, kyro.Document] {
	some := rowsOf(documentTable).where("d.owner_id = ? AND d.deleted_at IS NULL", owner.Key)
	if len(f.Status) > 0 {
		some = some.and(func(q *query) { in(q, "d.status", f.Status) })
	}
	if len(f.Kind) > 0 {
		some = some.and(func(q *query) { in(q, "d.kind", f.Kind) })
	}
	if f.Search != "" {
		some = some.where(`d.search_key LIKE ? ESCAPE '\'`, contains(clean(f.Search)))
	}
	return some
}

// Deleted implements ingest.Store.
func (s *Store) Deleted(ctx context.Context, ids []kyro.ID) ([]kyro.ID, error) {
	return s.without(ctx, ids, "deleted_at IS NULL")
}

// DeletedBefore gives those of the documents that were deleted before a moment, or that are not there at all.
func (s *Store) DeletedBefore(ctx context.Context, ids []kyro.ID, at time.Time) ([]kyro.ID, error) {
	return s.without(ctx, ids, "(deleted_at IS NULL OR deleted_at >= ?)", kyro.Moment(at))
}

// SettledBefore gives those of the documents that were deleted before a moment, or that are not there at all, or whose version in use was
// ready before.
func (s *Store) SettledBefore(ctx context.Context, ids []kyro.ID, at time.Time) ([]kyro.ID, error) {
	moment := kyro.Moment(at)
	return s.without(ctx, ids, "(deleted_at >= ? OR deleted_at IS NULL AND (ready_at IS NULL OR ready_at >= ?))", moment, moment)
}

// without gives those of the documents that have no row which meets the condition.
func (s *Store) without(ctx context.Context, ids []kyro.ID, condition string, args ...any) ([]kyro.ID, error) {
	var gone []kyro.ID
	for batch := range slices.Chunk(ids, 1_000) {
		var live []int64
		err := s.read().NewSelect().Table("documents").Column("id").
			Where("id IN (?)", keys(batch)).Where(condition, args...).Scan(ctx, &live)
		if err != nil {
			return nil, failed("look for deleted documents", err)
		}
		for _, id := range batch {
			if !slices.Contains(live, id.Key) {
				gone = append(gone, id)
			}
		}
	}
	return gone, nil
}
