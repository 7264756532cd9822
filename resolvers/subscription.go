package resolvers

import (
	"context"
	"iter"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"kyrochat/kyro"
)

func (r subscriptions) MessageStream(
	ctx context.Context, messageID kyro.ID, after *kyro.StreamCursor,
) (<-chan kyro.MessageStreamEvent, error) {
	return stream(ctx, r.Present, r.Answer.Follow(ctx, kyro.ViewerFrom(ctx), messageID, after))
}

func (r subscriptions) ConversationEvents(
	ctx context.Context, conversationID kyro.ID, after *kyro.StreamCursor,
) (<-chan kyro.ConversationEvent, error) {
	return stream(ctx, r.Present, r.Answer.Events(ctx, kyro.ViewerFrom(ctx), conversationID, after))
}

func (r subscriptions) DocumentProgress(ctx context.Context, botID, documentID *kyro.ID) (<-chan *kyro.DocumentProgress, error) {
	v := kyro.ViewerFrom(ctx)
	var changes iter.Seq2[kyro.DocumentProgress, error]
	switch {
	case (botID == nil) == (documentID == nil):
		return nil, kyro.Errorf(kyro.CodeBadUserInput, "Give exactly one of botId and documentId.")
	case documentID != nil:
		changes = r.Ingest.Watch(ctx, v, *documentID)
	default:
		changes = r.Ingest.WatchBot(ctx, v, *botID)
	}
	return stream(ctx, r.Present, addresses(changes))
}

// addresses gives the addresses of a sequence's values.
func addresses[T any](values iter.Seq2[T, error]) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for value, err := range values {
			if !yield(&value, err) {
				return
			}
		}
	}
}

// stream sends a sequence into a channel until it ends or the subscriber is gone. An error that comes first is the
// answer to the subscription itself; one that comes later ends it with an error message.
func stream[T any](ctx context.Context, present graphql.ErrorPresenterFunc, events iter.Seq2[T, error]) (<-chan T, error) {
	next, stop := iter.Pull2(events)
	first, err, ok := next()
	if !ok || err != nil {
		stop()
		closed := make(chan T)
		close(closed)
		return closed, err
	}
	out := make(chan T)
	go func() {
		defer close(out)
		defer stop()
		defer func() {
			if p := recover(); p != nil {
				fail(ctx, present, graphql.GetOperationContext(ctx).Recover(ctx, p))
			}
		}()
		for event := first; ok; event, err, ok = next() {
			if err != nil {
				fail(ctx, present, err)
				return
			}
			select {
			case out <- event:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func fail(ctx context.Context, present graphql.ErrorPresenterFunc, err error) {
	if ctx.Err() == nil {
		transport.AddSubscriptionError(ctx, present(ctx, gqlerror.Wrap(err)))
	}
}
