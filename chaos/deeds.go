package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kyrochat/client"
)

// What people do besides talking. Each is done again until it is acknowledged.

// stopAnswer stops an answer.
func (p *person) stopAnswer(ctx context.Context, answer string) error {
	return p.ask(ctx, `mutation($i: StopMessageInput!) { stopMessage(input: $i) { message { id } errors { code } } }`,
		map[string]any{"i": map[string]any{"messageId": answer}}, nil)
}

// makeAnew has an answer made again, and gives the new one.
func (p *person) makeAnew(ctx context.Context, answer, key string) (string, error) {
	var got struct {
		RegenerateMessage struct {
			BotMessage *struct{ ID string }
			Errors     []problem
		}
	}
	for {
		err := p.ask(ctx, `mutation($i: RegenerateMessageInput!) { regenerateMessage(input: $i) { botMessage { id } errors { code message } } }`,
			map[string]any{"i": map[string]any{"messageId": answer, "clientMessageId": key}}, &got)
		given := got.RegenerateMessage
		switch {
		case err != nil:
			return "", err
		case given.BotMessage != nil:
			return given.BotMessage.ID, nil
		case len(given.Errors) == 0 || given.Errors[0].Code != "LIMIT_REACHED":
			return "", fmt.Errorf("%s was not made anew: %v", answer, given.Errors)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return "", err
		}
	}
}

// addText adds a document. Where the answer is lost there may be two of it: what counts is the one that was acknowledged.
func (p *person) addText(ctx context.Context, bot, text string) (string, error) {
	var got struct {
		AddTextDocument struct {
			Document *struct{ ID string }
			Errors   []problem
		}
	}
	err := p.ask(ctx, `mutation($i: AddTextDocumentInput!) { addTextDocument(input: $i) { document { id } errors { code message } } }`,
		map[string]any{"i": map[string]any{"botId": bot, "title": text, "text": text}}, &got)
	if err == nil && got.AddTextDocument.Document == nil {
		err = fmt.Errorf("the document was not taken: %v", got.AddTextDocument.Errors)
	}
	if err != nil {
		return "", err
	}
	return got.AddTextDocument.Document.ID, nil
}

// deleteDocument deletes a document. One that is not there any more was deleted by a try whose answer was lost.
func (p *person) deleteDocument(ctx context.Context, id string) error {
	before := p.tried.Load()
	err := p.ask(ctx, `mutation($i: DeleteDocumentInput!) { deleteDocument(input: $i) { deletedId errors { code message } } }`,
		map[string]any{"i": map[string]any{"documentId": id}}, nil)
	if answered, ok := errors.AsType[client.Errors](err); ok && client.Code(answered) == "NOT_FOUND" && p.tried.Load() > before {
		return nil
	}
	return err
}

// isSomebody sees that the access token is good.
func (p *person) isSomebody(ctx context.Context) error {
	var got struct{ Viewer *struct{ Email string } }
	token := p.session.access()
	if err := p.ask(ctx, `{ viewer { email } }`, nil, &got); err != nil {
		return err
	}
	if got.Viewer == nil || got.Viewer.Email != p.address() || p.session.access() != token {
		return fmt.Errorf("the fresh access token of %s is nobody's", p.name)
	}
	return nil
}

// signUp makes an account, and signs in where the answer to that was lost.
func (p *person) signUp(ctx context.Context) error {
	var got struct {
		RegisterUser struct {
			AccessToken, RefreshToken string
			Errors                    []problem
		}
	}
	err := p.ask(ctx, `mutation($i: RegisterUserInput!) { registerUser(input: $i) { accessToken refreshToken errors { code message } } }`,
		map[string]any{"i": map[string]any{"email": p.address(), "password": password, "name": p.name}}, &got)
	made := got.RegisterUser
	switch {
	case err != nil:
		return err
	case made.AccessToken != "":
		p.use(made.AccessToken, made.RefreshToken)
		return nil
	case len(made.Errors) > 0 && made.Errors[0].Code == "EMAIL_TAKEN" && p.tried.Load() > 0:
		return p.signIn(ctx)
	}
	return fmt.Errorf("%s could not sign up: %v", p.name, made.Errors)
}

// forgetPassword asks for a link for a new one.
func (p *person) forgetPassword(ctx context.Context) error {
	return p.ask(ctx, `mutation($i: RequestPasswordResetInput!) { requestPasswordReset(input: $i) { accepted } }`,
		map[string]any{"i": map[string]any{"email": p.address()}}, nil)
}
