package transport

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"kyrochat/kyro"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// DefaultMaxResponse is how many bytes the data of one response, or of one event, may have.
const DefaultMaxResponse = 4 << 20

const codeResponseTooLarge = string(kyro.CodeResponseTooLarge)

// InterceptRootField stops writing what no response may hold. It sees what gqlgen's own executor writes, which builds
// the whole response in memory.
func (e Envelope) InterceptRootField(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	field := next(ctx)
	if field == nil || field == graphql.Null {
		return field
	}
	return graphql.WriterFunc(func(w io.Writer) { field.MarshalGQL(&bounded{to: w, left: e.maxResponse()}) })
}

// bounded is a writer that drops what comes after it has written too much.
type bounded struct {
	to   io.Writer
	left int
}

// Write goes on for one piece beyond the limit, so that what was written shows that it is too much.
func (b *bounded) Write(p []byte) (int, error) {
	if b.left < 0 {
		return len(p), nil
	}
	b.left -= len(p)
	return b.to.Write(p)
}

// WriteString spares texts a copy.
func (b *bounded) WriteString(s string) (int, error) {
	if b.left < 0 {
		return len(s), nil
	}
	b.left -= len(s)
	return io.WriteString(b.to, s)
}

// fit gives an error instead of a response that is too large, or for which too much would have to be read. What a
// mutation did is done.
func (e Envelope) fit(ctx context.Context, response *graphql.Response) *graphql.Response {
	if response != nil {
		for _, err := range response.Errors {
			if codeOf(err) == codeResponseTooLarge {
				return &graphql.Response{Errors: gqlerror.List{err}, Data: []byte("null"), Extensions: response.Extensions, HasNext: response.HasNext}
			}
		}
	}
	if response == nil || len(response.Data) <= e.maxResponse() {
		return response
	}
	why := requestError(codeResponseTooLarge,
		fmt.Sprintf("The answer is larger than %d bytes. Ask for smaller pages (first, last), or for less in each element.", e.maxResponse()))
	why.Extensions["requestId"] = RequestIDFrom(ctx)
	return &graphql.Response{Errors: gqlerror.List{why}, Data: []byte("null"), Extensions: response.Extensions, HasNext: response.HasNext}
}

func (e Envelope) maxResponse() int { return cmp.Or(e.MaxResponse, DefaultMaxResponse) }
