// Package bucket keeps originals in a bucket of an object storage that speaks S3. Every object is one request, whole or not
// at all; nothing is kept of what it is told but the keys, which are the caller's.
package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"kyrochat/kyro"
)

// Options say where the bucket is.
type Options struct {
	Endpoint     string // http:// or https:// with host and port
	Bucket       string
	Region       string
	AccessKey    string
	SecretKey    kyro.Secret
	Prefix       string        // of every key; may be empty
	Installation string        // whose objects they are: several may share a bucket and a prefix
	PathStyle    bool          // the bucket is in the path, not in the host
	Idle         time.Duration // how long nothing may come of an object that is read; zero: 40 s
	Patient      bool          // for who has much to do and nobody waiting: what fails is tried again for half a minute, and an object that breaks off is read on
}

const (
	lookTime    = 10 * time.Second       // for the bucket to show itself at the start
	headTime    = 10 * time.Second       // for the first byte of an answer
	removeTime  = 30 * time.Second       // for a batch of objects to be removed
	idleTime    = (tries + 1) * headTime // for some of an object, with all tries to have it
	leastTime   = 30 * time.Second       // for an object to be put, besides what its size takes
	slowestLine = 1 << 20                // bytes in a second, at least
	tries       = 3                      // of a request that failed
	manyTries   = 9                      // of one that is patient: some 28 s pass between them
	longestWait = 8 * time.Second        // between two of them
	page        = 500                    // keys that are visited, or removed, at once
)

// Bucket satisfies ingest.Originals.
type Bucket struct {
	reads  *minio.Client // tries again by itself
	writes *minio.Client // does not: a request that was refused early may still be reading the body when the next one does
	bucket string
	prefix string // of the installation, with a slash at its end
	idle   time.Duration

	patient bool
	tries   int
}

// Open looks whether the bucket is there and lets us in.
func Open(ctx context.Context, o Options) (*Bucket, error) {
	endpoint, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	lookup := minio.BucketLookupDNS
	if o.PathStyle {
		lookup = minio.BucketLookupPath
	}
	settings := minio.Options{
		Creds: credentials.NewStaticV4(o.AccessKey, string(o.SecretKey), ""), Secure: endpoint.Scheme == "https", Region: o.Region,
		BucketLookup: lookup, MaxRetries: tries,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: headTime,
			MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, DisableCompression: true, ForceAttemptHTTP2: true,
		},
	}
	once := settings
	once.MaxRetries = 1
	b := &Bucket{
		bucket: o.Bucket, idle: cmp.Or(o.Idle, idleTime), prefix: strings.TrimPrefix(path.Join(o.Prefix, o.Installation)+"/", "/"),
		patient: o.Patient, tries: tries,
	}
	if o.Patient {
		b.tries = manyTries
	}
	if b.reads, err = minio.New(endpoint.Host, &settings); err != nil {
		return nil, err
	}
	if b.writes, err = minio.New(endpoint.Host, &once); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	there, err := b.reads.BucketExists(ctx, o.Bucket)
	switch {
	case err != nil:
		return nil, fmt.Errorf("look for the bucket %s: %s", o.Bucket, plain(err))
	case !there:
		return nil, fmt.Errorf("there is no bucket %s: make it first", o.Bucket)
	}
	return b, nil
}

// plain is what the storage said, in one line.
func plain(err error) string {
	if said := minio.ToErrorResponse(err); said.Code != "" && said.StatusCode != 0 {
		return fmt.Sprintf("%s (HTTP %d)", said.Code, said.StatusCode)
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err // without an address that is signed
	}
	return err.Error()
}

// answered makes of an error of the storage what callers go by.
func answered(did string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	said := minio.ToErrorResponse(err)
	cause := fmt.Errorf("%s: %s", did, plain(err))
	switch {
	case said.Code == minio.NoSuchKey:
		return kyro.NotFound(kyro.KindDocument).Because(cause)
	case errors.Is(err, context.DeadlineExceeded):
		return kyro.Errorf(kyro.CodeTimeout, "The storage of files takes too long to answer.").Because(cause)
	default: // refused keys, too: whoever runs the server can mend them, and then it goes on
		return kyro.Errorf(kyro.CodeUnavailable, "The storage of files does not answer at the moment.").Because(cause)
	}
}

// Put implements ingest.Originals. What can be read anywhere, as a file, is put from its beginning, a few times where that
// fails.
func (b *Bucket) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	within := leastTime + time.Duration(size)*time.Second/slowestLine // for all tries, or for each of who is patient
	if !b.patient {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, within)
		defer cancel()
	}
	again, whole := r.(io.ReaderAt)
	for try := 1; ; try++ {
		if whole {
			r = io.NewSectionReader(again, 0, size) // which shares no position with the one before
		}
		err := b.put(ctx, within, key, r, size)
		if err == nil || !whole || !b.again(ctx, try, err) {
			return answered("put an object", err)
		}
	}
}

// put puts in one request: nothing is left where it breaks off, and nothing of the file is held in memory.
func (b *Bucket) put(ctx context.Context, within time.Duration, key string, r io.Reader, size int64) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	_, err := b.writes.PutObject(ctx, b.bucket, b.prefix+key, r, size, minio.PutObjectOptions{
		ContentType: "application/octet-stream", DisableMultipart: true,
	})
	return err
}

