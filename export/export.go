// Package export makes files of what belongs to somebody, in the background, for them to download: the conversations with a
// bot, and everything that is kept of a person.
//
// An export holds what was there when it was asked for and still is when it is read: messages that are created later are not
// in it, nor is anything that was deleted before. It is whole or not there: a worker that is cut off begins anew.
package export

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"kyrochat/kyro"
)

// Store keeps exports. What has expired or is deleted is not there for those who read by owner.
type Store interface {
	// StartExport stores an export with its job and the letter that tells the owner; the deeds' target is the export. Where
	// the owner has one under way that was asked for alike, it gives that one and stores nothing. NOT_FOUND for a bot that is
	// not a live one of the owner's, LIMIT_REACHED where the owner has so many that are under way or ready.
	StartExport(ctx context.Context, e kyro.Export, most int, deeds ...kyro.AuditEntry) (kyro.Export, error)
	// Exports reads exports of the owner, in any order.
	Exports(ctx context.Context, owner kyro.ID, ids []kyro.ID, now time.Time) ([]kyro.Export, error)
	// ExportsOf are the exports of the owner, newest first, at most kyro.MaxExportsListed.
	ExportsOf(ctx context.Context, owner kyro.ID, now time.Time) ([]kyro.Export, error)
	// DeleteExport takes an export of the owner away at once, with a job that removes what is left of it. NOT_FOUND where
	// there is none.
	DeleteExport(ctx context.Context, owner, id kyro.ID, now time.Time, deeds ...kyro.AuditEntry) error

	Work
	File
	Contents
}

// Work is what those need who make exports. An attempt counts as long as nobody began another one, the export is there and
// its owner's account in use: else NOT_FOUND, and nothing is written.
type Work interface {
	// BeginExport begins another attempt at an export that is not final.
	BeginExport(ctx context.Context, id kyro.ID, now time.Time) (kyro.Export, error)
	// NoteExport notes how far the attempt is.
	NoteExport(ctx context.Context, e kyro.Export, now time.Time) error
	// FinishExport makes an export READY whose file is kept.
	FinishExport(ctx context.Context, e kyro.Export, now, expires time.Time) error
	// FailExport gives an export up that is there and not final, if it is at the attempt, or whatever it is at for attempt 0.
	FailExport(ctx context.Context, id kyro.ID, attempt int64, why *kyro.Error, now, expires time.Time) error
	// ExpireExports takes those away that have expired, each with a JobDropExport.
	ExpireExports(ctx context.Context, now time.Time) error
	// DeletedExport reads an export that was taken away; NOT_FOUND where there is none.
	DeletedExport(ctx context.Context, id kyro.ID) (kyro.Export, error)
	// DropExport removes all rows of an export that was taken away.
	DropExport(ctx context.Context, id kyro.ID) error
	// UnknownExports gives those of which there is no row.
	UnknownExports(ctx context.Context, ids []kyro.ID) ([]kyro.ID, error)
}

// File keeps files where every process on the database finds them, if neither a bucket nor a folder does.
type File interface {
	// SaveExport keeps the file of an attempt, part by part.
	SaveExport(ctx context.Context, e kyro.Export, file io.Reader) error
	// ExportFile reads it, as long as ctx lasts; NOT_FOUND, also in the middle, where it is gone.
	ExportFile(ctx context.Context, e kyro.Export) io.ReadSeeker
}

