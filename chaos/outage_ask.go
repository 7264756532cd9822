package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kyrochat/client"
	"kyrochat/internal/smtp"
)

// asker is a person who asks one server for everything there is, once, and notes what comes of it and when: nothing is
// repeated here, since how a server answers is what is looked at.
type asker struct {
	*person
	round                  *round
	bot, document          string
	conversation, finished string // one to go on with, and an answer that is final
	fallback               bool
	said                   int
}

// askPatience is longer than any answer may take: what comes later is told with its time.
const askPatience = 10 * time.Second

// newAsker signs up, with a bot that has read a document and a conversation that was had.
func (r *round) newAsker(ctx context.Context, name string, fallback bool) (*asker, error) {
	p, err := r.newPerson(ctx, name)
	if err != nil {
		return nil, err
	}
	a := &asker{person: p, round: r, fallback: fallback}
	if a.bot, err = p.newBot(ctx); err != nil {
		return nil, err
	}
	var in struct {
		LogIn struct{ AccessToken, RefreshToken string }
	}
	if err := p.ask(ctx, logIn, credentials(name), &in); err != nil {
		return nil, err
	}
	p.use(in.LogIn.AccessToken, in.LogIn.RefreshToken)
	if _, err := r.newPerson(ctx, name+"-door"); err != nil {
		return nil, err
	}
	var added struct {
		AddTextDocument struct {
			Document *struct{ ID string }
			Errors   []problem
		}
	}
	if err := p.ask(ctx, addText, a.text("The lighthouse of Norderoog has a lamp of 1,200 candles. Its keeper is called Tomma."), &added); err != nil {
		return nil, err
	}
	if added.AddTextDocument.Document == nil {
		return nil, fmt.Errorf("the document was not added: %v", added.AddTextDocument.Errors)
	}
	a.document = added.AddTextDocument.Document.ID
	if err := await(ctx, startPatience, func() bool {
		var d struct{ Document *struct{ Status string } }
		err := p.ask(ctx, `query($id: ID!) { document(id: $id) { status } }`, map[string]any{"id": a.document}, &d)
		return err == nil && d.Document != nil && d.Document.Status == "READY"
	}); err != nil {
		return nil, fmt.Errorf("the document does not become ready: %w", err)
	}
	s, err := p.send(ctx, a.bot, "", name+"-first", "Who keeps the lighthouse?")
	if err != nil {
		return nil, err
	}
	a.conversation, a.finished = s.Conversation, s.Answer
	end, err := a.follow(ctx, p.clients[0], s.Answer)
	if err != nil {
		return nil, err
	}
	if end.Status != "COMPLETED" || len(end.Notices) > 0 {
		return nil, fmt.Errorf("the first answer is %+v", end)
	}
	return a, nil
}

const (
	logIn   = `mutation($i: LogInInput!) { logIn(input: $i) { accessToken refreshToken errors { code message } } }`
	addText = `mutation($i: AddTextDocumentInput!) { addTextDocument(input: $i) { document { id } errors { code message } } }`
	refresh = `mutation($i: RefreshSessionInput!) { refreshSession(input: $i) { accessToken refreshToken errors { code message } } }`
	forgot  = `mutation($i: RequestPasswordResetInput!) { requestPasswordReset(input: $i) { errors { code message } } }`
	send    = `mutation($i: SendMessageInput!) { sendMessage(input: $i) { conversation { id } botMessage { id } errors { code message } } }`
	follows = `subscription($id: ID!) { messageStream(messageId: $id) { __typename
		... on MessageSnapshot { seq } ... on MessageFinished { message { status notices error { code } } } } }`
)

func credentials(name string) map[string]any {
	return map[string]any{"i": map[string]any{"email": name + "@example.com", "password": "plenty of random words"}}
}

func (a *asker) text(content string) map[string]any {
	a.said++
	return map[string]any{"i": map[string]any{"botId": a.bot, "title": fmt.Sprintf("Text %d", a.said), "text": content}}
}

// question is one thing to ask for. do gives an error where it did not come normally.
type question struct {
	name string
	do   func(ctx context.Context, c *client.Client) error
}

// undone is what a payload says of a request that was answered, and not done.
type undone struct{ problems []problem }

func (t undone) Error() string { return fmt.Sprint(t.problems) }

func payload(err error, problems []problem) error {
	if err == nil && len(problems) > 0 {
		return undone{problems}
	}
	return err
}

