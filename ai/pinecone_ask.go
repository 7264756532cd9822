package ai

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"kyrochat/kyro"
)

// What an error says about trying again, where Pinecone does not say it.
const (
	pineconeRetryAfter = 5 * time.Second
	pineconeQuotaAfter = 10 * time.Second
	pineconeMonthAfter = time.Hour       // the month's units are used up: look again now and then; also the most that is handed on
	pineconeLongest    = 2 * time.Second // what a call itself waits at the most between two tries

	// pineconeFair is how long a call must have had for it to be the index's fault that the caller's time ran out.
	pineconeFair = 500 * time.Millisecond
)

// patience is how long and how often something is asked for.
type patience struct {
	breaker *breaker
	whole   time.Duration // all tries together; 0: as long as they take
	each    time.Duration // one try
	tries   int
	pause   time.Duration // at the most, before the second try; twice as long before each further one
	sparing bool          // tried again only while not too much is; what has a queue behind it waits there
}

// ask asks the index for something, which must be safe to ask for twice. It is tried again, after a random pause, where
// the fault may be a passing one. What comes of it all is one call for the breaker.
func (p *Pinecone) ask(ctx context.Context, how patience, method string, call func(ctx context.Context) error) (err error) {
	if f := p.fit.Load(); f != nil && f.err != nil {
		return f.err
	}
	done, err := how.breaker.allow()
	if err != nil {
		return err
	}
	began := time.Now()
	err = errors.New("the call panicked") // unless it returns
	defer func() {
		if errors.Is(err, context.DeadlineExceeded) && time.Since(began) < pineconeFair {
			done(context.Canceled) // the caller's own time was all but over
			return
		}
		done(err)
	}()
	return p.try(ctx, how, method, call)
}

func (p *Pinecone) try(ctx context.Context, how patience, method string, call func(ctx context.Context) error) error {
	asked, cancel := ctx, context.CancelFunc(func() {})
	if how.whole > 0 {
		asked, cancel = context.WithTimeout(ctx, how.whole)
	}
	defer cancel()
	for tried := 1; ; tried++ {
		began := time.Now()
		err := p.once(asked, how.each, call)
		p.tellOf(kyro.TraceFrom(ctx), method, began, err)
		if err == nil {
			p.line.heard(true)
			return nil
		}
		if left := over(ctx); left != nil { // whoever asked has left
			return fmt.Errorf("%s: %w", method, left)
		}
		p.line.heard(status.Code(err) != codes.DeadlineExceeded)
		least := toldToWait(err)
		if tried == how.tries || !passing(err) || least > pineconeLongest || how.sparing && !how.breaker.mayRepeat() {
			return p.told(method, err)
		}
		random := min(how.pause<<(tried-1), pineconeLongest)
		if p.pause(asked, least, random) != nil || over(asked) != nil {
			if left := over(ctx); left != nil {
				return fmt.Errorf("%s: %w", method, left)
			}
			return p.told(method, err)
		}
	}
}

// tellOf tells of one try, also to the trace of whoever asked.
func (p *Pinecone) tellOf(trace kyro.Trace, method string, began time.Time, err error) {
	if p.measure == nil && !trace.Recorded() {
		return
	}
	code := "OK"
	var own *kyro.Error
	switch {
	case err == nil:
	case errors.As(err, &own):
		code = string(own.Code)
	case status.Code(err) == codes.Canceled || errors.Is(err, context.Canceled):
		code = "CANCELED"
	case status.Code(err) == codes.DeadlineExceeded || errors.Is(err, context.DeadlineExceeded):
		code = string(kyro.CodeTimeout)
	case status.Code(err) == codes.ResourceExhausted:
		code = string(kyro.CodeUpstreamQuota)
	default:
		code = string(kyro.CodeUpstreamFailed)
	}
	if p.measure != nil {
		p.measure(method, code, time.Since(began))
	}
	trace.Called(kyro.Called{System: "pinecone", Name: method, Began: began, Code: code})
}

// over is the error of a ctx that is done, or about to be: gRPC looks at the clock, and may be a moment ahead of it.
func over(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

func (p *Pinecone) once(ctx context.Context, limit time.Duration, call func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := p.looked(ctx); err != nil {
		return err
	}
	return call(ctx)
}

// partial is an upsert that took fewer vectors than it was given.
type partial struct{ took, of int }

func (e partial) Error() string { return fmt.Sprintf("took %d of %d vectors", e.took, e.of) }

// passing reports a fault that may be gone when the same is asked for again.
func passing(err error) bool {
	var some partial
	if errors.As(err, &some) {
		return true
	}
	var own *kyro.Error
	if errors.As(err, &own) {
		return false
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Internal, codes.Aborted:
		return true
	case codes.ResourceExhausted:
		return !ofTheMonth(err)
	}
	return false
}

// ofTheMonth reports that what the plan gives for a month is used up.
func ofTheMonth(err error) bool {
	return strings.Contains(strings.ToLower(status.Convert(err).Message()), "month")
}

// toldToWait is how long Pinecone says to wait; 0: it does not say.
func toldToWait(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return max(0, info.GetRetryDelay().AsDuration())
		}
	}
	return 0
}

// told words an error. The cause is for the log: cut short, and without the key.
func (p *Pinecone) told(method string, err error) error {
	var own *kyro.Error
	if errors.As(err, &own) {
		return err
	}
	cause := p.cause(method, err)
	var some partial
	if errors.As(err, &some) {
		return pineconeAway().Because(cause)
	}
	switch status.Code(err) {
	case codes.ResourceExhausted:
		quota := kyro.Errorf(kyro.CodeUpstreamQuota, "The vector index is asked too often. Try again later.").Because(cause)
		quota.RetryAfter = pineconeQuotaAfter
		if ofTheMonth(err) {
			quota.RetryAfter = pineconeMonthAfter
			p.log.Error("Pinecone's plan is used up for this month", "error", cause)
		}
		if told := toldToWait(err); told > 0 {
			quota.RetryAfter = min(told, pineconeMonthAfter)
		}
		return quota
	case codes.DeadlineExceeded:
		late := kyro.Errorf(kyro.CodeTimeout, "The vector index takes too long. Try again in a few seconds.").Because(cause)
		late.RetryAfter = pineconeRetryAfter
		return late
	case codes.Unavailable, codes.Internal, codes.Aborted, codes.Unknown, codes.Canceled:
		return pineconeAway().Because(cause)
	}
	p.log.Error("Pinecone refuses what it is asked; waiting does not help", "error", cause)
	return pineconeRefused().Because(cause)
}

// pineconeRefused is the error of calls that only the operator can mend.
func pineconeRefused() *kyro.Error {
	return kyro.Errorf(kyro.CodeUpstreamFailed, "The vector index cannot be used at the moment. Its operator has to look after it.")
}

// cause is an error of the SDK for the log, on one line and without the key.
func (p *Pinecone) cause(method string, err error) error {
	text := err.Error()
	if s, ok := status.FromError(err); ok {
		text = s.Code().String() + ": " + s.Message()
	}
	text = strings.ReplaceAll(text, p.key, "***")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	const most = 300
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return fmt.Errorf("pinecone %s: %s", method, text)
}
