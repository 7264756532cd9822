package program

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"kyrochat/config"
	"kyrochat/ingest"
	"kyrochat/ingest/extract"
	"kyrochat/ingest/fetch"
	"kyrochat/ingest/files"
	"kyrochat/kyro"
	"kyrochat/setup"
	"kyrochat/store"
)

// newIngest makes the use cases of documents and gives the queue its handlers. Originals go where every process on
// the database can read them, or into the bucket that is set; the folder has those that an earlier version put there.
func (a *app) newIngest(ctx context.Context, st *store.Store, installation string) error {
	originals, err := files.Open(filepath.Join(a.cfg.DataDir, "files"), !a.pools.Postgres())
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the own binary, which reads documents in a process of its own: %w", err)
	}
	kept, err := setup.OpenBucket(ctx, a.cfg.Storage.Bucket, installation)
	if err != nil {
		return err
	}
	a.extractor = extract.NewPool([]string{self, "extract"}, a.cfg.Limits, a.log)
	if a.fetcher, err = newFetcher(a.cfg, a.limits.unfetched, a.log); err != nil {
		return fmt.Errorf("make what fetches pages: %w", err)
	}
	var fetcher ingest.Fetcher = a.fetcher
	if told := a.measured.calls; told != nil {
		fetcher = measuredFetcher{fetcher, told}
		if kept != nil {
			kept = measuredBucket{kept, told}
		}
	}
	a.bucket = kept
	a.documents = ingest.New(ingest.Config{
		Store: st, Bots: st, Heads: a.caches.documents, Files: originals, Extractor: a.extractor, Sniff: extract.Sniff, SniffPage: extract.SniffFetched,
		Fetcher: fetcher, Addresses: ingest.Addresses{Canonical: fetch.CanonicalURL, SameSite: fetch.SameSite},
		Hour: a.hooks.pages.hour, FetchPause: a.hooks.pages.pause,
		Metered: a.providers.Gemini != nil, Prices: a.cfg.Prices, Embedder: a.providers.Passages, Index: a.providers.Index, Progress: a.nodes.progress, Limits: a.cfg.Limits, Log: a.log,
		Shared: a.pools.Postgres(), Recheck: a.cfg.Recheck(), Limiter: a.nodes.rates, Rate: a.cfg.Rates.Documents,
		Slots: st, Parts: originals, Objects: st, Originals: kept, Grants: a.tokens, Base: func() string { return a.cfg.PublicURL },
		Held: st.Held, SlotTTL: a.cfg.Storage.UploadTTL, Jobs: a.queue, Now: a.hooks.now, Measure: a.measured.documents,
	})
	a.queue.Handle(kyro.JobIngest, a.documents.Work)
	a.queue.OnExhausted(kyro.JobIngest, a.documents.GiveUp)
	a.queue.Handle(kyro.JobCrawl, a.documents.WorkCrawl)
	a.queue.OnExhausted(kyro.JobCrawl, a.documents.GiveUpCrawl)
	a.queue.Periodic(kyro.JobSync, cmp.Or(a.hooks.pages.every, time.Minute), a.documents.Sync)
	a.queue.Handle(kyro.JobPurge, a.documents.Purge)
	a.queue.Handle(kyro.JobPurgeBot, a.documents.PurgeBot)
	a.queue.Handle(kyro.JobEmbed, a.documents.Embed)
	a.queue.OnExhausted(kyro.JobEmbed, a.documents.GiveUpEmbed)
	a.queue.Periodic(kyro.JobFeed, time.Minute, a.documents.Feed)
	a.queue.Periodic(kyro.JobSweepFiles, time.Hour, a.documents.Sweep)
	a.queue.Periodic(kyro.JobRefresh, a.cfg.RefreshEvery, a.documents.Refresh)
	a.queue.Periodic(kyro.JobReconcile, a.cfg.ReconcileEvery, a.documents.Reconcile)
	return nil
}

// newFetcher makes what fetches pages of the web, to be closed after use. The addresses that this machine has now are its
// own: they are refused, also where they are public. denied is told what may not be reached.
func newFetcher(cfg config.Config, denied func(ctx context.Context, host string), log *slog.Logger) (*fetch.Fetcher, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var own []netip.Addr
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own = append(own, p.Addr())
		}
	}
	c := cfg.Fetch
	return fetch.New(fetch.Options{
		Allow: c.Allow, Own: own, DNS: c.DNS, UserAgent: c.Agent, MaxPage: int64(c.MaxBytes), MaxFile: cfg.Limits.MaxUploadBytes,
		Delay: c.Delay, Total: c.Timeout, Log: log, Denied: denied,
	}), nil
}