// questions are the representative set.
func (a *asker) questions() []question {
	return []question{
		{"query", func(ctx context.Context, c *client.Client) error {
			return c.Do(ctx, `{ viewer { id bots(first: 5) { nodes { id name documents(first: 3) { nodes { id title } } } } } }`, nil, nil)
		}},
		{"messages", func(ctx context.Context, c *client.Client) error {
			return c.Do(ctx, `query($id: ID!) { conversation(id: $id) { title messages(last: 10) { nodes { id text } } } }`, map[string]any{"id": a.conversation}, nil)
		}},
		{"mutation", func(ctx context.Context, c *client.Client) error {
			a.said++
			var got struct{ UpdateConversation struct{ Errors []problem } }
			input := map[string]any{"conversationId": a.conversation, "title": fmt.Sprintf("Title %d", a.said)}
			err := c.Do(ctx, `mutation($i: UpdateConversationInput!) { updateConversation(input: $i) { errors { code message } } }`, map[string]any{"i": input}, &got)
			return payload(err, got.UpdateConversation.Errors)
		}},
		{"sendMessage", func(ctx context.Context, c *client.Client) error {
			_, err := a.say(ctx, c, a.conversation)
			var t undone
			if errors.As(err, &t) && t.problems[0].Code == "LIMIT_REACHED" {
				return nil // answers of this conversation are waited for: so it is told at all times
			}
			return err
		}},
		{"subscription", func(ctx context.Context, c *client.Client) error {
			for _, err := range c.Subscribe(ctx, follows, map[string]any{"id": a.finished}) {
				return err
			}
			return errors.New("the stream of an answer had no event")
		}},
		{"addTextDocument", func(ctx context.Context, c *client.Client) error {
			var got struct{ AddTextDocument struct{ Errors []problem } }
			err := c.Do(ctx, addText, a.text(fmt.Sprintf("The lamp was cleaned %d times by %s.", a.said, a.name)), &got)
			return payload(err, got.AddTextDocument.Errors)
		}},
		{"logIn", func(ctx context.Context, c *client.Client) error {
			var got struct{ LogIn struct{ Errors []problem } }
			// By an account of its own, which has twenty sessions at the most: an older one would end.
			return payload(c.Do(ctx, logIn, credentials(a.name+"-door"), &got), got.LogIn.Errors)
		}},
		{"refreshSession", func(ctx context.Context, c *client.Client) error { return a.goOn(ctx, c) }},
		{"search", func(ctx context.Context, c *client.Client) error {
			return c.Do(ctx, `query($id: ID!) { bot(id: $id) { search(query: "Who keeps the lighthouse?", first: 3) { score chunk { text } } } }`, map[string]any{"id": a.bot}, nil)
		}},
		{"requestPasswordReset", func(ctx context.Context, c *client.Client) error { return a.forget(ctx, c) }},
	}
}

// goOn takes the next tokens of the session.
func (a *asker) goOn(ctx context.Context, c *client.Client) error {
	var got struct {
		RefreshSession struct {
			AccessToken, RefreshToken string
			Errors                    []problem
		}
	}
	err := payload(c.Do(ctx, refresh, map[string]any{"i": map[string]any{"refreshToken": a.session.newest()}}, &got), got.RefreshSession.Errors)
	if err == nil && got.RefreshSession.RefreshToken != "" {
		a.use(got.RefreshSession.AccessToken, got.RefreshSession.RefreshToken)
	}
	return err
}

func (a *asker) stillSignedIn(ctx context.Context) error { return a.goOn(ctx, a.clients[0]) }

func (a *asker) forget(ctx context.Context, c *client.Client) error {
	var got struct{ RequestPasswordReset struct{ Errors []problem } }
	err := c.Do(ctx, forgot, map[string]any{"i": map[string]any{"email": a.name + "@example.com"}}, &got)
	return payload(err, got.RequestPasswordReset.Errors)
}

// say sends a message, once, and gives its answer's id.
func (a *asker) say(ctx context.Context, c *client.Client, conversation string) (string, error) {
	a.said++
	input := map[string]any{"text": fmt.Sprintf("Who keeps the lighthouse, asked for the %dth time?", a.said), "clientMessageId": fmt.Sprintf("%s-%d", a.name, a.said)}
	if conversation != "" {
		input["conversationId"] = conversation
	} else {
		input["botId"] = a.bot
	}
	var got struct {
		SendMessage struct {
			BotMessage *struct{ ID string }
			Errors     []problem
		}
	}
	err := payload(c.Do(ctx, send, map[string]any{"i": input}, &got), got.SendMessage.Errors)
	if err != nil {
		return "", err
	}
	if got.SendMessage.BotMessage == nil {
		return "", errors.New("sendMessage gave nothing")
	}
	return got.SendMessage.BotMessage.ID, nil
}

// ending is how an answer ended.
type ending struct {
	Status  string
	Notices []string
	Error   *struct{ Code string }
}

