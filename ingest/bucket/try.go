package bucket

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// Try puts an object, reads it and removes it again, to find out whether all of that is allowed.
func (b *Bucket) Try(ctx context.Context) error {
	const key = "try"
	body := []byte("KyroChat tried whether files can be kept here.")
	if err := b.Put(ctx, key, bytes.NewReader(body), int64(len(body))); err != nil {
		return err
	}
	r, err := b.Open(ctx, key)
	if err == nil {
		var got []byte
		if got, err = io.ReadAll(r); err == nil && !bytes.Equal(got, body) {
			err = errors.New("an object is not what was put")
		}
		err = errors.Join(err, r.Close())
	}
	return errors.Join(err, b.Remove(ctx, []string{key}))
}
