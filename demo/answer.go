package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"kyrochat/text"
)

const stream = `subscription($id: ID!) {
  messageStream(messageId: $id) {
    __typename
    ... on MessageSnapshot { message { text } }
    ... on MessageDelta { text }
    ... on MessageFinished { message {
      text status grounding finishReason notices error { message }
      citations { marker documentTitle quote pageStart pageEnd }
    } }
  }
}`

type message struct {
	Text, Status, Grounding, FinishReason string
	Notices                               []string
	Error                                 *struct{ Message string }
	Citations                             []citation
}

type citation struct {
	Marker               int
	DocumentTitle, Quote string
	PageStart, PageEnd   *int
}

// ask sends a question and prints the answer as it is written, and then what it rests on.
func (d *run) ask(ctx context.Context, question string) error {
	in := input("text", question, "clientMessageId", rand.Text(), "botId", d.bot)
	if d.conversation != "" {
		in = input("text", question, "clientMessageId", rand.Text(), "conversationId", d.conversation)
	}
	var sent struct {
		SendMessage struct {
			Conversation, BotMessage struct{ ID string }
			Errors                   userErrors
		}
	}
	err := d.api.Do(ctx, `mutation($input: SendMessageInput!) {
		sendMessage(input: $input) { conversation { id } botMessage { id } errors { code message } }
	}`, in, &sent)
	if err = firstError("send the question", err, sent.SendMessage.Errors); err != nil {
		return err
	}
	d.conversation = sent.SendMessage.Conversation.ID
	answer, err := d.stream(ctx, sent.SendMessage.BotMessage.ID)
	if err != nil {
		return err
	}
	d.conclude(answer)
	return nil
}

// stream prints the answer's text as it comes, and gives the finished message.
func (d *run) stream(ctx context.Context, id string) (*message, error) {
	shown := ""
	for data, err := range d.api.Subscribe(ctx, stream, map[string]any{"id": id}) {
		if err != nil {
			return nil, fmt.Errorf("follow the answer: %w", err)
		}
		var event struct {
			MessageStream struct {
				Typename string `json:"__typename"`
				Text     string
				Message  message
			}
		}
		if err := json.Unmarshal(data, &event); err != nil {
			return nil, fmt.Errorf("follow the answer: %w", err)
		}
		switch e := event.MessageStream; e.Typename {
		case "MessageDelta":
			d.screen.print(text.PrintableLines(e.Text))
			shown += e.Text
		case "MessageSnapshot":
			shown = d.replace(shown, e.Message.Text)
		case "MessageFinished":
			d.replace(shown, e.Message.Text)
			d.screen.line("")
			return &e.Message, nil
		}
	}
	return nil, errors.New("the stream ended without the finished answer")
}

// replace makes what is shown the whole text: by the rest of it where it goes on, from its start otherwise.
func (d *run) replace(shown, whole string) string {
	if rest, goesOn := strings.CutPrefix(whole, shown); goesOn {
		d.screen.print(text.PrintableLines(rest))
	} else {
		d.screen.print("\n\n" + text.PrintableLines(whole))
	}
	return whole
}

// groundings says in words how far the documents support an answer, where it is not all the way.
var groundings = map[string]string{
	"PARTIAL":   "Only a part of this is supported by the documents.",
	"NOT_FOUND": "The documents do not answer this.",
	"BLOCKED":   "The answer was blocked.",
}

// notices says in words what a reader should know of an answer.
var notices = map[string]string{
	"LEXICAL_ONLY": "The documents were searched by words alone.",
	"FILTERED":     "Something in the answer was made harmless, or left out.",
}

// conclude prints the citations and what else there is to say about an answer.
func (d *run) conclude(m *message) {
	for _, c := range m.Citations {
		d.screen.line(d.screen.dim(c.String()))
	}
	if m.Error != nil {
		d.screen.line(d.screen.red(text.Printable(m.Error.Message)))
	} else if m.Status != "COMPLETED" && m.Status != "" {
		d.screen.line(d.screen.red("The answer is not complete: " + strings.ToLower(m.FinishReason) + "."))
	}
	if words, ok := groundings[m.Grounding]; ok {
		d.screen.line(d.screen.yellow(words))
	}
	for _, notice := range m.Notices {
		if words, ok := notices[notice]; ok {
			d.screen.line(d.screen.yellow(words))
		}
	}
	if slices.Contains(m.Notices, "OFFLINE_ANSWER") && !d.saidOffline {
		d.saidOffline = true
		d.screen.line(d.screen.dim("(Answered offline, by quoting the documents.)"))
	}
}

// String is a citation on one line: [1] Title, page 3: "quote".
func (c citation) String() string {
	page := ""
	if c.PageStart != nil {
		page = fmt.Sprintf(", page %d", *c.PageStart)
		if c.PageEnd != nil && *c.PageEnd > *c.PageStart {
			page = fmt.Sprintf(", pages %d-%d", *c.PageStart, *c.PageEnd)
		}
	}
	return fmt.Sprintf("[%d] %s%s: \"%s\"", c.Marker, text.Printable(c.DocumentTitle), page, text.Printable(c.Quote))
}
