package eval

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"kyrochat/client"
)

// callTimeout bounds one query or mutation, and turnTimeout one answer, which has limits of its own on the server.
const (
	callTimeout = 2 * time.Minute
	turnTimeout = 10 * time.Minute
)

// embedded is what a server says of vectors that it keeps itself.
const embedded = "embedded"

// ServerInfo is what the server says of itself.
type ServerInfo struct {
	Version    string   `json:"version"`
	Answers    Provider `json:"answers"`
	Embeddings Provider `json:"embeddings"`
	Vectors    string   `json:"vectors"`
	Database   string   `json:"database"`
}

// Provider is who does something, and by which model.
type Provider struct {
	Provider string `json:"provider"`
	Model    string `json:"model"`
}

// payload is what all payloads of mutations have.
type payload struct {
	Errors []struct{ Code, Message string }
}

// refusal is an error of a payload.
type refusal struct{ code, message string }

func (e *refusal) Error() string { return e.message + " (" + e.code + ")" }

func (p payload) err() error {
	if len(p.Errors) == 0 {
		return nil
	}
	return &refusal{p.Errors[0].Code, p.Errors[0].Message}
}

// do runs a query or a mutation in the time that one may take.
func (r *run) do(ctx context.Context, query string, variables map[string]any, into any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return r.api.Do(ctx, query, variables, into)
}

// codeOf is what an error is counted under.
func codeOf(err error) string {
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return refused.code
	case client.Code(err) != "":
		return client.Code(err)
	case errors.Is(err, context.DeadlineExceeded):
		return "TIMEOUT"
	}
	return "CONNECTION"
}

// misunderstood reports an error that tells of the server or of us, and not of what was asked: there is nothing to be
// measured then.
func misunderstood(err error) bool {
	code := client.Code(err)
	return strings.HasPrefix(code, "GRAPHQL_") || code == "UNAUTHENTICATED"
}

// setUp looks at the server, signs up and makes a bot.
func (r *run) setUp(ctx context.Context) error {
	var about struct{ ServerInfo ServerInfo }
	err := r.do(ctx, `{ serverInfo { version answers { provider model } embeddings { provider model } vectors database } }`, nil, &about)
	if err != nil {
		return fmt.Errorf("look at the server: %w", err)
	}
	r.info = about.ServerInfo
	var signedUp struct {
		RegisterUser struct {
			AccessToken string
			payload
		}
	}
	err = r.do(ctx, `mutation($input: RegisterUserInput!) { registerUser(input: $input) { accessToken errors { code message } } }`,
		input{"email": "eval@example.com", "password": rand.Text(), "name": "Eval"}.variables(), &signedUp)
	if err = errors.Join(err, signedUp.RegisterUser.err()); err != nil {
		return fmt.Errorf("sign up: %w", err)
	}
	r.api.SetToken(signedUp.RegisterUser.AccessToken)
	bot := input{"name": "Eval"}
	if r.options.TopK != nil {
		bot["topK"] = *r.options.TopK
	}
	if r.options.MinScore != nil {
		bot["minScore"] = *r.options.MinScore
	}
	if r.options.Model != nil {
		bot["model"] = *r.options.Model
	}
	var made struct {
		CreateBot struct {
			Bot struct{ ID string }
			payload
		}
	}
	err = r.do(ctx, `mutation($input: CreateBotInput!) { createBot(input: $input) { bot { id } errors { code message } } }`,
		bot.variables(), &made)
	if err = errors.Join(err, made.CreateBot.err()); err != nil {
		return fmt.Errorf("make a bot: %w", err)
	}
	r.bot = made.CreateBot.Bot.ID
	return nil
}

func (r *run) deleteBot(ctx context.Context) error {
	var deleted struct{ DeleteBot payload }
	err := r.do(ctx, `mutation($input: DeleteBotInput!) { deleteBot(input: $input) { deletedId errors { code message } } }`,
		input{"botId": r.bot}.variables(), &deleted)
	if err = errors.Join(err, deleted.DeleteBot.err()); err != nil {
		return fmt.Errorf("delete the bot: %w", err)
	}
	return nil
}

// input is the input of a mutation.
type input map[string]any

func (i input) variables() map[string]any { return map[string]any{"input": map[string]any(i)} }
