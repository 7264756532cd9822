package ai

import (
	"cmp"
	"context"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ExaminedIndex is what an index of Pinecone says of itself.
type ExaminedIndex struct {
	Host    string
	Ready   bool // or not known, where its host is set
	State   string
	Dims    int
	Metric  string // "" where it does not tell
	Vectors int    // of all installations that share it
}

// ExaminePinecone asks what NewPinecone asks, and whether the index is ready and answers. Errors say what to do, in words
// for the operator, and nothing of the key.
func ExaminePinecone(ctx context.Context, c PineconeConfig) (x ExaminedIndex, err error) {
	c.Installation = cmp.Or(c.Installation, "doctor") // of which nothing is asked
	p, err := newPinecone(ctx, c, pineconePause)
	if err != nil {
		return x, err
	}
	defer p.Close()
	x.Host, x.Ready = p.host, true
	if c.Host == "" {
		control, err := pineconeURL("KYRO_PINECONE_CONTROL_URL", cmp.Or(c.ControlURL, pineconeControl))
		if err != nil {
			return x, err
		}
		found, err := p.describe(ctx, control)
		if err != nil {
			return x, err
		}
		if found.Status != nil {
			x.Ready, x.State = found.Status.Ready, string(found.Status.State)
		}
	}
	if !x.Ready {
		return x, nil
	}
	limited, cancel := context.WithTimeout(ctx, pineconeCallTime)
	defer cancel()
	stats, err := p.line.to("").DescribeIndexStats(context.WithValue(limited, metricKey{}, &x.Metric))
	if err != nil {
		cause := p.cause("DescribeIndexStats", err)
		if code := status.Code(err); code == codes.Unauthenticated || code == codes.PermissionDenied {
			return x, fmt.Errorf("%w (%w)", errPineconeKey, cause)
		}
		return x, fmt.Errorf("the index does not answer at %s (%w)", p.host, cause)
	}
	if stats.Dimension != nil {
		x.Dims = int(*stats.Dimension)
	}
	x.Vectors = int(stats.TotalVectorCount)
	return x, nil
}
