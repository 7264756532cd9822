package transport

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"kyrochat/kyro"
)

// Limiter counts how often something is done under a key. Take counts it once more, if the rate allows it, and says
// so. It answers within a fraction of a second, and does not wait for its turn. An error means that nobody could
// count: what was asked is done then, because these limits keep a busy client from others and guard no secret. It is
// the limiter that logs why, once and not for every request.
type Limiter interface {
	Take(ctx context.Context, key string, rate kyro.Rate) (kyro.Allowance, error)
}

// Rates is the handler extension that bounds how many operations somebody sends: a user, or who is behind a network
// address (kyro.Viewer.Network) where nobody is signed in. Every operation counts once, when it comes in, whatever it
// asks for, and so does one that is refused for another reason. It has to be used before Documents: an operation that
// is one too many is not even parsed.
type Rates struct {
	Limiter    Limiter
	Operations kyro.Rate
	Connects   kyro.Rate // websockets that are opened, by network address; as many may be open there without anybody signed in
	Messages   kyro.Rate // that a client sends on one websocket, of any kind; one too many closes it with 4429
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationParameterMutator
} = Rates{}

// ExtensionName is for gqlgen's own lists.
func (Rates) ExtensionName() string { return "Rates" }

// Validate accepts every schema.
func (Rates) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters counts the operation. It changes nothing of it.
func (r Rates) MutateOperationParameters(ctx context.Context, _ *graphql.RawParams) *gqlerror.Error {
	viewer := kyro.ViewerFrom(ctx)
	who := viewer.Network.String()
	if viewer.SignedIn() {
		who = viewer.UserID.String()
	}
	left := r.take(ctx, "operations "+who, r.Operations)
	graphql.GetOperationContext(ctx).Stats.SetExtension(rateKey, left)
	if left.Allowed {
		return nil
	}
	why := left.Refusal("operations")
	return &gqlerror.Error{Err: why, Message: why.Message, Extensions: map[string]any{"code": string(why.Code)}}
}

// connect counts a websocket that is about to be opened, and refuses one too many.
func (r Rates) connect(ctx context.Context) *refusal {
	if r.Limiter == nil {
		return nil
	}
	left := r.take(ctx, "connects "+kyro.ViewerFrom(ctx).Network.String(), r.Connects)
	if left.Allowed {
		return nil
	}
	why := left.Refusal("connections")
	return &refusal{status: http.StatusTooManyRequests, code: string(why.Code), message: why.Message, retryAfter: why.RetryAfter}
}

// goesOn counts a message on a websocket, whose messages so far are paid for until paid, and gives until when they are then.
// Messages that ask for nothing, such as pings, are neither operations nor free.
func (r Rates) goesOn(paid, now time.Time) (until time.Time, ok bool) {
	if r.Messages.Unlimited() {
		return paid, true
	}
	if paid.Before(now) {
		paid = now
	}
	paid = paid.Add(r.Messages.Per / time.Duration(r.Messages.Count))
	return paid, paid.Sub(now) <= r.Messages.Per
}

// ofNobody is how many websockets of nobody one network may have open; 0 for any number.
func (r Rates) ofNobody() int {
	if r.Limiter == nil {
		return 0
	}
	return r.Connects.Count
}

const rateKey = "rate"

// left is what is left of a rate.
type left struct {
	kyro.Allowance
	limit int
}

func (r Rates) take(ctx context.Context, key string, rate kyro.Rate) left {
	if rate.Unlimited() {
		return unlimited()
	}
	allowance, err := r.Limiter.Take(ctx, key, rate)
	if err != nil {
		return unlimited()
	}
	return left{allowance, rate.Count}
}

func unlimited() left {
	return left{kyro.Allowance{Allowed: true, Remaining: kyro.NoLimit, ResetAt: graphql.Now()}, kyro.NoLimit}
}

// RateLimitFrom is what is left to the viewer after the operation that ctx belongs to, and what that is estimated to
// cost.
func RateLimitFrom(ctx context.Context) kyro.RateLimit {
	cost, _ := costFrom(ctx)
	rate, counted := graphql.GetOperationContext(ctx).Stats.GetExtension(rateKey).(left)
	if !counted {
		rate = unlimited()
	}
	return kyro.RateLimit{Limit: rate.limit, Remaining: rate.Remaining, ResetAt: rate.ResetAt, Cost: cost.Requested, MaxCost: cost.Max}
}

// tellRate tells what is left in the headers of an HTTP answer, by the names of the IETF's draft on rate limits, and
// when to come back where nothing is. Their times are seconds from now.
func tellRate(h http.Header, op *graphql.OperationContext) {
	rate, counted := op.Stats.GetExtension(rateKey).(left)
	if !counted || rate.limit == kyro.NoLimit {
		return
	}
	h.Set("RateLimit-Limit", strconv.Itoa(rate.limit))
	h.Set("RateLimit-Remaining", strconv.Itoa(rate.Remaining))
	h.Set("RateLimit-Reset", wholeSeconds(rate.ResetAt.Sub(graphql.Now())))
	if !rate.Allowed {
		h.Set("Retry-After", wholeSeconds(rate.RetryAfter))
	}
}

// wholeSeconds are never too few.
func wholeSeconds(d time.Duration) string {
	return strconv.FormatInt(int64(max(d+time.Second-1, 0)/time.Second), 10)
}