// Contents are what exports are made of, of one owner each: what the owner sees through the API, a page at a time.
type Contents interface {
	Users(ctx context.Context, ids []kyro.ID) ([]kyro.User, error)
	SessionsOf(ctx context.Context, user kyro.ID, since, now time.Time) ([]kyro.Session, error)
	APIKeysOf(ctx context.Context, user kyro.ID) ([]kyro.APIKey, error)
	Usage(ctx context.Context, owner kyro.ID, targets []kyro.ID, r kyro.UsageRange, days bool) (map[kyro.ID]kyro.Usage, error)
	Budgets(ctx context.Context, owner kyro.ID, targets []kyro.ID, now time.Time) (map[kyro.ID][]kyro.HardBudget, error)
	AuditPage(ctx context.Context, user kyro.ID, page kyro.PageRequest) (kyro.Page[kyro.AuditEntry], error)
	GapPages(ctx context.Context, owner kyro.ID, bots []kyro.ID, filter kyro.GapFilter, page kyro.PageRequest) (map[kyro.ID]kyro.Page[kyro.Gap], error)
	GapQuestionPages(ctx context.Context, owner kyro.ID, gaps []kyro.ID, page kyro.PageRequest) (map[kyro.ID]kyro.Page[kyro.GapQuestion], error)
	BotPage(ctx context.Context, owner kyro.ID, filter kyro.BotFilter, order kyro.BotOrder, page kyro.PageRequest) (kyro.Page[kyro.Bot], error)
	DocumentPages(ctx context.Context, owner kyro.ID, bots []kyro.ID, filter kyro.DocumentFilter, page kyro.PageRequest) (map[kyro.ID]kyro.Page[kyro.Document], error)
	CrawlsOfBots(ctx context.Context, owner kyro.ID, bots []kyro.ID, page kyro.PageRequest) (map[kyro.ID]kyro.Page[kyro.Crawl], error)
	ConversationPage(
		ctx context.Context, user kyro.ID, filter kyro.ConversationFilter, order kyro.ConversationOrder, page kyro.PageRequest,
	) (kyro.Page[kyro.Conversation], error)
	MessagePages(
		ctx context.Context, user kyro.ID, conversations []kyro.ID, superseded bool, page kyro.PageRequest,
	) (map[kyro.ID]kyro.Page[kyro.Message], error)
}

// Originals opens the files that documents were made from. NOT_FOUND where none is kept.
type Originals interface {
	OpenOriginal(ctx context.Context, owner, document kyro.ID) (name string, body io.ReadSeekCloser, err error)
}

// Folder keeps the files of this node: those that are being made, and those of exports where no other process is.
type Folder interface {
	// Create opens an empty file that nobody sees. Discard closes and removes it, unless it was kept.
	Create() (*os.File, error)
	Discard(file *os.File)
	// Sweep removes what crashes left of files that were being made: those that this process is not making, and that were
	// not changed for longer than a turn takes. Create does so first.
	Sweep() error
	// Keep puts a file in the place of what was kept of the export before. It survives a crash then.
	Keep(file *os.File, id kyro.ID) error
	// Open opens the file of an export; NOT_FOUND where there is none.
	Open(id kyro.ID) (*os.File, error)
	// Remove removes the file of an export. None is no error.
	Remove(id kyro.ID) error
	// Kept gives the exports of which there are files from before a time.
	Kept(before time.Time) ([]kyro.ID, error)
}

// Bucket keeps files outside of the database. Objects that no row refers to are removed by whoever sweeps it.
type Bucket interface {
	Put(ctx context.Context, key string, r io.Reader, size int64) error
	Open(ctx context.Context, key string) (io.ReadSeekCloser, error)
	Remove(ctx context.Context, keys []string) error
}

// Grants makes and reads capabilities: whoever has one may do one thing until it expires.
type Grants interface {
	Grant(use string, expires time.Time, about ...int64) string
	Granted(use, token string, now time.Time) (about []int64)
}

// Limiter counts how often things are done.
type Limiter interface {
	Take(ctx context.Context, key string, rate kyro.Rate) (kyro.Allowance, error)
}

// Config is what a Service is made of.
type Config struct {
	Store     Store
	Originals Originals
	Folder    Folder
	Bucket    Bucket // has all files; nil: they are where Shared says
	Shared    bool   // several processes share the database, which has the files then; else the folder has them
	Grants    Grants
	Base      func() string // the address of the server, without a slash at its end
	Limiter   Limiter       // nil: nobody counts
	Rate      kyro.Rate     // of exports that one user asks for; zero: no limit
	TTL       time.Duration // how long an export is there once it is final; default kyro.ExportTTL
	MaxBytes  int64         // of one file; default kyro.MaxExportBytes
	NewKey    func() string // of an object in the bucket, never the same; default 128 random bits
	Version   string        // of the server, for the manifest
	Currency  string        // of the price table
	Now       func() time.Time
	Log       *slog.Logger
}

// Service is the use cases of exports.
type Service struct {
	Config
}

// New makes the use cases.
func New(c Config) *Service {
	if c.TTL <= 0 {
		c.TTL = kyro.ExportTTL
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = kyro.MaxExportBytes
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewKey == nil {
		c.NewKey = func() string { return strings.ToLower(rand.Text()) }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("part", "export")
	return &Service{c}
}

func (s *Service) time() time.Time { return kyro.Moment(s.Now()) }
