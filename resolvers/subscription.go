package resolvers

import (
	"context"
	"errors"
	"iter"

	"kyrochat/graph/plan"
	"kyrochat/kyro"
)

func (r subscriptions) MessageStream(
	ctx context.Context, messageID kyro.ID, after *kyro.StreamCursor,
) (<-chan kyro.MessageStreamEvent, error) {
	after, err := r.resumed(ctx, after)
	if err != nil {
		return nil, err
	}
	return stream(ctx, placed(r.Carrier.Passing(ctx), r.Answer.Follow(ctx, kyro.ViewerFrom(ctx), messageID, after)))
}

// resumed is the place that a client goes on from: that of the last event it has had, where its transport knows, since an
// EventSource comes back with the same arguments; else the one it asks for.
func (r subscriptions) resumed(ctx context.Context, asked *kyro.StreamCursor) (*kyro.StreamCursor, error) {
	last := r.Carrier.LastEvent(ctx)
	if last == "" {
		return asked, nil
	}
	place, err := kyro.ParseStreamCursor(last)
	return &place, err
}

func (r subscriptions) ConversationEvents(
	ctx context.Context, conversationID kyro.ID, after *kyro.StreamCursor,
) (<-chan kyro.ConversationEvent, error) {
	after, err := r.resumed(ctx, after)
	if err != nil {
		return nil, err
	}
	return stream(ctx, placed(r.Carrier.Passing(ctx), r.Answer.Events(ctx, kyro.ViewerFrom(ctx), conversationID, after)))
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
	return stream(ctx, addresses(changes))
}

// placed tells passing the place of every event before the event is given. nil has no use for them.
func placed[T kyro.Placed](passing func(kyro.StreamCursor), events iter.Seq2[T, error]) iter.Seq2[T, error] {
	if passing == nil {
		return events
	}
	return func(yield func(T, error) bool) {
		for event, err := range events {
			if err == nil {
				passing(event.Place())
			}
			if !yield(event, err) {
				return
			}
		}
	}
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

// stream gives the events of a subscription to the executor. An error that comes first is the answer to the subscription
// itself; one that comes later ends it.
func stream[T any](ctx context.Context, events iter.Seq2[T, error]) (<-chan T, error) {
	if !plan.Give(ctx, events) {
		return nil, errors.New("subscriptions are run by plans")
	}
	return nil, nil
}
