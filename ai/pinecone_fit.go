package ai

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/pinecone-io/go-pinecone/v5/pinecone"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// fitness is what was found when the index was looked at.
type fitness struct{ err error } // nil: it fits

// look looks at the index before the server starts. That it cannot be reached now is no error.
func (p *Pinecone) look(ctx context.Context) error {
	if p.fit.Load() != nil { // it was when its host was looked up
		return nil
	}
	var misfit string
	var err error
	for tried := 1; ; tried++ {
		limited, cancel := context.WithTimeout(ctx, p.writes.each)
		misfit, err = p.examine(limited)
		cancel()
		if err == nil || tried == 2 || !passing(err) || p.pause(ctx, 0, p.writes.pause) != nil {
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case misfit != "":
		return errors.New(misfit)
	case err == nil:
		p.fit.Store(&fitness{})
		return nil
	}
	cause := p.cause("DescribeIndexStats", err)
	switch status.Code(err) {
	case codes.Unauthenticated, codes.PermissionDenied:
		return fmt.Errorf("%w (%w)", errPineconeKey, cause)
	case codes.NotFound, codes.Unimplemented:
		return fmt.Errorf("KYRO_PINECONE_HOST leads to something that is no index of Pinecone: take the host that app.pinecone.io "+
			"shows for the index, or leave it out and set KYRO_PINECONE_INDEX (%w)", cause)
	}
	p.log.Warn("the index cannot be reached now; answers use words alone until it can", "error", cause)
	return nil
}

// looked looks at the index before it is used, where that was not possible before. Once it was found not to fit, that
// stays: dimension and metric of an index never change.
func (p *Pinecone) looked(ctx context.Context) error {
	if f := p.fit.Load(); f != nil {
		return f.err
	}
	misfit, err := p.examine(ctx)
	if err != nil {
		return err
	}
	found := &fitness{}
	if misfit != "" {
		found.err = pineconeRefused().Because(errors.New(misfit))
	}
	if p.fit.CompareAndSwap(nil, found) && misfit != "" {
		p.log.Error("the index cannot be used: set it right and start again", "why", misfit)
	}
	return p.fit.Load().err
}

// examine asks the index what it is, and says what is wrong with that.
func (p *Pinecone) examine(ctx context.Context) (misfit string, err error) {
	metric := ""
	stats, err := p.line.to("").DescribeIndexStats(context.WithValue(ctx, metricKey{}, &metric))
	if err != nil {
		return "", err
	}
	dims := 0
	if stats.Dimension != nil {
		dims = int(*stats.Dimension)
	}
	return p.misfit(dims, metric), nil
}

// misfit says what is wrong with an index of the dimension and the metric, and what to do; nothing where it fits. An index
// of sparse vectors has no dimension. One that does not tell its metric is taken.
func (p *Pinecone) misfit(dims int, metric string) string {
	name := p.index
	if name == "" {
		name = p.host
	}
	switch {
	case dims == 0:
		return fmt.Sprintf("KYRO_PINECONE_INDEX: the index %s holds sparse vectors, and those of KyroChat are dense; %s", name, p.howToMakeOne(p.otherName()))
	case dims != p.dims:
		return fmt.Sprintf("KYRO_PINECONE_INDEX: the index %s has %d dimensions, and KYRO_EMBEDDING_DIMS is %d: set KYRO_EMBEDDING_DIMS to %d, "+
			"where the embedding model makes such vectors, or name another index; %s", name, dims, p.dims, dims, p.howToMakeOne(p.otherName()))
	case metric != "" && metric != string(pinecone.Cosine) && metric != string(pinecone.Dotproduct):
		return fmt.Sprintf("KYRO_PINECONE_INDEX: the index %s compares by %s, and similarities are told by cosine or dotproduct alone: "+
			"name another index; %s", name, metric, p.howToMakeOne(p.otherName()))
	}
	return ""
}

// otherName is a name for an index beside one that does not fit.
func (p *Pinecone) otherName() string {
	return fmt.Sprintf("%s-%d", cmp.Or(p.index, "kyrochat"), p.dims)
}

// howToMakeOne says how an index of the name that fits is made.
func (p *Pinecone) howToMakeOne(name string) string {
	return fmt.Sprintf("one that fits has dense vectors of %d dimensions and the metric cosine, and is made at app.pinecone.io or by "+
		`curl https://api.pinecone.io/indexes -H "Api-Key: $PINECONE_API_KEY" -H "X-Pinecone-Api-Version: 2025-10" `+
		`-H "Content-Type: application/json" -d '{"name":"%s","dimension":%d,"metric":"cosine","spec":{"serverless":{"cloud":"aws","region":"us-east-1"}}}'`,
		p.dims, name, p.dims)
}

// metricKey is where a call keeps the metric that the index told: the SDK drops it from what it gives.
type metricKey struct{}

// noteMetric reads the metric from the answer on the wire.
func noteMetric(
	ctx context.Context, method string, asked, answer any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption,
) error {
	err := invoke(ctx, method, asked, answer, conn, o...)
	metric, wanted := ctx.Value(metricKey{}).(*string)
	message, ok := answer.(proto.Message)
	if err != nil || !wanted || !ok {
		return err
	}
	read := message.ProtoReflect()
	if field := read.Descriptor().Fields().ByName("metric"); field != nil {
		*metric = read.Get(field).String()
	}
	return nil
}
