package setup

import (
	"context"
	"fmt"

	"kyrochat/ingest"
	"kyrochat/ingest/bucket"
)

// OpenBucket gives the bucket of the settings, which has to be there; nil where none is set.
func OpenBucket(ctx context.Context, o bucket.Options, installation string) (ingest.Originals, error) {
	if o.Endpoint == "" {
		return nil, nil
	}
	o.Installation = installation
	kept, err := bucket.Open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("the bucket (KYRO_S3_ENDPOINT, KYRO_S3_BUCKET) cannot be used: %w", err)
	}
	return kept, nil
}

// OpenPatiently gives the bucket as OpenBucket, for a command that has all files to read or to put, and nobody who waits.
func OpenPatiently(ctx context.Context, o bucket.Options, installation string) (ingest.Originals, error) {
	o.Patient = true
	return OpenBucket(ctx, o, installation)
}