func (e ending) String() string {
	code := ""
	if e.Error != nil {
		code = " " + e.Error.Code
	}
	return strings.TrimSpace(fmt.Sprintf("%s%s %s", e.Status, code, strings.Join(e.Notices, " ")))
}

// follow reads a stream to its end.
func (a *asker) follow(ctx context.Context, c *client.Client, answer string) (ending, error) {
	ctx, cancel := context.WithTimeout(ctx, finalWithin)
	defer cancel()
	for raw, err := range c.Subscribe(ctx, follows, map[string]any{"id": answer}) {
		if err != nil {
			return ending{}, err
		}
		var event struct {
			MessageStream struct {
				Typename string `json:"__typename"`
				Message  ending
			}
		}
		if err := json.Unmarshal(raw, &event); err != nil {
			return ending{}, err
		}
		if event.MessageStream.Typename == "MessageFinished" {
			return event.MessageStream.Message, nil
		}
	}
	return ending{}, errors.New("the stream ended without a finish")
}

// wanted says whether an answer may end so while that is away; nothing is away where it is "".
func (a *asker) wanted(e ending, away string) bool {
	switch {
	case away == "model" && a.fallback:
		return e.Status == "COMPLETED" && slices.Contains(e.Notices, "OFFLINE_ANSWER")
	case away == "model":
		return e.Status == "FAILED" && e.Error != nil && slices.Contains([]string{"UPSTREAM_FAILED", "TIMEOUT"}, e.Error.Code)
	case away == "vectors":
		return e.Status == "COMPLETED" && slices.Contains(e.Notices, "LEXICAL_ONLY")
	}
	// On a starved machine a search by vectors takes longer than the 1.5 s it has, whatever is away; the figures tell.
	return e.Status == "COMPLETED" && (len(e.Notices) == 0 || away != "" && slices.Equal(e.Notices, []string{"LEXICAL_ONLY"}))
}

// askAll asks a node for everything once, and for an answer where there may be one; it ends early with lasting.
func (a *asker) askAll(ctx, lasting context.Context, n *node, away string, asked *answers) {
	c := a.at(n)
	for _, q := range a.questions() {
		if lasting.Err() != nil {
			return
		}
		if q.name == "logIn" && a.dice.n(4) > 0 { // whose password takes the processor for so long that the others would wait for that
			continue
		}
		asking, cancel := context.WithTimeout(ctx, askPatience)
		began := time.Now()
		err := q.do(asking, c)
		asked.add(q.name, time.Since(began), err, away == "postgres" || q.name == "logIn") // so many sign in at once on a busy machine
		cancel()
		_ = pause(lasting, a.dice.between(0, 50*time.Millisecond))
	}
	if away == "postgres" || lasting.Err() != nil {
		return
	}
	began := time.Now()
	answer, err := a.say(ctx, c, "")
	if err != nil {
		return // of which the messages above tell
	}
	if e, err := a.follow(ctx, c, answer); err != nil || lasting.Err() == nil && !a.wanted(e, away) {
		asked.amiss("the answer to a message ended as %q, %v, after %s", e, err, time.Since(began).Round(time.Millisecond))
	} else {
		asked.ended(e.String(), time.Since(began))
	}
}

// at is the client of one of the servers.
func (a *asker) at(n *node) *client.Client { return a.clients[slices.Index(a.round.nodes, n)] }

// well says what a node does not do as it always does; "" where all is well.
func (a *asker) well(ctx context.Context, n *node, was string) string {
	c := a.at(n)
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	for _, q := range a.questions() {
		if err := q.do(ctx, c); err != nil {
			return fmt.Sprintf("%s: %v", q.name, err)
		}
	}
	answer, err := a.say(ctx, c, "")
	if err != nil {
		return fmt.Sprintf("sendMessage: %v", err)
	}
	if e, err := a.follow(ctx, c, answer); err != nil || !a.wanted(e, "") {
		return fmt.Sprintf("an answer ends as %q, %v", e, err)
	}
	if code, err := n.ask(ctx, "/readyz", askPatience); err != nil || code != 200 {
		return fmt.Sprintf("/readyz is %d, %v", code, err)
	}
	if was == "mails" {
		return a.hasMail(ctx, c)
	}
	return ""
}

// hasMail waits for a mail that is asked for now.
func (a *asker) hasMail(ctx context.Context, c *client.Client) string {
	mine := func(e *smtp.Emulator) (n int) {
		for _, m := range e.Mails() {
			if slices.Contains(m.To, a.name+"@example.com") {
				n++
			}
		}
		return n
	}
	before := mine(a.round.smtp)
	if err := a.forget(ctx, c); err != nil {
		return err.Error()
	}
	if err := a.round.smtp.Await(ctx, func(e *smtp.Emulator) bool { return mine(e) > before }); err != nil {
		return "no mail comes"
	}
	return ""
}
