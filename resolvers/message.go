package resolvers

import (
	"context"

	"kyrochat/answer"
	"kyrochat/graph/model"
	"kyrochat/kyro"
)

func (r mutations) SendMessage(ctx context.Context, in model.SendMessageInput) (*model.SendMessagePayload, error) {
	return turnPayload(r.Answer.Send(ctx, kyro.ViewerFrom(ctx), answer.SendInput{
		ConversationID: optional(in.ConversationID), BotID: optional(in.BotID),
		Text: in.Text, ClientMessageID: in.ClientMessageID,
	}))
}

func (r mutations) RegenerateMessage(ctx context.Context, in model.RegenerateMessageInput) (*model.SendMessagePayload, error) {
	return turnPayload(r.Answer.Regenerate(ctx, kyro.ViewerFrom(ctx), in.MessageID, in.ClientMessageID))
}

func (r mutations) StopMessage(ctx context.Context, in model.StopMessageInput) (*model.MessagePayload, error) {
	message, err := r.Answer.Stop(ctx, kyro.ViewerFrom(ctx), in.MessageID)
	errs, err := problems(err)
	return &model.MessagePayload{Message: unless(errs, message), Errors: errs}, err
}

func (r mutations) RateMessage(ctx context.Context, in model.RateMessageInput) (*model.MessagePayload, error) {
	message, err := r.Catalog.RateMessage(ctx, kyro.ViewerFrom(ctx), in.MessageID, kyro.Feedback{
		Rating: optional(in.Rating), Reasons: in.Reasons.Value(), Comment: optional(in.Comment),
	})
	errs, err := problems(err)
	return &model.MessagePayload{Message: unless(errs, message), Errors: errs}, err
}

func turnPayload(t kyro.Turn, err error) (*model.SendMessagePayload, error) {
	errs, err := problems(err)
	return &model.SendMessagePayload{
		Conversation: unless(errs, t.Conversation), UserMessage: unless(errs, t.User), BotMessage: unless(errs, t.Bot), Errors: errs,
	}, err
}

type messageFields struct{}

func (messageFields) Conversation(ctx context.Context, m *kyro.Message) (*kyro.Conversation, error) {
	return promised(follow(ctx, messageTalk, m.ConversationID))(m.ConversationID)
}

func (messageFields) ClientMessageID(_ context.Context, m *kyro.Message) (*string, error) {
	return orNull(m.ClientMessageID), nil
}

func (messageFields) Parent(ctx context.Context, m *kyro.Message) (*kyro.Message, error) {
	return follow(ctx, messageParent, m.ParentID)
}

func (messageFields) Siblings(ctx context.Context, m *kyro.Message) ([]kyro.Message, error) {
	if m.ParentID.IsZero() {
		return []kyro.Message{*m}, nil
	}
	return follow(ctx, messageSiblings, m.ParentID)
}

type feedbackFields struct{}

func (feedbackFields) Comment(_ context.Context, f *kyro.Feedback) (*string, error) {
	return orNull(f.Comment), nil
}

type citationFields struct{}

func (citationFields) Document(ctx context.Context, c *kyro.Citation) (*kyro.Document, error) {
	return follow(ctx, citedDocuments, c.DocumentID)
}

func (citationFields) Chunk(ctx context.Context, c *kyro.Citation) (*kyro.Chunk, error) {
	return follow(ctx, citedChunks, c.ChunkID)
}