// again reports whether what failed for the so-manieth time is to be tried once more, and waits before that, longer each time.
// What is refused stays so.
func (b *Bucket) again(ctx context.Context, try int, err error) bool {
	switch said := minio.ToErrorResponse(err).StatusCode; {
	case try >= b.tries:
		return false
	case said == http.StatusRequestTimeout || said == http.StatusTooManyRequests:
	case said >= 400 && said < 500:
		return false
	}
	return kyro.Pause(ctx, min(200*time.Millisecond<<(try-1), longestWait)) == nil
}

// Open implements ingest.Originals. Who reads waits for as long as some of it comes, and not for an object that has stopped in
// the middle: that is UNAVAILABLE.
func (b *Bucket) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	o := &object{of: b, key: key, reader: ctx}
	if err := o.begin(); err != nil {
		return nil, answered("read an object", err)
	}
	return o, nil
}

// errIdle ends the reading of an object of which nothing comes.
var errIdle = errors.New("nothing came of it for too long")

// object is an object being read, from its storage with the first Read.
type object struct {
	of     *Bucket
	key    string
	reader context.Context // of who reads
	at     int64           // what comes next
	breaks int             // how often it broke off

	body   *minio.Object
	ctx    context.Context // of all its requests
	cancel context.CancelCauseFunc
}

// begin has it come from where it is read, instead of what came of it so far.
func (o *object) begin() error {
	ctx, cancel := context.WithCancelCause(o.reader)
	body, err := o.of.reads.GetObject(ctx, o.of.bucket, o.of.prefix+o.key, minio.GetObjectOptions{})
	if err != nil {
		cancel(nil)
		return err
	}
	if o.body != nil {
		_ = o.Close()
	}
	o.body, o.ctx, o.cancel = body, ctx, cancel
	if o.at > 0 {
		defer o.hurry()()
		_, err = body.Seek(o.at, io.SeekStart)
	}
	return err
}

// readOn reports whether an object that broke off can be read on, for who is patient.
func (o *object) readOn(err error) bool {
	for o.of.patient {
		if o.breaks++; !o.of.again(o.reader, o.breaks, err) {
			return false
		}
		if err = o.begin(); err == nil {
			return true
		}
	}
	return false
}

// Read implements io.Reader. An object that ends early is not read to its end.
func (o *object) Read(p []byte) (int, error) {
	for {
		calledOff := o.hurry()
		n, err := o.body.Read(p)
		calledOff()
		o.at += int64(n)
		switch {
		case err == nil || err == io.EOF:
			return n, err
		case n > 0: // the next one says it again
			return n, nil
		case !o.readOn(err):
			return 0, o.answered(err)
		}
	}
}

// Seek implements io.Seeker.
func (o *object) Seek(offset int64, whence int) (int64, error) {
	for {
		calledOff := o.hurry()
		at, err := o.body.Seek(offset, whence)
		calledOff()
		if err == nil {
			o.at = at
			return at, nil
		}
		if err == io.EOF || !o.readOn(err) { // there is no such place
			return 0, o.answered(err)
		}
	}
}

// hurry gives up the object, unless it is called off in time. Time that the reader takes is not counted.
func (o *object) hurry() (calledOff func() bool) {
	cancel := o.cancel
	return time.AfterFunc(o.of.idle, func() { cancel(errIdle) }).Stop
}

func (o *object) answered(err error) error {
	if err != nil && err != io.EOF && errors.Is(context.Cause(o.ctx), errIdle) {
		err = errIdle
	}
	return answered("read an object", err)
}

// Close implements io.Closer.
func (o *object) Close() error {
	defer o.cancel(nil)
	return o.body.Close()
}

// Remove implements ingest.Originals.
func (b *Bucket) Remove(ctx context.Context, keys []string) error {
	for len(keys) > 0 {
		batch := keys[:min(page, len(keys))]
		keys = keys[len(batch):]
		for try := 1; ; try++ {
			err := b.remove(ctx, batch)
			if err == nil {
				break
			}
			if !b.patient || !b.again(ctx, try, err) {
				return answered("remove objects", err)
			}
		}
	}
	return nil
}

func (b *Bucket) remove(ctx context.Context, keys []string) error {
	ctx, cancel := context.WithTimeout(ctx, removeTime)
	defer cancel()
	objects := make(chan minio.ObjectInfo, len(keys))
	for _, key := range keys {
		objects <- minio.ObjectInfo{Key: b.prefix + key}
	}
	close(objects)
	var first error
	for failed := range b.writes.RemoveObjects(ctx, b.bucket, objects, minio.RemoveObjectsOptions{}) {
		if said := minio.ToErrorResponse(failed.Err); said.Code != minio.NoSuchKey && first == nil {
			first = failed.Err
		}
	}
	return first
}

// Walk implements ingest.Originals.
func (b *Bucket) Walk(ctx context.Context, before time.Time, visit func(keys []string) error) error {
	ctx, cancel := context.WithCancel(ctx) // ends the listing where visit does
	defer cancel()
	var keys []string
	for info := range b.reads.ListObjects(ctx, b.bucket, minio.ListObjectsOptions{Prefix: b.prefix, Recursive: true, MaxKeys: page}) {
		if info.Err != nil {
			return answered("list objects", info.Err)
		}
		if info.LastModified.Before(before) {
			keys = append(keys, strings.TrimPrefix(info.Key, b.prefix))
		}
		if len(keys) < page {
			continue
		}
		if err := visit(keys); err != nil {
			return err
		}
		keys = nil
	}
	if len(keys) == 0 {
		return nil
	}
	return visit(keys)
}
