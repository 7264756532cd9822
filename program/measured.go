package program

import (
	"context"
	"io"
	"time"

	"kyrochat/account"
	"kyrochat/ingest"
	"kyrochat/kyro"
)

// Upstreams that have one door only are measured here, and told to traces.

// measuredPost is a mail server.
type measuredPost struct {
	account.Post
	told func(ctx context.Context, upstream, call string, began time.Time, err error)
}

// Send implements account.Post.
func (p measuredPost) Send(ctx context.Context, mail kyro.Mail) error {
	began := time.Now()
	err := p.Post.Send(ctx, mail)
	p.told(ctx, "smtp", "send", began, err)
	return err
}

// measuredFetcher is the web, of which the time until a page's head is there counts.
type measuredFetcher struct {
	ingest.Fetcher
	told func(ctx context.Context, upstream, call string, began time.Time, err error)
}

// Fetch implements ingest.Fetcher.
func (f measuredFetcher) Fetch(ctx context.Context, what kyro.Fetch) (kyro.Fetched, error) {
	began := time.Now()
	got, err := f.Fetcher.Fetch(ctx, what)
	f.told(ctx, "web", "fetch", began, err)
	return got, err
}

// measuredBucket is where originals are kept.
type measuredBucket struct {
	ingest.Originals
	told func(ctx context.Context, upstream, call string, began time.Time, err error)
}

// Put implements ingest.Originals.
func (b measuredBucket) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	began := time.Now()
	err := b.Originals.Put(ctx, key, r, size)
	b.told(ctx, "s3", "put", began, err)
	return err
}

// Open implements ingest.Originals.
func (b measuredBucket) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	began := time.Now()
	body, err := b.Originals.Open(ctx, key)
	b.told(ctx, "s3", "open", began, err)
	return body, err
}

// Remove implements ingest.Originals.
func (b measuredBucket) Remove(ctx context.Context, keys []string) error {
	began := time.Now()
	err := b.Originals.Remove(ctx, keys)
	b.told(ctx, "s3", "remove", began, err)
	return err
}
