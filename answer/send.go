package answer

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"kyrochat/kyro"
	"kyrochat/text"
)

// SendInput is a message to send: to a conversation, or to a bot, which starts a new conversation. Exactly one of
// the two ids is given.
type SendInput struct {
	ConversationID  kyro.ID
	BotID           kyro.ID
	Text            string
	ClientMessageID string
}

// Send stores a message together with the answer to come and starts the answer; it does not wait for it. The text
// is stored as text.Normalize gives it, and compared in that form where the clientMessageId was used before: the
// same text to the same target gives the stored turn again, anything else IDEMPOTENCY_CONFLICT. Only who may chat
// with the bot can send; for others it is not there. Too many in a short time are RATE_LIMITED, and BUDGET_EXCEEDED is what
// may take more than is left of a hard budget.
func (s *Service) Send(ctx context.Context, viewer kyro.Viewer, in SendInput) (kyro.Turn, error) {
	if err := s.admit(viewer); err != nil {
		return kyro.Turn{}, err
	}
	if err := in.check(s.cfg.Limits.MaxMessageChars); err != nil {
		return kyro.Turn{}, err
	}
	if err := s.limit(ctx, viewer); err != nil {
		return kyro.Turn{}, err
	}
	t := kyro.NewTurn{
		SenderID: viewer.UserID, ConversationID: in.ConversationID, BotID: in.BotID, Title: kyro.TitleFrom(in.Text),
		Text: in.Text, ClientMessageID: in.ClientMessageID, MaxWaiting: s.cfg.Limits.MaxWaiting, Charge: s.charge(viewer), Now: s.now(),
	}
	reserved := s.reserve(in.ConversationID)
	defer func() {
		if reserved {
			s.vacate()
		}
	}()
	if reserved {
		t.Owner, t.Lease = s.cfg.Node, s.cfg.Limits.AnswerLease
	}
	asked := s.cfg.Now()
	var begun *attempt
	t.Begin = func(turn kyro.Turn) {
		if reserved {
			begun = s.anticipate(turn, asked)
			reserved = begun == nil
		}
	}
	defer func() { begun.settle(false) }() // unless it is already
	turn, err := s.cfg.Store.SaveTurn(ctx, t)
	if err != nil {
		return kyro.Turn{}, err
	}
	claim := turn.Claim
	turn.Claim, turn.Job = nil, nil
	switch {
	case claim == nil:
		s.begin(turn)
		return turn, nil
	case begun.has(claim):
		begun.settle(true)
	default:
		s.giveBack(ctx, &turn, *claim)
	}
	s.cfg.Wakes.Wake(turn.Conversation.ID)
	return turn, nil
}

// Regenerate stores a new answer to the user message that a final bot message answers, which becomes superseded
// with all its elder siblings, and starts it. The rule for clientMessageId is that of Send.
func (s *Service) Regenerate(ctx context.Context, viewer kyro.Viewer, message kyro.ID, clientMessageID string) (kyro.Turn, error) {
	if err := s.admit(viewer); err != nil {
		return kyro.Turn{}, err
	}
	if err := message.Expect(kyro.KindMessage); err != nil {
		return kyro.Turn{}, err
	}
	if err := kyro.CheckClientMessageID(clientMessageID); err != nil {
		return kyro.Turn{}, err
	}
	if err := s.limit(ctx, viewer); err != nil {
		return kyro.Turn{}, err
	}
	turn, err := s.cfg.Store.SaveSibling(ctx, viewer.UserID, message, clientMessageID, s.cfg.Limits.MaxWaiting, s.now(), s.charge(viewer))
	if err != nil {
		return kyro.Turn{}, err
	}
	s.begin(turn)
	return turn, nil
}

// admit answers UNAUTHENTICATED for nobody, and UNAVAILABLE while the server shuts down: another node, or this
// one once it is back, takes the message then.
func (s *Service) admit(viewer kyro.Viewer) error {
	if err := viewer.Must(kyro.ScopeChat); err != nil {
		return err
	}
	if s.isDraining() {
		err := kyro.Errorf(kyro.CodeUnavailable, "The server is restarting. Send the message again in a moment.")
		err.RetryAfter = 5 * time.Second
		return err
	}
	return nil
}

// limit counts a message of the viewer, or an answer made anew, which cost a model's time alike: RATE_LIMITED for one too
// many. One that is sent again counts again.
func (s *Service) limit(ctx context.Context, viewer kyro.Viewer) error {
	if s.cfg.Limiter == nil || s.cfg.Rate.Unlimited() {
		return nil
	}
	allowance, err := s.cfg.Limiter.Take(ctx, "messages "+viewer.UserID.String(), s.cfg.Rate)
	if err != nil {
		return fmt.Errorf("count a message: %w", err)
	}
	if !allowance.Allowed {
		return allowance.Refusal("messages")
	}
	return nil
}

// begin starts the answer of a stored turn at once, unless it is there already.
func (s *Service) begin(turn kyro.Turn) {
	if !turn.Repeated {
		s.cfg.Wakes.Wake(turn.Conversation.ID)
	}
	if !turn.Bot.Status.Final() {
		s.kick(turn.Conversation.ID)
	}
}

// check brings the text into the form it is stored in and checks every field.
func (in *SendInput) check(limit int) error {
	switch {
	case in.ConversationID.IsZero() && in.BotID.IsZero():
		return kyro.Invalid("conversationId", "Give conversationId to go on with a conversation, or botId to start one.")
	case !in.ConversationID.IsZero() && !in.BotID.IsZero():
		return kyro.Invalid("botId", "Give conversationId or botId, not both.")
	case in.BotID.IsZero():
		if err := in.ConversationID.Expect(kyro.KindConversation); err != nil {
			return err
		}
	default:
		if err := in.BotID.Expect(kyro.KindBot); err != nil {
			return err
		}
	}
	if err := kyro.CheckClientMessageID(in.ClientMessageID); err != nil {
		return err
	}
	if !utf8.ValidString(in.Text) {
		return kyro.Invalid("text", "The message is not valid text.")
	}
	in.Text = text.Normalize(in.Text)
	return kyro.CheckMessageText(in.Text, limit)
}
